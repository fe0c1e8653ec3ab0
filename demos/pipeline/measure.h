/*
 * demos/pipeline/measure.h - how a program's memory grows while it is asked for work.
 *
 * Room: demos/.
 */
#ifndef DEMOS_PIPELINE_MEASURE_H
#define DEMOS_PIPELINE_MEASURE_H

#include "demos/pipeline/chart.h"

#include <coppice.h>

/* What the program has now is nothing. */
void measure_begin(void);

/*
 * Ask one(number) for work for so long, with a pause after each, however long it takes; and note what memory
 * the program has meanwhile. How often it was asked, or a negative code.
 */
int64_t measure(struct curve *curve, int (*one)(uint64_t number), cop_time pause,
                cop_time duration);

#endif
