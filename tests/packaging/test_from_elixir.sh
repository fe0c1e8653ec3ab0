#!/bin/sh
# tests/packaging/test_from_elixir.sh - the table for those who come from Elixir names what there is.
#
# Each name of ours in the table, and in all that the documents say, has to be in the headers; where Elixir is installed, each public function of the
# modules in the table has to be in the table.
set -eu

table=demos/guide/from-elixir.md
passed=0 failed=0

check() { # a name, where it ought to be, how to look, in what
    if "$3" "$1" "$4"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "    $1 is not in $2"
    fi
}

in_headers() {
    grep -qw -- "$1" include/*.h include/coppice/*.h
}

# With any arity: optional arguments make several functions of one.
in_section() {
    awk -v section="$2" '/^## / { here = $2 == section } here' "$table" | grep -qF "\`${1%/*}/"
}

names=$(grep -ohE '\b(cop|COP)_[A-Za-z_]*' "$table" README.md demos/*/*.md | sort -u)
for name in $names; do
    check "$name" "the headers" in_headers ""
done

modules="Agent GenServer Task Task.Supervisor Supervisor DynamicSupervisor PartitionSupervisor Registry Process"
if command -v elixir > /dev/null; then
    for module in $modules; do
        functions=$(elixir -e "for {f, a} <- $module.__info__(:functions), do: IO.puts(\"#{f}/#{a}\")" \
            2> /dev/null | grep -v '^__')
        for function in $functions; do
            check "$function" "the table, at $module" in_section "$module"
        done
    done
else
    echo "    Elixir is not installed: what the table leaves out is not looked for"
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
