/*
 * demos/pipeline/chart.h - curves over time, as a picture.
 *
 * Room: demos/.
 */
#ifndef DEMOS_PIPELINE_CHART_H
#define DEMOS_PIPELINE_CHART_H

#include <stddef.h>

enum {
    CHART_POINTS = 2000
};

struct curve {
    const char *name;
    size_t count;
    double x[CHART_POINTS], y[CHART_POINTS];
};

struct chart {
    const char *title, *subtitle, *x_label, *y_label;
    const struct curve *curves; /* at most two */
    size_t count;
};

double curve_highest(const struct curve *curve);

/* Write it as SVG, for light and for dark surroundings. 0, or a negative errno value. */
int chart_write(const struct chart *chart, const char *path);

#endif
