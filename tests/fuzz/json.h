/*
 * tests/fuzz/json.h - whether a text is JSON.
 *
 * Room: tests/.
 */
#ifndef COPI_TESTS_FUZZ_JSON_H
#define COPI_TESTS_FUZZ_JSON_H

#include <stdbool.h>
#include <stddef.h>

/* One value and nothing behind it, by RFC 8259, in UTF-8. */
bool is_json(const char *text, size_t size);

#endif
