/* Observations: what can be seen of the running roles from outside. */
#include "audit/audit.h"

#include "cli/fetch.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CHUNK (1u << 20)
#define TAIL_MAX (8u << 20)
#define EVENT_MS 4000

char *sight_page(struct audit *a)
{
	char why[256];

	return fetch(a->reach->conf.watch_listen, "/metrics", why);
}

uint64_t sight_metric(const char *page, const char *name, const char *label, const char *value)
{
	uint64_t sum = 0;
	char want[96];

	snprintf(want, sizeof want, "%s=\"%s\"", label, value);
	for (const char *line = page; line && *line; line = strchr(line, '\n')) {
		const char *end, *brace, *close;

		line += *line == '\n';
		end = strchr(line, '\n');
		brace = strchr(line, '{');
		close = strchr(line, '}');
		if (!end || !brace || !close || close > end ||
		    strlen(name) != (size_t)(brace - line) ||
		    strncmp(line, name, (size_t)(brace - line)) != 0)
			continue;
		if (value[0]) {
			const char *at = strstr(brace, want);

			if (!at || at > close)
				continue;
		}
		sum += strtoull(close + 1, NULL, 10);
	}
	return sum;
}

static uint64_t check_count(const struct audit *a, const char *check)
{
	char number[16];

	snprintf(number, sizeof number, "%u", (unsigned int)check_find(view_of(check)));
	return sight_metric(a->page, "merlon_edge_refused_total", "check", number);
}

/* The number after "Name:" in a status file; -1: not there. */
static long status_of(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtol(at + strlen(name), NULL, 10) : -1;
}

static bool read_status(long pid, char text[4096])
{
	char path[64];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof path, "/proc/%ld/status", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, 4095);
		close(fd);
	}
	text[n > 0 ? n : 0] = 0;
	return n > 0;
}

/* Roles that were started one by one (watch.socket) have a supervisor each. */
static bool is_supervisor(const struct audit *a, long pid, long of_keeper)
{
	char status[4096];

	return pid == of_keeper || (a->reach->conf.watch_socket[0] && pid > 1 &&
				    read_status(pid, status) &&
				    strncmp(status, "Name:\tmerlon\n", 13) == 0);
}

/* The supervisor: the parent of the process that listens on the keeper's socket. */
static long supervisor_of(const struct audit *a)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct ucred who = {0};
	socklen_t n = sizeof who;
	char status[4096];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0 &&
		  (size_t)snprintf(to.sun_path, sizeof to.sun_path, "%s/keeper.sock",
				   a->reach->conf.data_dir) < sizeof to.sun_path &&
		  connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 &&
		  getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0;

	if (fd >= 0)
		close(fd);
	return ok && read_status(who.pid, status) ? status_of(status, "\nPPid:") : -1;
}

static bool is_role(const struct audit *a, const char *status, const char **role)
{
	char name[32] = "";

	sscanf(status, "Name:%31s", name);
	for (size_t i = 0; i < a->reach->conf.roles.n; i++) {
		*role = a->reach->conf.roles.text[i];
		if (strcmp(name, *role) == 0)
			return true;
	}
	return false;
}

enum state see_sandbox(struct audit *a, const struct attempt *t, struct proof *p)
{
	long supervisor = supervisor_of(a);
	size_t n = 0;
	const struct dirent *e;
	DIR *proc = opendir("/proc");

	(void)t;
	proof(p, SHOWN, "none");
	while (proc && supervisor > 0 && p->state == SHOWN && (e = readdir(proc))) {
		char status[4096];
		const char *role;

		if (!isdigit((unsigned char)e->d_name[0]) ||
		    !read_status(strtol(e->d_name, NULL, 10), status) ||
		    !is_role(a, status, &role) ||
		    !is_supervisor(a, status_of(status, "\nPPid:"), supervisor))
			continue;
		n++;
		if (status_of(status, "\nSeccomp:") != 2)
			proof(p, NOT_SHOWN, "%s runs without a seccomp filter", role);
		else if (status_of(status, "\nNoNewPrivs:") != 1)
			proof(p, NOT_SHOWN, "%s may gain privileges", role);
		else if (status_of(status, "\nUid:") == 0)
			proof(p, NOT_SHOWN, "%s runs as root", role);
	}
	if (proc)
		closedir(proc);
	if (p->state != SHOWN)
		return p->state;
	if (n < a->reach->conf.roles.n)
		return proof(p, WITHOUT, "%zu of %zu roles are processes that we can see", n,
			     a->reach->conf.roles.n);
	return proof(p, SHOWN, "%zu roles: seccomp filter, no new privileges, no root", n);
}

