/*
 * runtime/dictionary.h - the process dictionary.
 *
 * Room: runtime/. The owner thread only.
 */
#ifndef COPI_RUNTIME_DICTIONARY_H
#define COPI_RUNTIME_DICTIONARY_H

#include <coppice/dictionary.h>

struct copi_process;

/* The process ends: drop what is in it, last put first. */
void copi_dictionary_end(struct copi_process *self);

#endif
