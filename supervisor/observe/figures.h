/*
 * supervisor/observe/figures.h - the library's own metrics, and the program's that every program has.
 *
 * Room: supervisor/observe/. Any thread.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_FIGURES_H
#define COPI_SUPERVISOR_OBSERVE_FIGURES_H

#include "supervisor/observe/text.h"

/* coppice_*: what a picture of all processes shows. -ENOMEM: there is no picture. */
int copi_figures_put(struct copi_text *text);

/* process_*: what Prometheus' own clients tell of the program, by the names that they use. What the
 * system does not tell is left out. */
void copi_program_figures_put(struct copi_text *text);

#endif
