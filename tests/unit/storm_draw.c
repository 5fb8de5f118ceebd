/* The picture of a storm: what comes, what is let in by class, what is refused, and how devices return. */
#include <stdio.h>

#include "unit/storm.h"

#define WIDTH   960
#define LEFT    84
#define PLOT_W  650
#define PLOT_H  250
#define GAP     96
#define TOP     92
#define POINTS  240

enum series { COMES, CRITICAL, HIGH, NORMAL, LOW, REFUSED, HELD, SERIES_N };

static const struct {
	const char *name, *colour;
	unsigned int width;
} look[SERIES_N] = {
	[COMES] = { "devices that try", "#8a8f98", 2 },
	[CRITICAL] = { "let in: critical", "#c1121f", 0 },
	[HIGH] = { "let in: high", "#f4a259", 0 },
	[NORMAL] = { "let in: normal", "#5b8e7d", 0 },
	[LOW] = { "let in: low", "#8cb9d9", 0 },
	[REFUSED] = { "refused", "#3d405b", 2 },
	[HELD] = { "held back by nodes", "#9b5de5", 2 },
};

/* Attaches a second of a series between two times. */
static double value(const struct storm_result *r, enum series s, double from, double to)
{
	double sum = 0;
	size_t n = 0;

	for (size_t t = (size_t)from; t < (size_t)to + (to - from < 1) && t < STORM_SECONDS; t++, n++) {
		const struct storm_second *x = &r->second[t];

		if (s == COMES)
			sum += x->comes;
		else if (s == HELD)
			sum += x->held;
		else if (s != REFUSED)
			sum += x->served[s - CRITICAL];
		else
			for (size_t p = 0; p < PRIO_N; p++)
				sum += x->refused[p];
	}
	return n > 0 ? sum / (double)n : 0;
}

struct plot {
	FILE *f;
	const struct storm_result *r;
	double y, seconds, most; /* top of the plot; what the axes reach */
};

static double at_x(double t, const struct plot *p)
{
	return LEFT + t / p->seconds * PLOT_W;
}

static double at_y(double v, const struct plot *p)
{
	return p->y + PLOT_H - (v < p->most ? v : p->most) / p->most * PLOT_H;
}

/* The classes stand on each other, so that their sum is what is let in. */
static void area(const struct plot *p, enum series s)
{
	double step = p->seconds / POINTS;

	fprintf(p->f, "<path fill=\"%s\" d=\"", look[s].colour);
	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; i < POINTS; i++) {
			int at = pass ? POINTS - 1 - i : i;
			double from = at * step, below = 0;

			for (int k = CRITICAL; k < (int)s + !pass; k++)
				below += value(p->r, (enum series)k, from, from + step);
			fprintf(p->f, "%c%.1f,%.1f", pass || i ? 'L' : 'M', at_x(from + step / 2, p),
				at_y(below, p));
		}
	}
	fprintf(p->f, "Z\"/>\n");
}

static void line(const struct plot *p, enum series s)
{
	double step = p->seconds / POINTS;

	fprintf(p->f, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"%u\" points=\"", look[s].colour,
		look[s].width);
	for (int i = 0; i < POINTS; i++)
		fprintf(p->f, "%.1f,%.1f ", at_x(i * step + step / 2, p),
			at_y(value(p->r, s, i * step, (i + 1) * step), p));
	fprintf(p->f, "\"/>\n");
}

