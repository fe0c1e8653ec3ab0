/*
 * tests/fuzz/fuzz.h - what the fuzzed functions' programs share.
 *
 * Room: tests/. One thread.
 *
 * Each fuzz_NAME.c takes any bytes, hands them to what reads such bytes in earnest, and says what must hold.
 * libFuzzer drives it (make fuzz); replay.c drives it over corpus/NAME/, as a test like any other.
 */
#ifndef COPI_TESTS_FUZZ_H
#define COPI_TESTS_FUZZ_H

#include <coppice/base.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOLDS(claim)                                                                    \
 do {                                                                                   \
  if (!(claim)) {                                                                       \
   (void)dprintf(last_words, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #claim); \
   abort();                                                                             \
  }                                                                                     \
 } while (0)

/* Standard error as it was: where targets talk too much on it, it is closed. */
static int last_words;

__attribute__((constructor)) static void
keep_standard_error(void)
{
    last_words = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);
}

/* What is left of an input. */
struct input {
    const uint8_t *at;
    size_t size;
};

/* The next bytes as a number; zeros where there are none left. */
static inline uint64_t
take_number(struct input *input, size_t bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < bytes && input->size > 0; i++) {
        number |= (uint64_t)*input->at++ << (8 * i);
        input->size--;
    }
    return number;
}

/* A copy that ends where its memory ends, so that a sanitizer sees a step too far. Freed by the caller. */
static inline void *
copy_of(const void *bytes, size_t size)
{
    void *copy = malloc(size ? size : 1);
    HOLDS(copy);
    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    return copy;
}

/* The next bytes up to a line's end, which is taken, as a string of its own; a zero byte ends it for whoever
 * reads it. Freed by the caller. */
static inline char *
take_line(struct input *input)
{
    const uint8_t *end = input->size ? memchr(input->at, '\n', input->size) : NULL;
    size_t length = end ? (size_t)(end - input->at) : input->size;
    char *line = malloc(length + 1);
    HOLDS(line);
    if (length > 0) {
        memcpy(line, input->at, length);
    }
    line[length] = '\0';
    size_t taken = length + (end != NULL);
    input->at += taken;
    input->size -= taken;
    return line;
}

static inline char *
take_rest(struct input *input)
{
    char *rest = malloc(input->size + 1);
    HOLDS(rest);
    memcpy(rest, input->at, input->size);
    rest[input->size] = '\0';
    *input = (struct input){0};
    return rest;
}

/* Whether it can be shown: nothing in it moves a terminal's cursor. */
static inline bool
is_showable(const char *text)
{
    while ((unsigned char)*text >= ' ' && *text != 0x7f) {
        text++;
    }
    return *text == '\0';
}

#endif
