/*
 * runtime/tag.h - what tags are called.
 *
 * Room: runtime/. Knows nobody. Any thread.
 */
#ifndef COPI_RUNTIME_TAG_H
#define COPI_RUNTIME_TAG_H

#include <stdint.h>

enum {
    COPI_TAG_NAME_SIZE = 24, /* with its terminator */
    COPI_TAG_NAMES = 256,
};

/* The application's name of it; NULL: none. There for good. */
const char *copi_tag_name(uint32_t tag);

/* All of them, one after the other, in the order of their naming: the `number`-th, or NULL. */
const char *copi_tag_name_at(unsigned number, uint32_t *tag);

#endif
