#!/bin/sh
# tests/packaging/test_reference.sh - .ci/reference sees what a contract leaves out, and makes pages of the rest.
set -u

# shellcheck source=tests/support/check.sh
. tests/support/check.sh

reference=$PWD/.ci/reference

if ! command -v python3 > /dev/null; then
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi

# complains WORDS: about the header on standard input, which stands alone below include/coppice.
complains()
{
    rm -rf "$stage/include" && mkdir -p "$stage/include/coppice" && touch "$stage/include/coppice.h"
    cat > "$stage/include/coppice/x.h"
    said=$(cd "$stage" && "$reference" check)
    echo "said: $said"
    case $said in
        *"$1"*) return 0 ;;
        *) return 1 ;;
    esac
}

is_content_with_our_own_headers()
{
    "$reference" check
}

misses_a_contract()
{
    complains "cop_x has no contract" << 'END'
/* x.h - a header. */

COP_API void cop_x(int a);
END
}

misses_what_a_contract_has_to_say()
{
    for missing in "which threads may call it" "whether it blocks" "whether it is an exit point" "how it fails"; do
        complains "cop_x does not say $missing" << 'END' || return
/* x.h - a header. */

/* Do something. */
COP_API int cop_x(int a);
END
    done
}

takes_what_the_opening_says_for_all()
{
    ! complains cop_x << 'END'
/*
 * x.h - a header.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */

/* Do something. -EINVAL: a is 0. */
COP_API int cop_x(int a);
END
}

takes_what_is_said_of_the_function_it_refers_to()
{
    ! complains cop_ << 'END'
/* x.h - a header. */

/*
 * Do something.
 *
 * -EINVAL   a is 0
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_x(int a);

/* Do more. Errors as cop_x. */
COP_API int cop_y(int b);
END
}

knows_parameters_errors_and_names()
{
    complains "b is described" << 'END' && complains "-ENOSUCH is no error" << 'END2' && complains "cop_z is not declared" << 'END3'
/* x.h - a header. */

/*
 * Do something.
 *
 *   b   a number
 */
COP_API void cop_x(int a);
END
/* x.h - a header. */

/* Do something. -ENOSUCH: no such thing. */
COP_API int cop_x(int a);
END2
/* x.h - a header. */

/* Do something. As cop_z. */
COP_API int cop_x(int a);
END3
}

makes_a_page_for_each_function_and_macro()
{
    "$reference" man "$stage/man" 1 &&
        for name in $("$reference" names) cop_spawn cop_async cop_log; do
            [ -s "$stage/man/man3/$name.3" ] || { echo "no page for $name"; return 1; }
        done
}

makes_pages_that_can_be_read()
{
    command -v man > /dev/null && command -v groff > /dev/null || return 0
    warnings=$(cd "$stage/man" && groff -Kutf8 -man -Tutf8 -ww -W break -z man3/*.3 man7/*.7 2>&1 | head)
    [ -z "$warnings" ] || { echo "$warnings"; return 1; }
    page=$(MANWIDTH=100 man -M "$stage/man" 3 cop_call | col -b) || return
    for words in "Ask a server and wait for its answer" "int cop_call(cop_pid server" "-EDEADLK" "Exit point: yes"; do
        echo "$page" | grep -qF -- "$words" || { echo "no <$words> in: $page"; return 1; }
    done
}

check "is content with our own headers" is_content_with_our_own_headers
check "misses a contract" misses_a_contract
check "misses what a contract has to say" misses_what_a_contract_has_to_say
check "takes what the opening says for all" takes_what_the_opening_says_for_all
check "takes what is said of the function it refers to" takes_what_is_said_of_the_function_it_refers_to
check "knows parameters, errors and names" knows_parameters_errors_and_names
check "makes a page for each function and macro" makes_a_page_for_each_function_and_macro
check "makes pages that can be read" makes_pages_that_can_be_read

summary
