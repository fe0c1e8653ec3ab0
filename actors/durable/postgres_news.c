/*
 * actors/durable/postgres_news.c - what a batch has changed that others may wait for.
 *
 * Room: actors/durable/, libcoppice-postgres. Arithmetic and memory only.
 */
#include "actors/durable/postgres_news.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    LENGTH_MOST = 24, /* of a number, a colon and a comma */
    ROOM_AT_FIRST = 1024,
};

void
copi_postgres_news_add(struct copi_postgres_news *news, const char *word)
{
    size_t needed = strlen(word) + LENGTH_MOST;
    if (news->room - news->size < needed) {
        size_t room = 2 * (news->size + needed) + ROOM_AT_FIRST;
        char *bigger = realloc(news->text, room);
        if (!bigger) {
            return;
        }
        news->text = bigger;
        news->room = room;
    }
    news->size += (size_t)snprintf(news->text + news->size, needed, "%zu:%s,", strlen(word), word);
}

void
copi_postgres_news_free(struct copi_postgres_news *news)
{
    free(news->text);
    *news = (struct copi_postgres_news){0};
}

bool
copi_postgres_news_next(const char **text, char *word, size_t size)
{
    const char *at = *text;
    size_t length = 0;
    while (*at >= '0' && *at <= '9' && length < size) {
        length = 10 * length + (size_t)(*at++ - '0');
    }
    if (at == *text || *at != ':' || length >= size || strnlen(at + 1, length) < length
        || at[1 + length] != ',') {
        return false;
    }
    memcpy(word, at + 1, length);
    word[length] = 0;
    *text = at + 1 + length + 1;
    return true;
}

/* Fowler, Noll and Vo's hash, which is short, and spreads short words well. */
unsigned
copi_postgres_channel(const char *id)
{
    uint32_t hash = 2166136261U;
    for (const char *at = id; *at; at++) {
        hash = (hash ^ (unsigned char)*at) * 16777619U;
    }
    return (hash ^ hash >> 16) % COPI_POSTGRES_CHANNELS;
}
