#!/usr/bin/env bash
# demos/chaos/top.sh - the lessons behind coppice-top: the tree falls and heals in this terminal, and the page
# comes when it is left.  Run by `make chaos-top`; its arguments are those of chaos.
set -u

build=${BUILD:-build}
dir=$(mktemp -d)
chaos=
trap '[ -z "$chaos" ] || kill -KILL "$chaos" 2> /dev/null; rm -rf "$dir"' EXIT

"$build/demos/chaos" --pause 1500 --patience 2000 --observer "$dir/observer" "$@" \
    > "$dir/out" 2> "$dir/log" &
chaos=$!
for _ in {1..100}; do
    [ -S "$dir/observer" ] || ! kill -0 "$chaos" 2> /dev/null || sleep 0.05
done
if [ -S "$dir/observer" ]; then
    "$build/coppice-top" "$dir/observer"
    kill -INT "$chaos" 2> /dev/null
fi
wait "$chaos"
status=$?
chaos=
cat "$dir/out"
[ -s "$dir/out" ] || cat "$dir/log" >&2
# Who leaves before the end has seen enough: that is no failure.
[ "$status" -eq 1 ] && grep -q 'and so it was' "$dir/out" && status=0
exit "$status"