static void axes(const struct plot *p, const char *title)
{
	double step_y = p->most / 5, step_x = p->seconds / 6;

	fprintf(p->f, "<text x=\"%d\" y=\"%.0f\" class=\"title\">%s</text>\n", LEFT, p->y - 14,
		title);
	for (int i = 0; i <= 5; i++)
		fprintf(p->f,
			"<path class=\"grid\" d=\"M%d,%.1fh%d\"/><text class=\"end\" x=\"%d\" "
			"y=\"%.1f\">%.0f</text>\n",
			LEFT, at_y(i * step_y, p), PLOT_W, LEFT - 8, at_y(i * step_y, p) + 4,
			i * step_y);
	for (int i = 0; i <= 6; i++)
		fprintf(p->f,
			"<path class=\"axis\" d=\"M%.1f,%.1fv5\"/><text class=\"mid\" x=\"%.1f\" "
			"y=\"%.1f\">%.0f</text>\n",
			at_x(i * step_x, p), p->y + PLOT_H, at_x(i * step_x, p), p->y + PLOT_H + 20,
			i * step_x);
	fprintf(p->f, "<path class=\"axis\" d=\"M%d,%.1fv%dh%d\"/>\n", LEFT, p->y, PLOT_H, PLOT_W);
	fprintf(p->f,
		"<text class=\"mid\" x=\"%d\" y=\"%.1f\">seconds since the storm began</text>\n",
		LEFT + PLOT_W / 2, p->y + PLOT_H + 42);
	fprintf(p->f,
		"<text class=\"mid\" transform=\"translate(22,%.1f) rotate(-90)\">attaches a "
		"second</text>\n",
		p->y + PLOT_H / 2.0);
	fprintf(p->f, "<path class=\"capacity\" d=\"M%d,%.1fh%d\"/>\n", LEFT,
		at_y(STORM_ATTACHES, p), PLOT_W);
}

static void legend(const struct plot *p, bool held)
{
	double x = LEFT + PLOT_W + 24, y = p->y + 8;

	for (int s = 0; s < SERIES_N; s++) {
		if (s == HELD && !held)
			continue;
		fprintf(p->f,
			"<rect x=\"%.0f\" y=\"%.0f\" width=\"18\" height=\"%u\" fill=\"%s\"/>"
			"<text x=\"%.0f\" y=\"%.0f\">%s</text>\n",
			x, y + (look[s].width ? 5 : 0), look[s].width ? 3 : 12, look[s].colour,
			x + 26, y + 11, look[s].name);
		y += 24;
	}
	fprintf(p->f,
		"<path class=\"capacity\" d=\"M%.0f,%.0fh18\"/><text x=\"%.0f\" y=\"%.0f\">what "
		"the target carries</text>\n",
		x, y + 6, x + 26, y + 11);
}

static void plot(FILE *f, unsigned int no, const struct storm_conf *conf, double most,
		 const char *title)
{
	struct plot p = {f, storm_play(conf, NULL, NULL), TOP + no * (PLOT_H + GAP), conf->until_s,
			 most};

	axes(&p, title);
	for (enum series s = CRITICAL; s <= LOW; s++)
		area(&p, s);
	line(&p, COMES);
	line(&p, REFUSED);
	if (conf->heeding > 0)
		line(&p, HELD);
	legend(&p, conf->heeding > 0);
}

bool storm_draw(const char *path)
{
	FILE *f = fopen(path, "w");

	if (!f)
		return false;
	fprintf(
	    f,
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d "
	    "%d\">\n"
	    "<style>text{font:13px sans-serif;fill:#22252b}.title{font-weight:bold;font-size:15px}"
	    ".end{text-anchor:end}.mid{text-anchor:middle}.grid{stroke:#e3e5e9;fill:none}"
	    ".axis{stroke:#22252b;fill:none}.capacity{stroke:#22252b;stroke-dasharray:6 "
	    "4;fill:none}</style>\n"
	    "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n"
	    "<text x=\"%d\" y=\"30\" class=\"title\" style=\"font-size:18px\">A storm of ten times "
	    "what the target carries,"
	    " for 60 s, from a million devices</text>\n"
	    "<text x=\"%d\" y=\"50\">Virtual time: the product's judge, and devices that obey "
	    "T3411, T3402 and"
	    " T3346 (tests/unit/storm.c)</text>\n",
	    WIDTH, TOP + 4 * (PLOT_H + GAP) - 30, WIDTH, TOP + 4 * (PLOT_H + GAP) - 30, LEFT, LEFT);
	plot(f, 0, &(struct storm_conf){.times = 10, .until_s = 120}, 25000,
	     "No node heeds overload reports: the first two minutes");
	plot(f, 1, &(struct storm_conf){.times = 10, .until_s = 120}, 1000,
	     "The same, the lowest part of it: what is let in, by class");
	plot(f, 2, &(struct storm_conf){.times = 10, .until_s = 1320, .heeding = 1}, 1000,
	     "All nodes heed them: until everybody is served");
	plot(f, 3, &(struct storm_conf){.control = STORM_NONE, .times = 10, .until_s = 1320}, 1000,
	     "No control: the target works for devices that have given up");
	fprintf(f, "</svg>\n");
	return fclose(f) == 0;
}
