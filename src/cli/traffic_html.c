/* The traffic of a capture as a page: inline SVG, no script, nothing fetched. */
#include "cli/traffic.h"

#include <stdlib.h>
#include <time.h>

#define LISTED 4096
#define W 960
#define H 120

/* Text of a capture may be anybody's. */
static void put_text(FILE *f, const char *text)
{
	for (; *text; text++) {
		if (*text == '<')
			fputs("&lt;", f);
		else if (*text == '>')
			fputs("&gt;", f);
		else if (*text == '&')
			fputs("&amp;", f);
		else if (*text == '"')
			fputs("&quot;", f);
		else if ((unsigned char)*text >= 0x20)
			fputc(*text, f);
	}
}

static void head(FILE *f, const char *capture)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
	      "'unsafe-inline'\">"
	      "<title>Merlon: ",
	      f);
	put_text(f, capture);
	fputs("</title><style>body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem "
	      "auto;padding:0 1rem;"
	      "color:#1b1f24;background:#fff}h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem;"
	      "border-bottom:1px solid #d8dee4}table{border-collapse:collapse;width:100%;font-size:.9rem}"
	      "td,th{text-align:left;padding:.25rem .6rem .25rem 0;border-bottom:1px solid #eaeef2;"
	      "vertical-align:top}td.n{text-align:right;font-variant-numeric:tabular-nums}svg{width:100%;"
	      "height:auto}"
	      ".q{color:#57606a}.bad{color:#b42318}code{font-size:.85rem;word-break:break-all}</style></"
	      "head><body>\n"
	      "<h1>",
	      f);
	put_text(f, capture);
	fputs("</h1>\n", f);
}

static void when(uint64_t us, char text[32])
{
	time_t s = (time_t)(us / 1000000);
	struct tm tm;

	text[0] = 0;
	if (gmtime_r(&s, &tm))
		strftime(text, 32, "%Y-%m-%d %H:%M:%S", &tm);
}

static const struct {
	const char *name, *colour;
} looks[SERIES_N] = {{"packets", "#4b7bec"},	{"bytes", "#3aa17e"},	{"new sessions", "#8854d0"},
		     {"signalling", "#778ca3"}, {"refused", "#d64545"}, {"leaks", "#e67e22"},
		     {"threats", "#b42318"}};

