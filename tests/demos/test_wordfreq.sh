#!/usr/bin/env bash
# tests/demos/test_wordfreq.sh - counted right, and a file or a reporter that fails harms nobody.
#
# Room: tests/.  Needs BUILD.  The last line is `N passed, N failed`.
set -u
export LC_ALL=C

name=wordfreq
# shellcheck source=tests/demos/page.sh
. "${0%/*}/page.sh"

# The same by other means: every word on a line of its own, sorted, counted.
result_of() # FILE...
{
    cat "$@" | tr -cs 'A-Za-z\200-\377' '\n' | tr '[:upper:]' '[:lower:]' |
        awk 'length > 0 && length < 40' | sort | uniq -c | sort -s -k 1,1nr |
        awk 'NR <= 10 { printf "%9d  %s\n", $1, $2 }
             { total += $1 }
             END { printf "%d words, %d of them different\n", total, NR }'
}

repeat() # TIMES TEXT
{
    yes "$2" | head -n "$1" | tr -d '\n'
}

crashes_the_reporter_in_time() # FILE...
{
    demo 0 --crash-reporter "$@" && said "$(result_of "$@")" &&
        has_line 'coppice: error: .* child reporter ended: crashed_on_request .*' err &&
        [[ $(tail -n 1 "$dir/err") == "$# of $# files, "* ]]
}

# --- tests

refuses_to_count_nothing()
{
    demo 2 && demo 2 --crash-reporter && demo 2 --what README.md && has_line 'usage: wordfreq .*' err &&
        said ""
}

says_which_files_it_could_not_read()
{
    printf 'one two\0three\n' > "$dir/binary"
    echo "one two" > "$dir/text"
    demo 1 "$dir/binary" "$dir/none" "$dir" "$dir/text" "$dir/text/below" &&
        has_line "wordfreq: $dir/none: No such file or directory" err &&
        has_line "wordfreq: $dir: Is a directory" err &&
        has_line "wordfreq: $dir/text/below: Not a directory" err &&
        has_line "wordfreq: $dir/binary: Invalid or incomplete .*" err &&
        has_line "1 of 5 files, 2 words" err && said "$(result_of "$dir/text")"
}

has_no_words_of_an_empty_file()
{
    : > "$dir/empty"
    demo 0 "$dir/empty" && said "0 words, 0 of them different" && has_line "1 of 1 files, 0 words" err
}

counts_what_stands_on_one_huge_line()
{
    repeat 100000 "Ab, " > "$dir/line"
    demo 0 "$dir/line" && said $'   100000  ab\n100000 words, 1 of them different'
}

takes_a_huge_word_for_none()
{
    { repeat 2000000 x; echo " two"; repeat 39 y; echo; repeat 40 z; } > "$dir/huge"
    demo 0 "$dir/huge" && said "$(result_of "$dir/huge")" && has_line ' *1  y{39}'
}

counts_the_last_word_of_a_file_without_a_newline()
{
    printf 'so sooo' > "$dir/cut"
    demo 0 "$dir/cut" && said "$(result_of "$dir/cut")"
}

takes_bytes_beyond_ascii_for_letters()
{
    printf 'Bäume Bäume grüße \377\376\n' > "$dir/letters"
    demo 0 "$dir/letters" && said "$(result_of "$dir/letters")" && has_line ' *2  b.*ume'
}

adds_up_what_many_files_have()
{
    local files=(README.md LICENSE README.md demos/*/*.c)
    demo 0 "${files[@]}" && said "$(result_of "${files[@]}")" &&
        [[ $(tail -n 1 "$dir/err") == "${#files[@]} of ${#files[@]} files, "* ]]
}

loses_nothing_with_a_reporter_that_crashes()
{
    demo 0 --crash-reporter README.md && said "$(result_of README.md)" &&
        grep -q '^coppice: error: .* child reporter .*: crashed_on_request ' "$dir/err"
}

brings_back_a_reporter_that_crashes()
{
    # When it is crashed after the last file, the tree may be stopped before there is another one.
    eventually crashes_the_reporter_in_time README.md LICENSE tests/demos/*
}

writes_over_its_line_in_a_terminal()
{
    script -qec true /dev/null > /dev/null 2>&1 || return 0 # no such tool, or no terminal to be had
    local status
    script -qec "$demo_program README.md $dir/none" /dev/null > "$dir/out" 2> "$dir/err"
    status=$?
    [ "$status" -eq 1 ] && grep -qF $'\r\e[Kwordfreq: ' "$dir/out" &&
        grep -q $'\r1 of 2 files, [0-9]* words\r$' "$dir/out"
}

run_tests
