/*
 * tests/conformance/reason.c - reasons as the language writes them.
 *
 * Room: tests/. Any thread.
 *
 * `normal` and `shutdown` are kinds of their own; a pair that begins with `shutdown` is a SHUTDOWN that
 * says more; `kill` is a word like any other, unless it is sent.
 */
#include "tests/conformance/reason.h"

#include "tests/conformance/text.h"

/* Whether it is {shutdown,Term}: two elements, no more. */
static bool
is_shutdown_pair(const char *text)
{
    static const char begin[] = "{shutdown,";
    if (strncmp(text, begin, sizeof begin - 1) != 0) {
        return false;
    }
    unsigned depth = 0;
    for (text += sizeof begin - 1; *text; text++) {
        if (*text == ',' && depth == 0) {
            return false;
        }
        depth += *text == '{';
        depth -= *text == '}' && depth > 0;
    }
    return true;
}

cop_reason
reason_of(const char *text)
{
    if (same(text, "normal")) {
        return COP_REASON_NORMAL;
    }
    if (same(text, "shutdown")) {
        return COP_REASON_SHUTDOWN;
    }
    cop_reason reason = cop_failed(-EIO, "%s", text);
    if (is_shutdown_pair(text)) {
        reason.kind = COP_SHUTDOWN;
    }
    return reason;
}

const char *
reason_text(cop_reason reason, char out[REASON_SIZE])
{
    return cop_reason_string(reason, out, REASON_SIZE);
}
