/*
 * tests/fuzz/back.h - a way back from what ends its program at an input that it refuses.
 *
 * Room: tests/. One thread; included once.
 *
 *     is_reading = true;
 *     if (setjmp(back) == 0) {
 *         ...                      whatever exit() is called in, it comes back here
 *     }
 *     is_reading = false;
 */
#ifndef COPI_TESTS_BACK_H
#define COPI_TESTS_BACK_H

#include "tests/support/wrap.h"

#include <setjmp.h>
#include <stdbool.h>

static jmp_buf back;
static bool is_reading;

__attribute__((noreturn)) void exit_really(int status) REAL(exit);
__attribute__((noreturn)) void exit_here(int status) WRAP(exit);
void
exit_here(int status)
{
    if (is_reading) {
        longjmp(back, 1);
    }
    exit_really(status);
}

#endif
