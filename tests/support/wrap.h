/*
 * tests/support/wrap.h - functions of a test's own in the place of others.
 *
 * Room: tests/.
 *
 * For programs that are linked with --wrap=name for each name that stands in their WRAP(name): the
 * Makefile reads it there. Then calls of `name` from other objects reach the function declared with
 * WRAP(name), and the one declared with REAL(name) is the original.
 */
#ifndef COPI_TESTS_WRAP_H
#define COPI_TESTS_WRAP_H

/* By their names for the linker: in C they are nobody's to use. */
#define WRAP(name) __asm__("__wrap_" #name)
#define REAL(name) __asm__("__real_" #name)

#endif