/* Does the file hold one of these byte strings? -1: it cannot be read. */
static int holds(const char *path, const struct view *what, size_t n)
{
	static uint8_t room[CHUNK + 64];
	size_t kept = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), found = 0;
	ssize_t got;

	if (fd < 0)
		return -1;
	while (!found && (got = read(fd, room + kept, CHUNK)) > 0) {
		size_t have = kept + (size_t)got;

		for (size_t i = 0; i < n; i++)
			found |= memmem(room, have, what[i].p, what[i].n) != NULL;
		kept = have < 63 ? have : 63;
		memmove(room, room + have - kept, kept);
	}
	close(fd);
	return found;
}

struct search {
	struct view what[4];
	size_t n, files, unread;
	char found[PROOF_TEXT];
};

/* A directory and those in it: stores are one level deep. */
static void search_dir(struct search *s, const char *dir, int depth)
{
	DIR *d = opendir(dir);
	const struct dirent *e;

	while (d && (e = readdir(d))) {
		char path[CONF_TEXT_MAX + 300];
		struct stat st;
		int got;

		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		if (e->d_name[0] == '.' || lstat(path, &st) != 0)
			continue;
		if (S_ISDIR(st.st_mode) && depth > 0)
			search_dir(s, path, depth - 1);
		if (!S_ISREG(st.st_mode))
			continue;
		got = holds(path, s->what, s->n);
		s->files++;
		s->unread += got < 0;
		if (got > 0)
			snprintf(s->found, sizeof s->found, "%.180s", path);
	}
	if (d)
		closedir(d);
	else
		s->unread++;
}

static void hex_of(const uint8_t b[16], char text[33])
{
	for (size_t i = 0; i < 16; i++)
		snprintf(text + 2 * i, 3, "%02x", b[i]);
}

enum state see_keys(struct audit *a, const struct attempt *t, struct proof *p)
{
	const struct aka_key *key = &a->key[WHO_PLAIN].key;
	struct search s = {.n = 4};
	char k[33], opc[33];

	(void)t;
	if (!a->keyed)
		return proof(p, WITHOUT, "%s", a->keyed_why);
	hex_of(key->k.b, k);
	hex_of(key->opc.b, opc);
	s.what[0] = (struct view){key->k.b, 16};
	s.what[1] = (struct view){key->opc.b, 16};
	s.what[2] = view_of(k);
	s.what[3] = view_of(opc);
	search_dir(&s, a->reach->conf.data_dir, 2);
	secret_wipe(k, sizeof k);
	secret_wipe(opc, sizeof opc);
	if (s.found[0])
		return proof(p, NOT_SHOWN, "a K or OPc lies in clear in %s", s.found);
	if (s.unread > 0 || s.files == 0)
		return proof(p, WITHOUT, "%zu files of %s could not be read", s.unread,
			     a->reach->conf.data_dir);
	return proof(p, SHOWN,
		     "a fresh K and OPc are in clear in none of %zu files of the data directory",
		     s.files);
}

/* The events since we began, at most their last 8 MiB; malloc'd. */
static char *new_events(const struct audit *a)
{
	int fd = open(a->reach->conf.watch_events, O_RDONLY | O_CLOEXEC);
	struct stat st;
	off_t from = (off_t)a->events_at;
	char *text = NULL;
	ssize_t n;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0) {
		if (st.st_size < from) /* it was turned over meanwhile */
			from = 0;
		if (st.st_size - from > (off_t)TAIL_MAX)
			from = st.st_size - (off_t)TAIL_MAX;
		text = calloc(1, TAIL_MAX + 1);
		n = text ? pread(fd, text, TAIL_MAX, from) : -1;
		if (n < 0) {
			free(text);
			text = NULL;
		}
	}
	close(fd);
	return text;
}

enum state see_pseudonym(struct audit *a, const struct attempt *t, struct proof *p)
{
	char imsi[16];
	char *text;
	bool clear;

	(void)t;
	if (a->reach->conf.log_identities == 1)
		return proof(p, NOT_SHOWN, "logging.identities is clear");
	text = new_events(a);
	if (!text)
		return proof(p, WITHOUT, "%.150s cannot be read", a->reach->conf.watch_events);
	canary_imsi(a, WHO_PLAIN, imsi);
	imsi[13] = 0; /* all reserved IMSIs begin so */
	clear = strstr(text, imsi) != NULL;
	free(text);
	return proof(p, clear ? NOT_SHOWN : SHOWN,
		     clear ? "an event holds a canary's IMSI in clear"
			   : "the canaries' events hold no IMSI in clear");
}

/* A line of the text with both words. */
static bool has_line(const char *text, const char *one, const char *two)
{
	for (const char *at = text; (at = strstr(at, one)); at++) {
		const char *end = strchr(at, '\n'), *begin = at, *found;

		while (begin > text && begin[-1] != '\n')
			begin--;
		found = strstr(begin, two);
		if (found && (!end || found < end))
			return true;
	}
	return false;
}

enum state see_event(struct audit *a, const struct attempt *t, struct proof *p)
{
	uint64_t until = audit_wall_ms() + EVENT_MS;
	bool seen = false;
	char *text;

