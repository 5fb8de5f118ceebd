/* The supervisor's part in TLS. It alone may open the key's file, once it runs: it hands the open file to the
 * signer, and never reads a byte of it, for what it holds in memory its children would inherit. */
#include "cli/house.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MS 10000 /* a CRL may be long */

bool certify_wanted(const struct conf *c)
{
	if (!c->tls_chain[0])
		return false;
	for (size_t i = 0; i < c->roles.n; i++) {
		const struct role *r = role_find(c->roles.text[i]);

		if (r && r->asks)
			return true;
	}
	return false;
}

static struct seat *signer_of(struct house *h)
{
	for (size_t i = 0; i < h->seat_n; i++) {
		if (strcmp(h->seat[i].role->name, "signer") == 0)
			return h->seat[i].child.pid > 0 && h->seat[i].up ? &h->seat[i] : NULL;
	}
	return NULL;
}

/* --- lines --------------------------------------------------------------------------------------- */

/* The signer's end goes to it; the other is returned. -1: it cannot be. */
static int new_line(struct house *h, const struct seat *s)
{
	struct seat *signer = signer_of(h);
	char text[CHILD_TEXT];
	int pair[2];
	bool told;

	if (!signer || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return -1;
	snprintf(text, sizeof text, SAY_LINE "%s", s->role->name);
	told = child_say(signer->child.control, CHILD_RELOAD, text, &pair[0], 1);
	close(pair[0]);
	if (told)
		return pair[1];
	close(pair[1]);
	return -1;
}

bool certify_line(struct house *h, struct seat *s)
{
	s->line_fd = new_line(h, s);
	return s->line_fd >= 0;
}

/* --- certificates -------------------------------------------------------------------------------- */

struct parcel {
	int fd[CHILD_FDS];
	size_t n;
};

static void put_away(struct parcel *p)
{
	while (p->n > 0)
		close(p->fd[--p->n]);
}

static enum err pack_file(struct parcel *p, const char *what, const char *path, char why[256])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd >= 0) {
		p->fd[p->n++] = fd;
		return ERR_OK;
	}
	snprintf(why, 256, "tls.%s %.180s: %s", what, path, strerror(errno));
	return ERR_CONFIG;
}

/* The paths, for what is said about the files. */
static enum err pack_conf(struct parcel *p, const struct conf *c, char why[256])
{
	const char *path[4] = {c->tls_chain, c->tls_key, c->tls_ca, c->tls_crl};
	char text[4 * CONF_TEXT_MAX] = {0};
	int fd;

	for (size_t i = 0; i < 4; i++)
		memcpy(text + i * CONF_TEXT_MAX, path[i], CONF_TEXT_MAX);
	fd = child_memfd("merlon-paths", (struct view){(uint8_t *)text, sizeof text});
	if (fd >= 0) {
		p->fd[p->n++] = fd;
		return ERR_OK;
	}
	snprintf(why, 256, "tls: %s", strerror(errno));
	return ERR_CONFIG;
}

static void close_all(struct child_message *m)
{
	while (m->fd_n > 0)
		close(m->fds[--m->fd_n]);
}

/* What a role said that nobody asked: in the hands of an attacker it must not speak for the next answer. */
static void forget_unasked(const struct seat *s)
{
	struct child_message m;

	for (int i = 0; i < 4096 && child_hear(s->child.control, &m, 0) == ERR_OK; i++)
		close_all(&m);
}

/* Hand over, and hear what the role makes of it. */
static enum err tell(struct seat *s, const char *word, const struct parcel *p, char why[256])
{
	struct child_message m;
	enum err err;

	forget_unasked(s);
	if (!child_say(s->child.control, CHILD_RELOAD, word, p->fd, p->n)) {
		snprintf(why, 256, "%s does not hear", s->role->name);
		return ERR_IO;
	}
	err = child_hear(s->child.control, &m, ANSWER_MS);
	if (!err)
		close_all(&m);
	if (!err && m.word == CHILD_READY)
		return ERR_OK;
	if (!err && m.word == CHILD_FAILED)
		snprintf(why, 256, "%.250s", m.text);
	else
		snprintf(why, 256, "%s did not answer", s->role->name);
	return ERR_CONFIG;
}

enum err certify_signer(struct house *h, const struct conf *c, char why[256])
{
	struct seat *signer = signer_of(h);
	struct parcel p = {.n = 0};
	enum err err = pack_conf(&p, c, why);

	if (!err)
		err = pack_file(&p, "chain", c->tls_chain, why);
	if (!err)
		err = pack_file(&p, "key", c->tls_key, why);
	if (!err && !signer) {
		snprintf(why, 256, "the signer is not there");
		err = ERR_IO;
	}
	if (!err)
		err = tell(signer, SAY_KEYS, &p, why);
	put_away(&p);
	return err;
}

static enum err certify_seat(struct seat *s, const struct conf *c, char why[256])
{
	struct parcel p = {.n = 0};
	enum err err = pack_conf(&p, c, why);

	if (!err)
		err = pack_file(&p, "chain", c->tls_chain, why);
	if (!err)
		err = pack_file(&p, "ca", c->tls_ca, why);
	if (!err && c->tls_crl[0])
		err = pack_file(&p, "crl", c->tls_crl, why);
	if (!err)
		err = tell(s, SAY_CERTIFICATES, &p, why);
	put_away(&p);
	return err;
}

enum err certify_all(struct house *h, const struct conf *c, char why[256])
{
	enum err err = certify_signer(h, c, why);

	for (size_t i = 0; i < h->seat_n && !err; i++) {
		if (h->seat[i].role->asks && h->seat[i].up)
			err = certify_seat(&h->seat[i], c, why);
	}
	if (!err) /* only now does nobody show the former certificate any more */
		(void)child_say(signer_of(h)->child.control, CHILD_RELOAD, SAY_FORGET, NULL, 0);
	return err;
}

void certify_again(struct house *h)
{
	char why[256];

	for (size_t i = 0; i < h->seat_n; i++) {
		struct seat *s = &h->seat[i];
		char text[CHILD_TEXT];
		int fd;

		if (!s->role->asks || !s->up)
			continue;
		fd = new_line(h, s);
		snprintf(text, sizeof text, SAY_LINE "%s", s->role->name);
		if (fd < 0 || !child_say(s->child.control, CHILD_RELOAD, text, &fd, 1))
			fprintf(stderr, "merlon: %s: no line to the signer\n", s->role->name);
		if (fd >= 0)
			close(fd);
	}
	if (certify_all(h, &h->conf, why) != ERR_OK)
		fprintf(stderr, "merlon: %s\n", why);
}
