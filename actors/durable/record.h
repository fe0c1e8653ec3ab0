/*
 * actors/durable/record.h - a durable promise as it is stored, copied.
 *
 * Room: actors/durable/. Any thread.
 */
#ifndef COPI_ACTORS_DURABLE_RECORD_H
#define COPI_ACTORS_DURABLE_RECORD_H

#include <coppice/store.h>

/* A copy in one block, with all that it points to, to be freed as one; strings that were NULL are empty.
 * NULL: out of memory. */
cop_durable_record *copi_record_copy(const cop_durable_record *record);

/* Whether a store can have written it: what is in a database may be damaged, or somebody else's. */
bool copi_record_is_sound(const cop_durable_record *record);

/* What an overdue one is: rejected by its deadline. Others stay as they are. */
void copi_record_expire(cop_durable_record *record);

/* A rejection as the reason of a future. */
cop_reason copi_record_reason(const cop_durable_record *record);

#endif
