/* The load: templates, devices, the loop over the connections. */
#include "base/bcd.h"
#include "s6a.h"
#include "wire/dia.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HOME_REALM "epc.mnc070.mcc999.3gppnetwork.org"
#define DIGITS	   10 /* of the session number */

static const struct {
	uint32_t code, app;
	const char *name;
} commands[STEP_N] = {
	[STEP_AIR] = { 318, DIA_APP_S6A, "AIR" },
	[STEP_ULR] = { 316, DIA_APP_S6A, "ULR" },
	[STEP_ECR] = { 324, DIA_APP_S13, "ECR" },
};

/* --- latencies ------------------------------------------------------------------------------ */

static void hist_add(struct hist *h, uint64_t us)
{
	double at = us < 1 ? 0 : log2((double)us) * 22;

	h->count[at < HIST - 1 ? (size_t)at : HIST - 1]++;
	h->n++;
}

static uint64_t hist_at(const struct hist *h, double share)
{
	uint64_t left = (uint64_t)((double)h->n * share);

	for (size_t i = 0; i < HIST; i++) {
		if (h->count[i] > left)
			return (uint64_t)exp2(((double)i + 0.5) / 22);
		left -= h->count[i];
	}
	return 0;
}

/* --- messages ------------------------------------------------------------------------------- */

static void put_digits(uint8_t *to, uint64_t x, size_t n)
{
	while (n-- > 0) {
		to[n] = (uint8_t)('0' + x % 10);
		x /= 10;
	}
}

static void put_application(struct wr *w, uint32_t app)
{
	size_t group = dia_open(w, AVP_VENDOR_SPECIFIC_APPLICATION_ID);

	dia_put_u32(w, AVP_VENDOR_ID, VENDOR_3GPP);
	dia_put_u32(w, AVP_AUTH_APPLICATION_ID, app);
	dia_close(w, group);
}

static void put_who(struct wr *w, const struct load *l, size_t conn)
{
	char host[256];

	snprintf(host, sizeof host, "%s%zu.%s", l->host, conn, l->realm);
	dia_put(w, AVP_ORIGIN_HOST, view_of(host));
	dia_put(w, AVP_ORIGIN_REALM, view_of(l->realm));
}

/* What of a step's message is of its own. */
static void put_step(struct wr *w, struct template *t, enum step step, const char *plmn)
{
	uint8_t octets[3];
	size_t group;

	plmn_tbcd(bcd_of(view_of(plmn)), octets);
	if (step != STEP_AIR) {
		group = dia_open(w, AVP_TERMINAL_INFORMATION);
		t->imei = w->n + 12; /* behind the header of a vendor's AVP */
		dia_put(w, AVP_IMEI, VIEW("00101700000000"));
		dia_put(w, AVP_SOFTWARE_VERSION, VIEW("01"));
		dia_close(w, group);
	}
	if (step == STEP_ULR) {
		dia_put_u32(w, AVP_RAT_TYPE, 1004);
		dia_put_u32(w, AVP_ULR_FLAGS, 34);
	}
	if (step != STEP_ECR)
		dia_put(w, AVP_VISITED_PLMN_ID, (struct view){ octets, 3 });
	if (step == STEP_AIR) {
		group = dia_open(w, AVP_REQUESTED_EUTRAN_AUTHENTICATION_INFO);
		dia_put_u32(w, AVP_NUMBER_OF_REQUESTED_VECTORS, 1);
		dia_put_u32(w, AVP_IMMEDIATE_RESPONSE_PREFERRED, 1);
		dia_close(w, group);
	}
}

static void make(struct template *t, const struct load *l, size_t conn, enum step step)
{
	struct dia_header h = { DIA_FLAG_REQUEST | DIA_FLAG_PROXIABLE, commands[step].code,
				commands[step].app, 0, 0 };
	struct wr w = { .p = t->bytes, .cap = sizeof t->bytes };
	size_t start = dia_begin(&w, &h);
	char session[300];

	snprintf(session, sizeof session, "%s%zu.%s;1;0000000000", l->host, conn, l->realm);
	dia_put(&w, AVP_SESSION_ID, view_of(session));
	t->session = start + 20 + 8 + strlen(session) - DIGITS;
	put_application(&w, commands[step].app);
	dia_put_u32(&w, AVP_AUTH_SESSION_STATE, 1);
	put_who(&w, l, conn);
	dia_put(&w, AVP_DESTINATION_REALM, view_of(HOME_REALM));
	t->imsi = w.n + 8;
	dia_put(&w, AVP_USER_NAME, VIEW("000000000000000"));
	put_step(&w, t, step, l->plmn);
	dia_end(&w, start);
	t->n = w.n;
	if (w.err)
		die("a message does not fit");
}

static void put_be(uint8_t *to, uint32_t x)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(x >> 8 * (3 - i));
}

