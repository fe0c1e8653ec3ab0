#!/bin/sh
# tests/packaging/test_deps.sh - .ci/deps on machines that we do not have.
#
# PATH leads to a few real tools and to stand-ins for apt-get, id, sudo and the compiler, so that
# nothing is installed and no root is needed.
set -u

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
deps=$PWD/.ci/deps
passed=0
failed=0

# stand_in NAME: its body comes from standard input.
stand_in()
{
    { echo '#!/bin/sh' && cat; } > "$stage/bin/$1"
    chmod +x "$stage/bin/$1"
}

user_is()
{
    echo "echo $1" | stand_in id
}

# machine: a Debian where root may install, with the headers but none of the commands.
machine()
{
    rm -rf "${stage:?}"/*
    mkdir "$stage/bin"
    for tool in sh basename cat chmod cut env flock ls mkdir mktemp rm sort touch tr; do
        ln -s "$(command -v "$tool")" "$stage/bin/$tool"
    done
    user_is 0
    echo : | stand_in true
    stand_in apt-get << 'END'
echo "$@" >> "$STAGE/calls"
[ -x "$POLICY_RC_D" ] || echo "services are allowed" >> "$STAGE/calls"
case " $* " in
    *" update "*) touch "$STAGE/lists" ;;
    *" install "*)
        [ -e "$STAGE/lists" ] || exit 100
        case " $* " in *" postgresql "*) [ -e "$CREATECLUSTER_CONF" ] || echo "a cluster is made" >> "$STAGE/calls" ;; esac
        for name in gcc objcopy; do
            printf '#!/bin/sh\ncat > /dev/null\n' > "$STAGE/bin/$name"
            chmod +x "$STAGE/bin/$name"
        done
        ;;
esac
END
}

# run SET…: leaves the output in $said and the status in $status.
run()
{
    said=$(env -i PATH="$stage/bin" STAGE="$stage" CC=gcc POLICY_RC_D="$stage/policy" \
        CREATECLUSTER_CONF="$stage/clusters/conf" POSTGRESQL="$stage/postgresql" \
        "$deps" "$@" 2>&1)
    status=$?
    calls=$(cat "$stage/calls" 2> /dev/null)
}

# expect SENTENCE: whether the condition before it held, and what was said if not.
expect()
{
    if [ "$held" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s\n  status %s\n  said: %s\n  calls: %s\n' "$1" "$status" "$said" "$calls"
    fi
}

contains()
{
    case $1 in
        *"$2"*) return 0 ;;
        *) return 1 ;;
    esac
}

machine
run build
[ "$status" -eq 0 ] && [ -x "$stage/bin/gcc" ]
held=$?
expect "installs what is missing"

contains "$said" "deps: installing gcc: the compiler" && contains "$said" "deps: installing binutils: "
held=$?
expect "says in one line each what it installs and why"

[ "$(echo "$calls" | grep -c ' update')" -eq 1 ] && [ "$(echo "$calls" | grep -c ' install ')" -eq 2 ]
held=$?
expect "fetches package lists only after an install failed for want of them"

contains "$calls" "--no-install-recommends"
held=$?
expect "asks for no package that nobody needs"

! contains "$calls" "services are allowed" && [ ! -e "$stage/policy" ]
held=$?
expect "forbids services while it installs, and not longer"

rm -f "$stage/calls"
run build
[ "$status" -eq 0 ] && [ -z "$said$calls" ]
held=$?
expect "is silent and asks nobody when nothing is missing"

machine
touch "$stage/lists"
printf '#!/bin/sh\nexit 101\n' > "$stage/policy"
chmod +x "$stage/policy"
run build
[ "$status" -eq 0 ] && [ -x "$stage/policy" ] && ! contains "$calls" " update"
held=$?
expect "leaves somebody else's policy in place"

machine
touch "$stage/lists"
run test
grep -q "create_main_cluster = false" "$stage/clusters/conf" && ! contains "$calls" "a cluster is made"
held=$?
expect "wants no database made for it"

machine
touch "$stage/lists"
mkdir "$stage/clusters" && echo theirs > "$stage/clusters/conf"
run test
[ "$(cat "$stage/clusters/conf")" = theirs ]
held=$?
expect "leaves in place what somebody else says of databases"

machine
echo "echo E: the disk is full; exit 100" | stand_in apt-get
run build
[ "$status" -eq 1 ] && contains "$said" "the disk is full" && [ ! -e "$stage/policy" ]
held=$?
expect "shows why apt-get failed, and cleans up"

machine
rm "$stage/bin/apt-get"
run build
[ "$status" -eq 1 ] && contains "$said" "no Debian" && contains "$said" "install: binutils gcc"
held=$?
expect "names what is missing where there is no apt-get"

machine
user_is 1000
run build
[ "$status" -eq 1 ] && contains "$said" "only root" &&
    contains "$said" "install: binutils gcc" && [ -z "$calls" ]
held=$?
expect "names what is missing to a user who may not install"

machine
user_is 1000
echo "echo a password is required >&2; exit 1" | stand_in sudo
run build
[ "$status" -eq 1 ] && contains "$said" "only root"
held=$?
expect "does not ask for a password"

machine
user_is 1000
stand_in sudo << 'END'
[ "$1" = -n ] && shift && exec "$@"
END
run build
[ "$status" -eq 0 ] && contains "$calls" " install "
held=$?
expect "uses sudo where it needs no password"

machine
run nonsense
[ "$status" -eq 2 ] && contains "$said" "nonsense"
held=$?
expect "refuses a purpose that it does not know"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
