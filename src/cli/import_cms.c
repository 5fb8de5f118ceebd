/* A supplier's delivery of keys (crypto/cms.h): whose it is, whether that supplier may make cards today, and
 * which. */
#include "cli/import_in.h"
#include "crypto/cms.h"

#include <ctype.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <time.h>

#define FILE_MAX ((size_t)512 << 20)

/* ICCIDs of one batch; `theirs`: of the supplier of the delivery. */
struct cards {
	char from[21], to[21];
	bool theirs;
};

struct delivery {
	struct cms_file *cms;
	uint8_t *file;
	size_t n;
	char digest[65], supplier[64];
	struct cards *cards;
	size_t cards_n;
};

/* --- what the journal hears ------------------------------------------------------------------ */

static int note(struct import *m, struct view mode, const char *text)
{
	const struct delivery *d = m->delivery;
	const char *slash = strrchr(m->path, '/');
	struct keep req = {.op = KEEP_NOTE}, rep;
	char line[1024];

	snprintf(line, sizeof line, "%.200s%s%s: %.500s", slash ? slash + 1 : m->path, d ? ", SHA-256 " : "",
		 d ? d->digest : "", text);
	keep_put_text(&req, KEEP_MODE, mode);
	keep_put_text(&req, KEEP_KEY, view_of(d && d->supplier[0] ? d->supplier : "nobody's"));
	keep_put_text(&req, KEEP_HEADER, view_of(line));
	return reach_call(&m->reach, "import", &req, &rep);
}

static int refuse(struct import *m, const char *why)
{
	fprintf(stderr, "merlon import: %s: %s\n", m->path, why);
	(void)note(m, VIEW("refused"), why);
	return EXIT_FAILED;
}

int delivery_plain(struct import *m)
{
	return m->reach.conf.import_plain ? EXIT_DONE
					  : refuse(m, "keys in a plain file, which import.plain forbids: a "
						      "supplier's signed and encrypted delivery is wanted");
}

/* --- the file --------------------------------------------------------------------------------- */

static bool begins_as_cms(FILE *in)
{
	uint8_t head[32];
	size_t n = fread(head, 1, sizeof head, in);

	rewind(in);
	return cms_is((struct view){head, n});
}

static bool read_whole(struct delivery *d, FILE *in)
{
	long size = fseek(in, 0, SEEK_END) == 0 ? ftell(in) : -1;
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	rewind(in);
	if (size <= 0 || (size_t)size > FILE_MAX || !(d->file = malloc((size_t)size)))
		return false;
	d->n = fread(d->file, 1, (size_t)size, in);
	if (EVP_Digest(d->file, d->n, hash, &n, EVP_sha256(), NULL) != 1)
		return false;
	for (unsigned int i = 0; i < n && i < 32; i++)
		snprintf(d->digest + 2 * i, 3, "%02x", hash[i]);
	return d->n == (size_t)size;
}

/* --- the records ------------------------------------------------------------------------------ */

static json_t *list(struct import *m, struct view object)
{
	struct keep req = {.op = KEEP_LIST}, rep;

	keep_put_text(&req, KEEP_OBJECT, object);
	keep_put_text(&req, KEEP_MODE, VIEW("json"));
	keep_put_num(&req, KEEP_MOST, KEEP_ROWS_MAX);
	if (reach_call(&m->reach, "import", &req, &rep) != EXIT_DONE)
		return NULL;
	return json_loadb((const char *)rep.text[KEEP_BODY].p, rep.text[KEEP_BODY].n, 0, NULL);
}

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "";
}

/* As people write it: colons and capitals do not count. */
static bool same_print(const char *record, const char *print)
{
	for (; *record; record++) {
		if (*record == ':')
			continue;
		if (tolower((unsigned char)*record) != *print)
			return false;
		print++;
	}
	return *print == 0;
}

/* Times are written so that they sort as text (records: 2026-11-25T10:00:00Z). */
static bool past(const char *until)
{
	time_t now = time(NULL);
	struct tm tm;
	char text[32];

	gmtime_r(&now, &tm);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return strcmp(until, text) <= 0;
}