static void ask(struct load *l, struct device *d)
{
	struct wire *w = &l->wire[d->conn];
	const struct template *t = &w->of[d->step];
	uint8_t *m = w->out + w->out_n;
	uint32_t hop;

	if (sizeof w->out - w->out_n < MESSAGE)
		die("the peer does not read");
	d->turn++;
	hop = (uint32_t)d->turn << 16 | (uint32_t)(d - l->device);
	memcpy(m, t->bytes, t->n);
	put_be(m + 12, hop);
	put_be(m + 16, (uint32_t)l->session);
	put_digits(m + t->session, l->session++, DIGITS);
	put_digits(m + t->imsi, l->first + d->card, 15);
	if (t->imei)
		put_digits(m + t->imei + 8, d->card % 1000000, 6);
	w->out_n += t->n;
	d->asked_us = now_us();
}

/* --- devices -------------------------------------------------------------------------------- */

static void begin(struct load *l, uint64_t due_us)
{
	struct device *d = &l->device[l->idle[--l->idle_n]];

	d->card = l->next_card++ % l->cards;
	d->conn = (uint8_t)(d->card % l->conn_n);
	d->step = l->mix == MIX_ECR ? STEP_ECR : STEP_AIR;
	d->busy = true;
	ask(l, d);
	d->asked_us = due_us ? due_us : d->asked_us;
}

static void finished(struct load *l, struct device *d)
{
	d->busy = false;
	l->idle[l->idle_n++] = (uint32_t)(d - l->device);
}

static void answered(struct load *l, uint32_t hop, uint32_t result)
{
	struct device *d = &l->device[hop & 0xffff];

	if ((hop & 0xffff) >= l->window || !d->busy || d->turn != hop >> 16) {
		l->late++;
		return;
	}
	hist_add(&l->hist[d->step], now_us() - d->asked_us);
	l->answers++;
	if (result != 2001) {
		l->refused++;
		l->last_refusal = result;
	} else if (l->mix == MIX_ATTACH && d->step < STEP_ECR) {
		d->step++;
		ask(l, d);
		return;
	}
	finished(l, d);
}

/* --- connections ---------------------------------------------------------------------------- */

static uint32_t be(const uint8_t *p, size_t n)
{
	uint32_t x = 0;

	while (n-- > 0)
		x = x << 8 | *p++;
	return x;
}

/* Result-Code, or the code in Experimental-Result. */
static uint32_t result_of(const uint8_t *m, size_t n)
{
	for (size_t at = 20; at + 12 <= n;) {
		uint32_t code = be(m + at, 4), len = be(m + at + 5, 3);

		if (code == 268)
			return be(m + at + 8, 4);
		if (code == 297 && at + 32 <= n)
			return be(m + at + 28, 4);
		if (len < 8)
			break;
		at += (len + 3) & ~3u;
	}
	return 0;
}

static void put_ce(struct load *l, size_t conn, uint32_t code, bool request, const uint8_t *of)
{
	struct wire *c = &l->wire[conn];
	struct wr w = { .p = c->out, .n = c->out_n, .cap = sizeof c->out };
	struct dia_header h = { request ? DIA_FLAG_REQUEST : 0, code, 0, of ? be(of + 12, 4) : 1,
				of ? be(of + 16, 4) : 1 };
	size_t start = dia_begin(&w, &h);

	if (!request)
		dia_put_u32(&w, AVP_RESULT_CODE, 2001);
	put_who(&w, l, conn);
	if (code == 257) {
		dia_put(&w, AVP_HOST_IP_ADDRESS, (struct view){ (const uint8_t *)"\0\1\x7f\0\0\1", 6 });
		dia_put_u32(&w, AVP_VENDOR_ID, VENDOR_3GPP);
		dia_put(&w, AVP_PRODUCT_NAME, VIEW("s6a"));
		put_application(&w, DIA_APP_S6A);
		put_application(&w, DIA_APP_S13);
	}
	dia_end(&w, start);
	c->out_n = w.n;
}

static void message(struct load *l, size_t conn, const uint8_t *m, size_t n)
{
	uint32_t code = be(m + 5, 3);
	bool request = m[4] & DIA_FLAG_REQUEST;

	if (l->mix == MIX_ECHO)
		answered(l, be(m + 12, 4), 2001);
	else if (request && code == 280)
		put_ce(l, conn, code, false, m);
	else if (!request && code == 257) {
		if (result_of(m, n) != 2001) {
			fprintf(stderr, "s6a: the CEA says %u\n", result_of(m, n));
			exit(1);
		}
		l->wire[conn].open = true;
	} else if (!request)
		answered(l, be(m + 12, 4), result_of(m, n));
}

static void take(struct load *l, size_t conn)
{
	struct wire *w = &l->wire[conn];
	ssize_t n = recv(w->fd, w->in + w->in_n, sizeof w->in - w->in_n, MSG_DONTWAIT);
	size_t at = 0, len;

	if (n == 0 || (n < 0 && errno != EAGAIN))
		die("connection lost");
	w->in_n += n > 0 ? (size_t)n : 0;
	for (; w->in_n - at >= 20; at += len) {
		len = be(w->in + at + 1, 3);
		if (len < 20 || w->in_n - at < len)
			break;
		message(l, conn, w->in + at, len);
	}
	memmove(w->in, w->in + at, w->in_n - at);
	w->in_n -= at;
}