	(void)t;
	do {
		text = new_events(a);
		if (!text)
			return proof(p, WITHOUT, "%.150s cannot be read",
				     a->reach->conf.watch_events);
		seen = has_line(text, "\"edge.refused\"", "\"network\":\"" CANARY_PLMN "\"");
		free(text);
		if (!seen)
			usleep(100000);
	} while (!seen && audit_wall_ms() < until);
	return proof(p, seen ? SHOWN : NOT_SHOWN,
		     seen ? "edge.refused of network " CANARY_PLMN ", with check and clause"
			  : "no event tells of the canaries");
}

enum state see_monitored(struct audit *a, const struct attempt *t, struct proof *p)
{
	char why[256];
	char *ready = fetch(a->reach->conf.watch_listen, "/readyz", why);
	bool all = ready && strncmp(ready, "ready", 5) == 0;

	(void)t;
	free(ready);
	if (!a->page)
		return proof(p, WITHOUT, "no watch role answers at %s",
			     a->reach->conf.watch_listen);
	for (size_t i = 0; i < a->reach->conf.roles.n; i++) {
		char want[CONF_TEXT_MAX + 16];

		snprintf(want, sizeof want, "role=\"%s\"", a->reach->conf.roles.text[i]);
		if (!strstr(a->page, want))
			return proof(p, NOT_SHOWN, "%.60s is not counted",
				     a->reach->conf.roles.text[i]);
	}
	return proof(p, all ? SHOWN : NOT_SHOWN,
		     all ? "/readyz and counters of %zu roles" : "/readyz says no (%zu roles)",
		     a->reach->conf.roles.n);
}

enum state see_storm(struct audit *a, const struct attempt *t, struct proof *p)
{
	uint64_t shed = check_count(a, "load.admission");
	uint64_t passed = sight_metric(a->page, "merlon_edge_passed_total", "class", "critical");
	char *text;
	bool critical;

	(void)t;
	if (!a->page)
		return proof(p, WITHOUT, "no watch role answers at %s",
			     a->reach->conf.watch_listen);
	if (shed == 0)
		return proof(p, WITHOUT, "nothing had to be shed since the start");
	text = new_events(&(struct audit){.reach = a->reach});
	critical = text && has_line(text, "\"check\":\"load.admission\"", "\"class\":\"critical\"");
	free(text);
	if (critical)
		return proof(p, NOT_SHOWN, "critical work was shed");
	return proof(
	    p, SHOWN,
	    "%llu requests shed since the start, of critical ones %llu passed and none was shed",
	    (unsigned long long)shed, (unsigned long long)passed);
}

enum state see_steered(struct audit *a, const struct attempt *t, struct proof *p)
{
	uint64_t n = check_count(a, "steering.weight");

	(void)t;
	if (n == 0)
		return proof(p, WITHOUT, "no update had to be steered since the start");
	return proof(p, SHOWN, "%llu updates steered away since the start", (unsigned long long)n);
}

/* A card is told for what it is while its request passes. */
enum state see_cards(struct audit *a, const struct attempt *t, struct proof *p)
{
	static const char name[] = "merlon_edge_cards_total";
	uint64_t iot = sight_metric(a->page, name, "kind", "iot");
	uint64_t handset = sight_metric(a->page, name, "kind", "handset");
	const struct canary air = {.say = SAY_AIR};
	enum err err = canary_ask(a, &air);
	char *after = sight_page(a);
	bool as_iot = sight_metric(after, name, "kind", "iot") > iot;
	bool as_handset = sight_metric(after, name, "kind", "handset") > handset;
	bool known = a->page && after;

	(void)t;
	free(after);
	if (err || !known)
		return proof(p, WITHOUT, "%s", err ? err_text(err) : "the counters cannot be read");
	if (!as_iot && as_handset)
		return proof(p, WITHOUT, "the reserved IMSIs lie in a range of handsets");
	return proof(p, as_iot ? SHOWN : NOT_SHOWN, "the canary's card was counted as %s",
		     as_iot ? "an IoT card, by its range" : "neither IoT nor handset");
}

enum state see_partitions(struct audit *a, const struct attempt *t, struct proof *p)
{
	const struct conf_list *list = &a->reach->conf.edge_partitions;
	uint64_t least = UINT64_MAX;

	(void)t;
	if (list->n == 0)
		return proof(p, WITHOUT, "no partition is configured");
	for (size_t i = 0; i < list->n; i++) {
		char number[8];
		uint64_t n;

		snprintf(number, sizeof number, "%.*s", (int)strcspn(list->text[i], "="),
			 list->text[i]);
		n = sight_metric(a->page, "merlon_edge_partition_passed_total", "partition",
				 number);
		least = n < least ? n : least;
	}
	if (least == 0)
		return proof(p, WITHOUT, "a partition had no request since the start");
	return proof(p, SHOWN, "%zu partitions, each with requests to a home of its own", list->n);
}
