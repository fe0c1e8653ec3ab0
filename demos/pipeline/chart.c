/*
 * demos/pipeline/chart.c - curves over time, as a picture.
 *
 * Room: demos/.
 */
#include "demos/pipeline/chart.h"

#include <errno.h>
#include <stdio.h>

enum {
    WIDTH = 840,
    HEIGHT = 480,
    LEFT = 72,
    RIGHT = 132, /* for the curves' names */
    TOP = 104,
    BOTTOM = 56,
};

/* What one unit is on paper. */
struct scale {
    double x_max, y_max, x_step, y_step;
};

/* The steps of an axis: 1, 2 or 5 times a power of ten, so that there are four to ten of them. */
static double
step_for(double highest)
{
    double step = 1;
    while (step * 10 < highest) {
        step *= 10;
    }
    while (step > highest) {
        step /= 10;
    }
    const double steps = highest / step;
    return steps <= 2 ? step / 5 : steps <= 5 ? step / 2 : step;
}

static double
round_up(double value, double step)
{
    double up = step;
    while (up < value) {
        up += step;
    }
    return up;
}

double
curve_highest(const struct curve *curve)
{
    double highest = 0;
    for (size_t i = 0; i < curve->count; i++) {
        highest = curve->y[i] > highest ? curve->y[i] : highest;
    }
    return highest;
}

static struct scale
scale_for(const struct chart *chart)
{
    double x = 0.1, y = 1;
    for (size_t i = 0; i < chart->count; i++) {
        const struct curve *curve = &chart->curves[i];
        double high = curve_highest(curve), last = curve->count ? curve->x[curve->count - 1] : 0;
        x = last > x ? last : x;
        y = high > y ? high : y;
    }
    struct scale scale = {.x_max = x, .x_step = step_for(x), .y_step = step_for(y)};
    scale.y_max = round_up(y, scale.y_step);
    return scale;
}

static double
at_x(const struct scale *scale, double x)
{
    return LEFT + x / scale->x_max * (WIDTH - LEFT - RIGHT);
}

static double
at_y(const struct scale *scale, double y)
{
    return HEIGHT - BOTTOM - y / scale->y_max * (HEIGHT - TOP - BOTTOM);
}

static void
write_head(FILE *out, const struct chart *chart)
{
    (void)fprintf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\">\n"
        "<title>%s</title>\n"
        "<style>\n"
        "text { font: 13px system-ui, sans-serif; fill: #57606a }\n"
        ".title { font-size: 18px; font-weight: 600; fill: #1f2328 }\n"
        ".paper { fill: #ffffff }\n"
        ".grid { stroke: #d8dee4 } .axis { stroke: #8c959f }\n"
        ".curve { fill: none; stroke-width: 2.5; stroke-linejoin: round }\n"
        ".c0 { stroke: #0969da } .c1 { stroke: #bc4c00 }\n"
        ".n0 { fill: #0969da; font-weight: 600 } .n1 { fill: #bc4c00; font-weight: 600 }\n"
        "@media (prefers-color-scheme: dark) {\n"
        "text { fill: #9198a1 } .title { fill: #f0f6fc }\n"
        ".paper { fill: #0d1117 } .grid { stroke: #30363d } .axis { stroke: #656c76 }\n"
        ".c0 { stroke: #58a6ff } .c1 { stroke: #f0883e }\n"
        ".n0 { fill: #58a6ff } .n1 { fill: #f0883e }\n"
        "}\n"
        "</style>\n"
        "<rect class=\"paper\" width=\"%d\" height=\"%d\" rx=\"8\"/>\n"
        "<text class=\"title\" x=\"%d\" y=\"34\">%s</text>\n"
        "<text x=\"%d\" y=\"56\">%s</text>\n",
        WIDTH, HEIGHT, chart->title, WIDTH, HEIGHT, LEFT, chart->title, LEFT, chart->subtitle);
}

static void
write_axes(FILE *out, const struct chart *chart, const struct scale *scale)
{
    int bottom = HEIGHT - BOTTOM, right = WIDTH - RIGHT;
    for (int i = 0; i * scale->y_step <= scale->y_max * 1.001; i++) {
        double value = i * scale->y_step, y = at_y(scale, value);
        (void)fprintf(out,
                      "<path class=\"%s\" d=\"M%d %.1fH%d\"/>"
                      "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
                      i == 0 ? "axis" : "grid", LEFT, y, right, LEFT - 8, y + 4, value);
    }
    for (int i = 0; i * scale->x_step <= scale->x_max * 1.001; i++) {
        double value = i * scale->x_step, x = at_x(scale, value);
        (void)fprintf(out,
                      "<path class=\"axis\" d=\"M%.1f %dv5\"/>"
                      "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n",
                      x, bottom, x, bottom + 20, value);
    }
    (void)fprintf(out,
                  "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n"
                  "<text x=\"%d\" y=\"%d\">%s</text>\n",
                  right, bottom + 42, chart->x_label, LEFT, TOP - 14, chart->y_label);
}

static void
write_curve(FILE *out, const struct curve *curve, const struct scale *scale, size_t number)
{
    (void)fprintf(out, "<polyline class=\"curve c%zu\" points=\"", number);
    for (size_t i = 0; i < curve->count; i++) {
        (void)fprintf(out, "%.1f,%.1f ", at_x(scale, curve->x[i]), at_y(scale, curve->y[i]));
    }
    double last = curve->count ? curve->y[curve->count - 1] : 0;
    (void)fprintf(out, "\"/>\n<text class=\"n%zu\" x=\"%d\" y=\"%.1f\">%s</text>\n", number,
                  WIDTH - RIGHT + 10, at_y(scale, last) + 4, curve->name);
}

int
chart_write(const struct chart *chart, const char *path)
{
    const struct scale scale = scale_for(chart);
    FILE *out = fopen(path, "we");
    if (!out) {
        return -errno;
    }
    write_head(out, chart);
    write_axes(out, chart, &scale);
    for (size_t i = 0; i < chart->count; i++) {
        write_curve(out, &chart->curves[i], &scale, i);
    }
    (void)fprintf(out, "</svg>\n");
    int r = ferror(out) ? -EIO : 0;
    return fclose(out) == 0 ? r : -errno;
}
