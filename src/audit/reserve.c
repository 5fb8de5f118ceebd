/* What canaries need in the records: test networks, a tenant, profiles, cards. Made through the
 * keeper when missing; they carry nobody's traffic, and events tell them by their network. */
#include "audit/audit.h"

#include "records/spool.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#define VAULT_MS 4000
#define PAIRS 14

struct record {
	const char *object, *key;
	const char *pair[PAIRS];
};

static const struct record records[] = {
    {"tenant", "canary", {"contact=merlon audit"}},
    {"profile",
     "canary-plain",
     {"tenant=canary", "priority=low", "binding=refuse", "rats=wb-eutran nb-iot lte-m",
      "ul_bps=10000", "dl_bps=10000", "apn1=canary.iot:ipv4:9:15:10000:10000"}},
    {"profile",
     "canary-local",
     {"tenant=canary", "priority=low", "rats=wb-eutran", "countries=001",
      "apn1=canary.iot:ipv4:9:15:10000:10000"}},
    {"profile",
     "canary-utran",
     {"tenant=canary", "priority=low", "rats=utran geran wb-eutran",
      "apn1=canary.iot:ipv4:9:15:10000:10000"}},
    {"profile",
     "canary-critical",
     {"tenant=canary", "priority=critical", "rats=wb-eutran",
      "apn1=canary-critical.iot:ipv4:9:14:10000:10000"}},
    {"network",
     BLOCKED_PLMN,
     {"name=Canary, blocked", "realm=epc.mnc098.mcc001.3gppnetwork.org", "trust=blocked",
      "clear_ok=yes", "apps=s6a s13"}},
    {"network",
     CANARY_PLMN,
     {"name=Canary", "realm=epc.mnc099.mcc001.3gppnetwork.org", "trust=trusted", "clear_ok=yes",
      "lat_cdeg=5200", "lon_cdeg=500", "apps=s6a s13"}},
    {"network",
     FAR_PLMN,
     {"name=Canary, far away", "realm=epc.mnc099.mcc002.3gppnetwork.org", "trust=trusted",
      "clear_ok=yes", "lat_cdeg=-3300", "lon_cdeg=15100", "rate=20", "unknown_rate=5",
      "apps=s6a s13"}},
    {"equipment", IMEI_BLACK, {"list=black", "reason=canary"}},
};

static const struct {
	enum who who;
	const char *profile, *more;
} cards[] = {
    {WHO_PLAIN, "profile=canary-plain", NULL},
    {WHO_CRITICAL, "profile=canary-critical", NULL},
    {WHO_SUSPENDED, "profile=canary-plain", "life=suspended"},
    {WHO_GREY, "profile=canary-plain", "grey_until=2099-01-01"},
    {WHO_BOUND, "profile=canary-plain", "imei=" IMEI_GOOD},
    {WHO_LOCAL, "profile=canary-local", NULL},
    {WHO_UTRAN, "profile=canary-utran", NULL},
    {WHO_SWITCHED, "profile=canary-plain", NULL},
    {WHO_VITAL, "profile=canary-critical", NULL},
};
#define CARD_N (sizeof cards / sizeof *cards)

/* Missing: made. There already: left as it is. */
static int make(struct audit *a, const char *object, const char *key, const char *const *pairs)
{
	char why[256];
	enum err err = keeping_set(a, object, key, "create", pairs, why);

	if (err == ERR_EXISTS)
		return EXIT_DONE;
	if (err) {
		fprintf(stderr, "merlon audit: reserved %s %s: %s\n", object, key, why);
		return EXIT_FAILED;
	}
	fprintf(stderr, "merlon audit: made the reserved %s %s\n", object, key);
	a->made++;
	return EXIT_DONE;
}

