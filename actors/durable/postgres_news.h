/*
 * actors/durable/postgres_news.h - what a batch has changed that others may wait for.
 *
 * Room: actors/durable/, libcoppice-postgres. Arithmetic and memory only.
 *
 * News are hints: what is lost for want of memory, or garbled on the way, is found by the poll.
 */
#ifndef COPI_ACTORS_DURABLE_POSTGRES_NEWS_H
#define COPI_ACTORS_DURABLE_POSTGRES_NEWS_H

#include <coppice.h>

/* Netstrings, one behind the other: "8:order-17,". */
struct copi_postgres_news {
    char *text; /* malloc's; terminated */
    size_t size, room;
};

void copi_postgres_news_add(struct copi_postgres_news *news, const char *word);
void copi_postgres_news_free(struct copi_postgres_news *news);

/* The next word, and `*text` behind it; false: there is none, and *text is at the terminator, or at rubbish. A
 * word is written terminated; one that does not fit is rubbish. */
bool copi_postgres_news_next(const char **text, char *word, size_t size);

/* The 16 channels that ids are spread over, by their bytes; the same in every process. */
enum {
    COPI_POSTGRES_CHANNELS = 16,
};
unsigned copi_postgres_channel(const char *id);

#endif