/* A bar for each span; its number is its title. */
static void plot(FILE *f, const struct spans *s, enum series k)
{
	double most = 0, sum = 0;
	char from[32], to[32];

	for (size_t i = 0; i < s->n; i++) {
		most = s->v[k][i] > most ? s->v[k][i] : most;
		sum += s->v[k][i];
	}
	if (sum <= 0)
		return;
	when(s->first_us, from);
	when(s->first_us + s->n * s->width_us, to);
	fprintf(f, "<h3>%s</h3>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s over time\">",
		looks[k].name, W, H + 22, looks[k].name);
	fprintf(f, "<line x1=\"0\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"#d8dee4\"/>", H, W, H);
	for (size_t i = 0; i < s->n; i++) {
		double h = s->v[k][i] / most * (H - 6), w = (double)W / (double)s->n;

		if (s->v[k][i] > 0)
			fprintf(f,
				"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\">"
				"<title>%.0f in %.2f s</title></rect>",
				(double)i * w, H - h, w > 2 ? w - 1 : w, h, looks[k].colour, s->v[k][i],
				(double)s->width_us / 1e6);
	}
	fprintf(f,
		"<text x=\"0\" y=\"%d\" font-size=\"12\" fill=\"#57606a\">%s</text>"
		"<text x=\"%d\" y=\"%d\" font-size=\"12\" fill=\"#57606a\" text-anchor=\"end\">%s UTC; "
		"highest %.0f, in all %.0f</text></svg>\n",
		H + 16, from, W, H + 16, to, most, sum);
}

static void bar(FILE *f, const char *name, double n, double most, const char *colour)
{
	fputs("<tr><td style=\"width:16rem\">", f);
	put_text(f, name);
	fprintf(f,
		"</td><td class=\"n\" style=\"width:6rem\">%.0f</td><td><svg viewBox=\"0 0 400 12\" "
		"preserveAspectRatio=\"none\" style=\"height:12px\"><rect width=\"%.1f\" height=\"12\" "
		"fill=\"%s\"/></svg></td></tr>\n",
		n, most > 0 ? 400 * n / most : 0, colour);
}

static void by_rule(FILE *f, const struct finding **all, size_t n, bool leaks)
{
	double count[FINDING_RULES] = {0}, most = 0;

	for (size_t i = 0; i < n; i++)
		count[all[i]->rule] += (double)all[i]->count;
	for (unsigned int r = 0; r < FINDING_RULES; r++)
		most = rule_is_leak(r) == leaks && count[r] > most ? count[r] : most;
	if (most <= 0) {
		fputs("<p class=\"q\">none found</p>\n", f);
		return;
	}
	fputs("<table>\n", f);
	for (unsigned int r = 0; r < FINDING_RULES; r++) {
		if (rule_is_leak(r) == leaks && count[r] > 0)
			bar(f, rule_name(r), count[r], most, leaks ? "#e67e22" : "#b42318");
	}
	fputs("</table>\n<table><tr><th>count</th><th>what</th><th>who</th><th>evidence</th><th>answer</"
	      "th></tr>\n",
	      f);
	for (size_t i = 0, shown = 0; i < n && shown < 200; i++) {
		char who[TRAFFIC_WHO];

		if (rule_is_leak(all[i]->rule) != leaks)
			continue;
		shown++;
		traffic_who(all[i], who);
		fprintf(f,
			"<tr><td class=\"n\">%llu</td><td>%s<br><span class=\"q\">%s</span></td><td><code>",
			(unsigned long long)all[i]->count, rule_name(all[i]->rule),
			leaks ? scan_forms[all[i]->form].help : rule_help(all[i]->rule));
		put_text(f, who);
		fputs("</code></td><td><code>", f);
		put_text(f, all[i]->evidence);
		fprintf(f, "</code></td><td>%s</td></tr>\n", traffic_answer(all[i]));
	}
	fputs("</table>\n", f);
}

static void findings(struct traffic *t, FILE *f)
{
	const struct finding **all = calloc(LISTED, sizeof *all);
	size_t n = all ? findings_list(content_findings(t->content), all, LISTED) : 0;

	fputs("<h2>Threats</h2>\n", f);
	by_rule(f, all, n, false);
	fputs("<h2>Leaks</h2>\n", f);
	by_rule(f, all, n, true);
	free(all);
}

static void protocols(struct traffic *t, FILE *f)
{
	const struct flows_counts *n = flows_counts(content_flows(t->content));
	double most = 0;
	char name[64];

	fputs("<h2>Protocols</h2>\n<table>\n", f);
	for (size_t i = 0; i < 512; i++)
		most = (double)n->by_protocol[i] > most ? (double)n->by_protocol[i] : most;
	for (uint16_t i = 0; i < 512; i++) {
		if (n->by_protocol[i])
			bar(f, flows_protocol(content_flows(t->content), 0, i, name),
			    (double)n->by_protocol[i], most, "#4b7bec");
	}
	fputs("</table>\n", f);
	fputs("<p class=\"q\">Risks, by nDPI: ", f);
	for (unsigned int i = 0, first = 1; i < 64; i++) {
		if (!n->by_risk[i])
			continue;
		fprintf(f, "%s%s: %llu", first ? "" : "; ", flows_risk(i),
			(unsigned long long)n->by_risk[i]);
		first = 0;
	}
	fputs(".</p>\n", f);
}

static void signalling(struct traffic *t, FILE *f)
{
	const struct gtpc_counts *n = gtpc_counts(t->gtpc);
	double most = 0;
	char name[96];

	if (n->messages == 0)
		return;
	fputs("<h2>Sessions and signalling</h2>\n", f);
	fprintf(f,
		"<p>%llu messages of GTP-C: %llu sessions opened, %llu closed, %llu nodes started again, "
		"%llu malformed, %llu repeated.</p>\n<table>\n",
		(unsigned long long)n->messages, (unsigned long long)n->opened,
		(unsigned long long)n->closed, (unsigned long long)n->restarts,
		(unsigned long long)n->malformed, (unsigned long long)n->again);
	for (unsigned int v = 1; v < 3; v++) {
		for (unsigned int k = 0; k < 256; k++)
			most = (double)t->message[v][k] > most ? (double)t->message[v][k] : most;
	}
	for (unsigned int v = 1; v < 3; v++) {
		for (unsigned int k = 0; k < 256; k++) {
			const struct gtp_row *row = gtp_row((uint8_t)v, (uint8_t)k);

			snprintf(name, sizeof name, "GTPv%u %s", v, row ? row->name : "unknown");
			if (t->message[v][k])
				bar(f, name, (double)t->message[v][k], most, "#8854d0");
		}
	}
	for (unsigned int c = 1; c < CHECK_N; c++) {
		snprintf(name, sizeof name, "refused: %s", check_rows[c].name);
		if (n->refused[c])
			bar(f, name, (double)n->refused[c], most, "#d64545");
	}
	fputs("</table>\n", f);
}

static void endpoints(struct traffic *t, FILE *f)
{
	const struct endpoint **e = calloc(LISTED, sizeof *e);
	size_t n = e ? threats_endpoints(content_threats(t->content), e, LISTED) : 0;
	char why[96], address[ADDRESS_TEXT];

	if (n > 0)
		fputs("<h2>End points</h2>\n<table><tr><th>score</th><th>end "
		      "point</th><th>flows</th><th>devices</th>"
		      "<th>why</th></tr>\n",
		      f);
	for (size_t i = 0; i < n && i < 25; i++) {
		unsigned int score = endpoint_score(e[i], why);

		address_text(e[i]->address, address);
		fprintf(f, "<tr><td class=\"n%s\">%u</td><td><code>%s</code> ", score < 40 ? " bad" : "",
			score, address);
		put_text(f, flows_name(content_flows(t->content), e[i]->name));
		fprintf(f, "</td><td class=\"n\">%u</td><td class=\"n\">%u</td><td>%s</td></tr>\n",
			e[i]->flows, endpoint_devices(e[i]), why);
	}
	if (n > 0)
		fputs("</table>\n", f);
	free(e);
}

bool traffic_html(struct traffic *t, const char *path, const char *capture)
{
	const struct content_counts *n = content_counts(t->content);
	FILE *f = fopen(path, "we");
	bool good;

	if (!f)
		return false;
	head(f, capture);
	fprintf(f,
		"<p>%llu packets of users, %llu bytes; %llu in tunnels, %llu of them of no session that is "
		"known; "
		"%llu not inspected, for want of an agreement. Values that leaked are not in this page: "
		"only their "
		"shape is.</p>\n<h2>Over time</h2>\n",
		(unsigned long long)n->packets, (unsigned long long)n->bytes, (unsigned long long)t->user,
		(unsigned long long)t->unknown_tunnel, (unsigned long long)n->not_agreed);
	for (enum series k = 0; k < SERIES_N; k++)
		plot(f, &t->spans, k);
	signalling(t, f);
	findings(t, f);
	endpoints(t, f);
	protocols(t, f);
	fputs("</body></html>\n", f);
	good = !ferror(f);
	return fclose(f) == 0 && good;
}
