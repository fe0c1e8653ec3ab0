#!/usr/bin/env bash
# tests/demos/test_pipeline.sh - the source is slowed down by a bound, and the picture shows both forms.
#
# Room: tests/.  Needs BUILD.  The last line is `N passed, N failed`.
set -u

name=pipeline
# shellcheck source=tests/demos/page.sh
. "${0%/*}/page.sh"

picture=$dir/pipeline.svg

# --- tests

a_time_that_is_none_is_refused()
{
    demo 2 "$picture" nonsense && demo 2 "$picture" 0 && demo 2 "$picture" 1000 &&
        demo 2 "$picture" 1 more && [ ! -e "$picture" ]
}

a_picture_that_cannot_be_written_is_an_error()
{
    demo 1 "$dir/none/pipeline.svg" 0.01 && said "pipeline: no such name, id or file" err
}

both_forms_store_pages()
{
    demo 0 "$picture" 0.5 && has_line 'bounded +[1-9][0-9]* pages/s stored, .*' &&
        has_line 'unbounded +[1-9][0-9]* pages/s stored, .*' && has_line "$picture"
}

# What was asked for and not stored is at most what queues and stages hold.
the_bound_slows_the_source_down()
{
    awk '$1 == "bounded" { exit !($5 - $2 * 0.5 <= 60) }' "$dir/out"
}

the_picture_has_two_curves()
{
    [ "$(grep -c '<polyline' "$picture")" -eq 2 ] && grep -q '>bounded</text>' "$picture" &&
        grep -q '>unbounded</text>' "$picture" && ! grep -qE 'nan|inf' "$picture"
}

the_picture_is_well_formed()
{
    [ "$(tail -n 1 "$picture")" = "</svg>" ] || return 1
    ! command -v xmllint || xmllint --noout "$picture"
}

run_tests