static void give(struct load *l, size_t conn)
{
	struct wire *w = &l->wire[conn];
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = conn };
	ssize_t n;

	while (w->out_head < w->out_n) {
		n = send(w->fd, w->out + w->out_head, w->out_n - w->out_head,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			die("send");
		if (n < 0)
			break;
		w->out_head += (size_t)n;
	}
	memmove(w->out, w->out + w->out_head, w->out_n - w->out_head);
	w->out_n -= w->out_head;
	w->out_head = 0;
	if (w->blocked == (w->out_n > 0))
		return;
	w->blocked = w->out_n > 0;
	e.events |= w->blocked ? EPOLLOUT : 0u;
	epoll_ctl(l->epoll, EPOLL_CTL_MOD, w->fd, &e);
}

static void turn(struct load *l, uint64_t wait_us)
{
	struct timespec wait = { (time_t)(wait_us / 1000000), (long)(wait_us % 1000000) * 1000 };
	struct epoll_event got[CONN_MAX];
	int n = epoll_pwait2(l->epoll, got, CONN_MAX, &wait, NULL);

	for (int i = 0; i < n; i++) {
		if (got[i].events & ~(uint32_t)EPOLLOUT)
			take(l, got[i].data.u64);
	}
}

static void give_all(struct load *l)
{
	for (size_t i = 0; i < l->conn_n; i++) {
		if (l->wire[i].out_n > 0)
			give(l, i);
	}
}

static void open_all(struct load *l)
{
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->wire = calloc(l->conn_n, sizeof *l->wire);
	if (l->epoll < 0 || !l->wire)
		die("open");
	for (size_t i = 0; i < l->conn_n; i++) {
		struct epoll_event e = { .events = EPOLLIN, .data.u64 = i };

		l->wire[i].fd = dial(l->port);
		epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->wire[i].fd, &e);
		for (enum step s = 0; s < STEP_N; s++)
			make(&l->wire[i].of[s], l, i, s);
		l->wire[i].open = l->mix == MIX_ECHO;
		if (l->mix != MIX_ECHO)
			put_ce(l, i, 257, true, NULL);
	}
	give_all(l);
	for (size_t i = 0; i < l->conn_n; i++) {
		while (!l->wire[i].open)
			turn(l, 1000000);
	}
}

/* --- the run -------------------------------------------------------------------------------- */

static void start_devices(struct load *l, uint64_t now)
{
	uint64_t step = l->rate ? 1000000000 / l->rate : 0; /* nanoseconds */

	if (!l->rate) {
		while (l->idle_n > 0)
			begin(l, 0);
		return;
	}
	for (; l->next_us / 1000 <= now && l->idle_n > 0; l->next_us += step)
		begin(l, l->next_us / 1000);
}

/* At most 0.1 s; with all devices at work only an answer can help. */
static uint64_t until_due(const struct load *l)
{
	uint64_t now = now_us(), due = l->next_us / 1000;

	if (!l->rate || l->idle_n == 0 || due > now + 100000)
		return 100000;
	return due > now ? due - now : 0;
}

static void report(const struct load *l, double cpu_s, double seconds)
{
	printf("{\"answers\":%llu,\"per_s\":%.0f,\"refused\":%llu,\"last_refusal\":%u,\"late\":%llu,"
	       "\"own_cpu_us\":%.2f",
	       (unsigned long long)l->answers, (double)l->answers / seconds,
	       (unsigned long long)l->refused, l->last_refusal, (unsigned long long)l->late,
	       cpu_s * 1e6 / (double)(l->answers ? l->answers : 1));
	for (enum step s = 0; s < STEP_N; s++) {
		if (l->hist[s].n > 0)
			printf(",\"%s\":{\"n\":%llu,\"p50_us\":%llu,\"p99_us\":%llu}", commands[s].name,
			       (unsigned long long)l->hist[s].n,
			       (unsigned long long)hist_at(&l->hist[s], 0.5),
			       (unsigned long long)hist_at(&l->hist[s], 0.99));
	}
	printf("}\n");
}

static double cpu_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int load(struct load *l)
{
	uint64_t end, now;
	double cpu;

	open_all(l);
	for (uint32_t i = 0; i < l->window; i++)
		l->idle[l->idle_n++] = i;
	l->began_us = now = now_us();
	l->next_us = now * 1000;
	end = now + l->seconds * 1000000;
	cpu = cpu_now();
	for (; now < end; now = now_us()) {
		start_devices(l, now);
		give_all(l);
		turn(l, until_due(l));
	}
	report(l, cpu_now() - cpu, (double)(now - l->began_us) / 1e6);
	return 0;
}
