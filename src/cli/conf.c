#include "cli/conf.h"

#include "base/bcd.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define TEXT CONF_TEXT
#define NUMBER CONF_NUMBER
#define BOOL CONF_BOOL
#define CHOICE CONF_CHOICE
#define LIST CONF_LIST
#define DIGITS CONF_DIGITS

const struct conf_row conf_rows[] = {
#define CONF(key, field, kind, min, max, preset, choices, unit, reload, help)                      \
	{key, kind, offsetof(struct conf, field), min, max, preset, choices, unit, reload, help},
#include "cli/conf.tab"
#undef CONF
};
const size_t conf_row_n = sizeof conf_rows / sizeof *conf_rows;

/* A text left empty gets its default from other keys. False: it became too long. */
static bool fill(char to[CONF_TEXT_MAX], const char *head, const char *tail)
{
	int n;

	if (to[0])
		return true;
	n = snprintf(to, CONF_TEXT_MAX, "%s%s", head, tail);
	return n > 0 && n < CONF_TEXT_MAX;
}

/* TS 23.003 §19.2: a two-digit MNC is written with a leading zero. */
static void realm_of(uint64_t plmn, char realm[CONF_TEXT_MAX])
{
	char d[BCD_TEXT];

	if (bcd_text(plmn, d) == 5)
		snprintf(realm, CONF_TEXT_MAX, "epc.mnc0%.2s.mcc%.3s.3gppnetwork.org", d + 3, d);
	else
		snprintf(realm, CONF_TEXT_MAX, "epc.mnc%.3s.mcc%.3s.3gppnetwork.org", d + 3, d);
}

/* TS 23.003 16.2: a server of a network, where devices look for it. */
static void public_name(uint64_t plmn, const char *server, char name[CONF_TEXT_MAX])
{
	char d[BCD_TEXT];
	size_t n = bcd_text(plmn, d);

	if (!name[0])
		snprintf(name, CONF_TEXT_MAX, "%s.mnc%s%.3s.mcc%.3s.pub.3gppnetwork.org", server,
			 n == 5 ? "0" : "", d + 3, d);
}

/* The portal of this configuration is an application that may ask its home for keys. */
static bool fill_portal(struct conf *c)
{
	const char *port = strrchr(c->portal_listen, ':');
	char head[CONF_TEXT_MAX];

	public_name(c->plmn, "bsf", c->gba_name);
	public_name(c->plmn, "portal", c->portal_name);
	if (snprintf(head, sizeof head, "https://%s", c->portal_name) >= CONF_TEXT_MAX ||
	    !fill(c->portal_issuer, head, port ? port : "") || !fill(c->portal_host, "portal.", c->realm))
		return false;
	if (c->gba_nafs.n > 0)
		return true;
	c->gba_nafs.n = 1;
	return snprintf(c->gba_nafs.text[0], CONF_TEXT_MAX, "%s=%s", c->portal_name, c->portal_host) <
	       CONF_TEXT_MAX;
}

bool conf_stores_of(const struct conf *c, uint32_t partition, char dir[CONF_TEXT_MAX])
{
	int n;

	if (partition == 0)
		n = snprintf(dir, CONF_TEXT_MAX, "%s", c->data_dir);
	else
		n = snprintf(dir, CONF_TEXT_MAX, "%s/partition-%u", c->data_dir, partition);
	return n > 0 && n < CONF_TEXT_MAX;
}

bool conf_stores(const struct conf *c, char dir[CONF_TEXT_MAX])
{
	return conf_stores_of(c, c->home_partition, dir);
}

/* Each home is a node of its own name: the edge tells them apart by it. */
static bool fill_home(struct conf *c)
{
	char head[24] = "home.", dir[CONF_TEXT_MAX];

	if (c->home_partition > 0)
		snprintf(head, sizeof head, "home-%u.", c->home_partition);
	return fill(c->home_host, head, c->realm) && conf_stores(c, dir) &&
	       fill(c->master_key, dir, "/master.key");
}

enum err conf_parse(struct view yaml, const char *file, struct conf *c, char why[256])
{
	enum err err;

	memset(c, 0, sizeof *c);
	err = conf_load(conf_rows, conf_row_n, yaml, file, c, why);
	if (err)
		return err;
	if (!c->realm[0])
		realm_of(c->plmn, c->realm);
	if (!fill(c->edge_host, "edge.", c->realm) || !fill_home(c) || !fill_portal(c) ||
	    !fill(c->watch_events, c->data_dir, "/events/events.jsonl") ||
	    !fill(c->watch_store, c->data_dir, "/events/events.db")) {
		snprintf(why, 256, "%s: data_dir or network.realm is too long", file);
		return ERR_CONFIG;
	}
	if (!c->tls_chain[0] != !c->tls_key[0] || !c->tls_chain[0] != !c->tls_ca[0]) {
		snprintf(why, 256,
			 "%s: tls.chain, tls.key and tls.ca go together: give all three or none",
			 file);
		return ERR_CONFIG;
	}
	return ERR_OK;
}

enum err conf_read(const char *file, struct conf *c, char why[256])
{
	uint8_t text[65536];
	size_t n = 0;
	FILE *f;

	if (!file)
		return conf_parse((struct view){text, 0}, "defaults", c, why);
	f = fopen(file, "re");
	if (f) {
		n = fread(text, 1, sizeof text, f);
		fclose(f);
	}
	if (!f || n == sizeof text) {
		snprintf(why, 256, "%s: %s", file, f ? "longer than 64 KiB" : strerror(errno));
		return ERR_CONFIG;
	}
	return conf_parse((struct view){text, n}, file, c, why);
}

/* A path that was below the old data directory follows it. */
static bool follow(char path[CONF_TEXT_MAX], const char *from, const char *to)
{
	char tail[CONF_TEXT_MAX];
	size_t n = strlen(from);

	if (strncmp(path, from, n) != 0 || path[n] != '/')
		return true;
	snprintf(tail, sizeof tail, "%s", path + n);
	path[0] = 0;
	return fill(path, to, tail);
}

enum err conf_move(struct conf *c, const char *data_dir, char why[256])
{
	char from[CONF_TEXT_MAX], dir[CONF_TEXT_MAX];

	snprintf(from, sizeof from, "%s", c->data_dir);
	c->data_dir[0] = 0;
	if (fill(c->data_dir, data_dir, "") && follow(c->master_key, from, data_dir) &&
	    follow(c->watch_events, from, data_dir) && follow(c->watch_store, from, data_dir) &&
	    conf_stores(c, dir))
		return ERR_OK;
	snprintf(why, 256, "--data: the path is too long");
	return ERR_CONFIG;
}

const char *conf_file(const char *asked)
{
	static const char usual[] = "/etc/merlon/merlon.yaml";

	if (asked)
		return asked;
	return access(usual, F_OK) == 0 ? usual : NULL;
}
