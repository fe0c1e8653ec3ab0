/*
 * demos/stampede/asker.h - one of the programs that all want the same.
 *
 * Room: demos/.
 */
#ifndef DEMOS_STAMPEDE_ASKER_H
#define DEMOS_STAMPEDE_ASKER_H

/* Ask for a report over the Redis at that address. Says "computing" if it is this one that computes, and "got …"
 * or "failed …" at the end, a line each. The exit status. */
int ask(const char *address, const char *report);

#endif
