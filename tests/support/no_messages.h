/*
 * tests/support/no_messages.h - messages of the library's own, as if there were no memory for any.
 *
 * Room: tests/. Included once.
 */
#ifndef COPI_TESTS_NO_MESSAGES_H
#define COPI_TESTS_NO_MESSAGES_H

#include "runtime/message.h"
#include "tests/support/wrap.h"

#include <stdatomic.h>
#include <stdbool.h>

static atomic_bool has_no_messages;

struct copi_message *real_message(enum copi_kind kind, uint32_t tag, size_t size)
    REAL(copi_message_new);
struct copi_message *fail_message(enum copi_kind kind, uint32_t tag, size_t size)
    WRAP(copi_message_new);
struct copi_message *
fail_message(enum copi_kind kind, uint32_t tag, size_t size)
{
    return has_no_messages ? NULL : real_message(kind, tag, size);
}

#endif
