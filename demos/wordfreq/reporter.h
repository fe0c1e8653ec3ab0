/*
 * demos/wordfreq/reporter.h - says every now and then how far it is: a genserver.
 *
 * Room: demos/. Its argument, a size_t, is how many files there are.
 */
#ifndef WORDFREQ_REPORTER_H
#define WORDFREQ_REPORTER_H

#include <coppice.h>

extern const cop_genserver reporter;

/* Say why a file has failed, from any thread, above the line of the reporter. */
void report_failure(const char *file, int error);

#endif