/* The supplier that signed it; NULL: it may deliver; else why not, in `why`. */
static const char *supplier_fault(struct import *m, char why[512])
{
	struct delivery *d = m->delivery;
	json_t *all = list(m, VIEW("supplier")), *o, *found = NULL;
	const char *until;
	size_t i;

	if (!all)
		return "the suppliers cannot be read";
	json_array_foreach(all, i, o)
	{
		if (same_print(text_of(o, "certificate"), cms_signer(d->cms)))
			found = o;
	}
	until = text_of(found, "sas_until");
	snprintf(d->supplier, sizeof d->supplier, "%s", text_of(found, "name"));
	why[0] = 0;
	if (!found)
		snprintf(why, 512,
			 "signed by %.120s, a certificate that no supplier's record has (SHA-256 %s)",
			 cms_subject(d->cms), cms_signer(d->cms));
	else if (m->how->supplier && strcmp(m->how->supplier, d->supplier) != 0)
		snprintf(why, 512, "signed by %s, not by %.60s", d->supplier, m->how->supplier);
	else if (!until[0])
		snprintf(why, 512, "%s has no SAS accreditation in its record (sas_until)", d->supplier);
	else if (past(until))
		snprintf(why, 512, "the SAS accreditation of %s ended %.20s", d->supplier, until);
	json_decref(all);
	return why[0] ? why : NULL;
}

static bool read_cards(struct import *m)
{
	struct delivery *d = m->delivery;
	json_t *all = list(m, VIEW("batch")), *o;
	size_t i;

	d->cards = all ? calloc(json_array_size(all) + 1, sizeof *d->cards) : NULL;
	json_array_foreach(all, i, o)
	{
		struct cards *c = d->cards ? &d->cards[d->cards_n++] : &(struct cards){0};

		snprintf(c->from, sizeof c->from, "%s", text_of(o, "iccid_from"));
		snprintf(c->to, sizeof c->to, "%s", text_of(o, "iccid_to"));
		c->theirs = strcmp(text_of(o, "supplier"), d->supplier) == 0;
	}
	json_decref(all);
	return d->cards != NULL;
}

const char *delivery_card(const struct delivery *d, struct view iccid)
{
	char text[21] = "";

	if (!view_text(iccid, text, sizeof text))
		return NULL; /* the keeper refuses it */
	for (size_t i = 0; i < d->cards_n; i++) {
		const struct cards *c = &d->cards[i];

		if (!c->theirs && strlen(c->from) == iccid.n && strcmp(c->from, text) <= 0 &&
		    strcmp(c->to, text) >= 0)
			return "iccid: lies in a batch of another supplier";
	}
	return NULL;
}

/* --- from begin to end ------------------------------------------------------------------------ */

static int unpack(struct import *m)
{
	const struct conf *conf = &m->reach.conf;
	struct delivery *d = m->delivery;
	char why[512], reason[600];
	struct view text = {NULL, 0};
	const char *fault;

	if (!read_whole(d, m->in))
		return refuse(m, "cannot be read whole, or is longer than 512 MiB");
	d->cms = cms_verify((struct view){d->file, d->n}, (uint64_t)time(NULL), why);
	fault = d->cms ? supplier_fault(m, reason) : why;
	if (!fault && !conf->import_key[0])
		fault = "there is no key that it could be encrypted for (import.key)";
	if (!fault && cms_open(d->cms, conf->import_key, conf->import_cert, &text, why) != ERR_OK)
		fault = why;
	if (!fault && (text.n == 0 || !read_cards(m)))
		fault = text.n ? "the batches cannot be read" : "is empty";
	if (fault)
		return refuse(m, fault);
	fclose(m->in);
	m->in = fmemopen((void *)(uintptr_t)text.p, text.n, "r");
	return m->in ? EXIT_DONE : EXIT_FAILED;
}

int delivery_begin(struct import *m)
{
	if (m->in == stdin || !begins_as_cms(m->in)) {
		if (!m->how->supplier)
			return EXIT_DONE;
		return refuse(m, "is no signed delivery of a supplier");
	}
	m->delivery = calloc(1, sizeof *m->delivery);
	return m->delivery ? unpack(m) : EXIT_FAILED;
}

int delivery_end(struct import *m, int code)
{
	struct delivery *d = m->delivery;
	char text[128];

	if (!d)
		return code;
	if (code == EXIT_DONE) {
		snprintf(text, sizeof text, "%llu records, %llu lines refused", (unsigned long long)m->done,
			 (unsigned long long)m->refused);
		code = note(m, VIEW("taken"), text);
	}
	m->delivery = NULL;
	cms_free(d->cms);
	free(d->file);
	free(d->cards);
	free(d);
	return code;
}
