/*
 * tests/support/record.h - what happens, a word after the other, whoever says it.
 *
 * Room: tests/.
 */
#ifndef COPI_TESTS_RECORD_H
#define COPI_TESTS_RECORD_H

#include <coppice/base.h>

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static struct {
    pthread_mutex_t lock;
    char text[4096];
} record = {.lock = PTHREAD_MUTEX_INITIALIZER};

static inline void COP_PRINTF(1, 2) note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&record.lock);
    size_t used = strlen(record.text);
    if (used > 0 && used < sizeof record.text - 1) {
        record.text[used++] = ' ';
    }
    (void)vsnprintf(record.text + used, sizeof record.text - used, format, arguments);
    pthread_mutex_unlock(&record.lock);
    va_end(arguments);
}

static inline bool
has_happened(const char *what)
{
    pthread_mutex_lock(&record.lock);
    bool has = strstr(record.text, what) != NULL;
    pthread_mutex_unlock(&record.lock);
    return has;
}

#endif