/* A network's nodes come from this machine, whatever address they dial. */
static int make_record(struct audit *a, const struct record *r)
{
	const char *pair[PAIRS + 2] = {NULL};
	char addresses[128];
	size_t n = 0;

	while (n < PAIRS && r->pair[n]) {
		pair[n] = r->pair[n];
		n++;
	}
	snprintf(addresses, sizeof addresses, "addresses=127.0.0.0/8 ::1/128 %s",
		 a->to.at.address[0]);
	if (strcmp(a->to.at.address[0], "0.0.0.0") == 0 || strcmp(a->to.at.address[0], "::") == 0)
		addresses[strlen("addresses=127.0.0.0/8 ::1/128")] = 0;
	if (strcmp(r->object, "network") == 0)
		pair[n] = addresses;
	return make(a, r->object, r->key, pair);
}

static int make_card(struct audit *a, size_t i)
{
	const char *pair[] = {"tenant=canary", cards[i].profile, "test=yes", NULL, NULL, NULL};
	char imsi[16], iccid[32];

	canary_imsi(a, cards[i].who, imsi);
	snprintf(iccid, sizeof iccid, "iccid=8999%.15s", imsi);
	pair[3] = iccid;
	pair[4] = cards[i].more;
	return make(a, "subscription", imsi, pair);
}

/* Where no range of ours covers the reserved IMSIs, one of their own does. */
static int make_range(struct audit *a)
{
	char from[16], to[32], why[256];
	const char *pair[] = {to, "name=canary", NULL};
	enum err err;

	canary_imsi(a, WHO_PLAIN, from);
	snprintf(to, sizeof to, "to=%.13s09", from);
	err = keeping_set(a, "range", from, "create", pair, why);
	if (!err || err == ERR_EXISTS || strstr(why, "overlaps"))
		return EXIT_DONE;
	fprintf(stderr, "merlon audit: reserved range %s: %s\n", from, why);
	return EXIT_FAILED;
}

/* Home empties the spool when it has taken the keys. */
static bool taken(const char *data_dir)
{
	char path[CONF_TEXT_MAX + 16];
	bool waits = true;

	snprintf(path, sizeof path, "%s/%s", data_dir, SPOOL_DIR);
	for (int waited = 0; waits && waited < VAULT_MS; waited += 20) {
		DIR *d = opendir(path);
		const struct dirent *e;

		waits = false;
		while (d && (e = readdir(d)))
			waits |= strstr(e->d_name, SPOOL_SUFFIX) != NULL;
		if (d)
			closedir(d);
		if (waits)
			usleep(20000);
	}
	return !waits;
}

/* New random keys at each audit: nobody has to keep them, and vectors can be verified with them. */
static void make_keys(struct audit *a)
{
	const char *dir = a->reach->conf.data_dir;
	struct vault_row row[CARD_N];
	uint8_t pub[SEALBOX_PUBLIC];
	char name[SPOOL_NAME];
	enum err err = ERR_OK;

	for (size_t i = 0; i < CARD_N && !err; i++) {
		struct vault_row *r = &a->key[cards[i].who];
		char imsi[16];

		canary_imsi(a, cards[i].who, imsi);
		*r = (struct vault_row){.imsi = bcd_of(view_of(imsi)), .key.amf = {0x80, 0}};
		err = random_bytes(r->key.k.b, 16);
		if (!err)
			err = random_bytes(r->key.opc.b, 16);
		row[i] = *r;
	}
	if (!err)
		err = spool_pub_get(dir, pub, a->keyed_why);
	if (!err)
		err = spool_write(dir, pub, row, CARD_N, name, a->keyed_why);
	secret_wipe(row, sizeof row);
	if (err)
		return;
	a->keyed = taken(dir);
	if (!a->keyed)
		snprintf(a->keyed_why, sizeof a->keyed_why, "home did not take the keys");
}

int reserve_make(struct audit *a)
{
	int code = EXIT_DONE;

	for (size_t i = 0; i < sizeof records / sizeof *records && code == EXIT_DONE; i++)
		code = make_record(a, &records[i]);
	if (code == EXIT_DONE)
		code = make_range(a);
	if (code == EXIT_DONE)
		make_keys(a);
	for (size_t i = 0; i < CARD_N && code == EXIT_DONE; i++)
		code = make_card(a, i);
	return code;
}
