/*
 * runtime/tag.c - what tags are called.
 *
 * Room: runtime/. Any thread.
 *
 * A tag is a number that means something to one application. A program may say what: then reports and the
 * flight recorder do, too. Names are given once, at the start, and looked up when something is told, so a
 * list that only grows is enough: who reads sees so many names as the count says, and each is complete.
 */
#include "runtime/tag.h"

#include "runtime/process.h"
#include "runtime/recorder.h"

#include <coppice/recorder.h>

#include <errno.h>

static struct {
    copi_lock lock; /* to add one */
    copi_atomic32 count;
    /* below the count: constant */
    struct {
        uint32_t tag;
        char name[COPI_TAG_NAME_SIZE];
    } names[COPI_TAG_NAMES];
} tags = {.lock = COPI_LOCK_INIT};

const char *
copi_tag_name_at(unsigned number, uint32_t *tag)
{
    if (number >= copi_load_acquire_32(&tags.count)) { /* pairs with add_locked */
        return NULL;
    }
    *tag = tags.names[number].tag;
    return tags.names[number].name;
}

const char *
copi_tag_name(uint32_t tag)
{
    uint32_t count = copi_load_acquire_32(&tags.count); /* pairs with add_locked */
    for (uint32_t i = 0; i < count; i++) {
        if (tags.names[i].tag == tag) {
            return tags.names[i].name;
        }
    }
    return NULL;
}

static int
add_locked(uint32_t tag, const char *name)
{
    const char *known = copi_tag_name(tag);
    if (known) {
        return strcmp(known, name) == 0 ? 0 : -EEXIST;
    }
    uint32_t count = copi_load_relaxed_32(&tags.count);
    if (count == COPI_TAG_NAMES) {
        return -ENOSPC;
    }
    tags.names[count].tag = tag;
    memcpy(tags.names[count].name, name, strlen(name) + 1);
    copi_store_release_32(&tags.count, count + 1); /* pairs with who looks */
    copi_recorder_tag(count, tag, name);
    return 0;
}

int
cop_tag_name(uint32_t tag, const char *name)
{
    size_t length = name ? strnlen(name, COPI_TAG_NAME_SIZE) : 0;
    if (length == 0 || length == COPI_TAG_NAME_SIZE || tag >= COP_MSG_RESERVED) {
        return copi_fail(-EINVAL);
    }
    copi_lock_take(&tags.lock);
    int r = add_locked(tag, name);
    copi_lock_give(&tags.lock);
    return r ? copi_fail(r) : 0;
}
