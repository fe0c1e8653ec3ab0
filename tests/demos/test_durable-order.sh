#!/usr/bin/env bash
# tests/demos/test_durable-order.sh - the order that is killed is carried out, once.
#
# Room: tests/.  Needs BUILD.  The last line is `N passed, N failed`.
set -u

name=durable-order
# shellcheck source=tests/demos/page.sh
. "${0%/*}/page.sh"

# --- tests

an_order_is_killed_three_times_and_each_step_is_done_once()
{
    demo 0 && said 'run 1
  order-17, 3 apples
  reserve: is done
  killed after reserve
run 2
  order-17, 3 apples
  reserve: found on the disk
  killed within charge
run 3
  order-17, 3 apples
  reserve: found on the disk
  charge: had been done
  killed before ship
run 4
  order-17, 3 apples
  reserve: found on the disk
  charge: found on the disk
  ship: is done
how often it was done: reserve: 1, charge: 1, ship: 1'
}

it_leaves_nothing_behind()
{
    export TMPDIR=$dir/tmp
    mkdir "$TMPDIR"
    demo 0 && [ -z "$(ls -A "$TMPDIR")" ]
}

run_tests
