/*
 * actors/durable/check.h - whether an operation is one.
 *
 * Room: actors/durable/. Any thread.
 */
#ifndef COPI_ACTORS_DURABLE_CHECK_H
#define COPI_ACTORS_DURABLE_CHECK_H

#include <coppice/store.h>

/* 0; -EINVAL or -EMSGSIZE, and *what is what is wrong with it. */
int copi_store_check(const cop_store_op *op, const char **what);

#endif
