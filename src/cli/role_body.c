/* What a role's process does: maps its page, opens all, enters its sandbox, serves, hears the supervisor. */
#include "base/log.h"
#include "cli/args.h"
#include "cli/house.h"

#ifdef COMPROMISE
#include "compromise/compromise.h"
#endif

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct listener {
	struct role_env *env;
	int control;
};

static void take_over(struct role_env *e, const struct conf *c)
{
	log_show((enum log_level)c->log_level);
	log_clear_identities(c->log_identities == 1);
	if (e->role->reload)
		e->role->reload(e, c);
}

static void reload(struct role_env *e, const struct child_message *m)
{
	struct conf c;
	char why[256], *text;
	size_t n;

	if (m->fd_n != 1)
		return;
	text = child_read(m->fds[0], 65536, &n);
	if (text && conf_parse((struct view){(uint8_t *)text, n}, "reload", &c, why) == ERR_OK)
		take_over(e, &c);
	free(text);
}

/* The descriptors of SAY_KEYS, SAY_CERTIFICATES, behind that of the paths. */
static enum err read_pems(const struct child_message *m, bool keys, const char *path,
			  struct tls_pems *p, char why[256])
{
	enum err err = tls_read_fd("chain", path, m->fds[1], &p->chain, why);

	if (!err && keys)
		err = tls_read_fd("key", path + CONF_TEXT_MAX, m->fds[2], &p->key, why);
	else if (!err)
		err = tls_read_fd("ca", path + 2 * CONF_TEXT_MAX, m->fds[2], &p->ca, why);
	if (!err && m->fd_n > 3)
		err = tls_read_fd("crl", path + 3 * CONF_TEXT_MAX, m->fds[3], &p->crl, why);
	return err;
}

/* What was refused changes nothing; the supervisor hears why. */
static void renew(struct listener *l, const struct child_message *m, bool keys)
{
	struct role_env *e = l->env;
	struct tls_pems p = {0};
	char why[256] = "no certificates came";
	enum err err = ERR_CONFIG;
	char *path = NULL;
	size_t n = 0;

	if (m->fd_n >= 3 && e->role->renew)
		path = child_read(m->fds[0], 4 * CONF_TEXT_MAX, &n);
	if (path && n == 4 * CONF_TEXT_MAX)
		err = read_pems(m, keys, path, &p, why);
	if (!err)
		err = e->role->renew(e, &p, why);
	if (!err)
		LOG(LOG_NOTE, "role.certificate_renewed", kv_text("chain", path));
	child_say(l->control, err ? CHILD_FAILED : CHILD_READY, err ? why : NULL, NULL, 0);
	tls_forget(&p.chain);
	tls_forget(&p.key);
	tls_forget(&p.ca);
	tls_forget(&p.crl);
	free(path);
}

static void new_line(struct role_env *e, const char *role, struct child_message *m)
{
	if (m->fd_n != 1)
		return;
	if (e->signer)
		(void)signer_line(e->signer, role, m->fds[0]);
	else if (e->line)
		sign_line_take(e->line, m->fds[0]);
	else
		return;
	m->fd_n = 0; /* it is theirs */
}

static void hear(struct listener *l, struct child_message *m)
{
	if (strcmp(m->text, SAY_CONF) == 0)
		reload(l->env, m);
	else if (strcmp(m->text, SAY_KEYS) == 0)
		renew(l, m, true);
	else if (strcmp(m->text, SAY_CERTIFICATES) == 0)
		renew(l, m, false);
	else if (strcmp(m->text, SAY_FORGET) == 0 && l->env->signer)
		signer_forget(l->env->signer);
	else if (strcmp(m->text, SAY_LISTS) == 0 && l->env->role->lists && m->fd_n == 1)
		l->env->role->lists(l->env, m->fds[0]);
	else if (strncmp(m->text, SAY_LINE, strlen(SAY_LINE)) == 0)
		new_line(l->env, m->text + strlen(SAY_LINE), m);
}

/* Hears the supervisor while the role works: stop, reload. */
static void *listen_to_supervisor(void *ctx)
{
	struct listener *l = ctx;
	struct child_message m;

	while (child_hear(l->control, &m, -1) == ERR_OK) {
		if (m.word == CHILD_STOP || m.word == CHILD_GONE)
			break;
		if (m.word == CHILD_RELOAD)
			hear(l, &m);
		for (size_t i = 0; i < m.fd_n; i++)
			close(m.fds[i]);
	}
	l->env->role->stop(l->env);
	return NULL;
}

static void *map_page(int fd, int prot)
{
	void *p = mmap(NULL, sizeof(struct role_page), prot, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Its own page; watch sees everybody's, by descriptors that only read. */
static bool map_pages(struct house *h, const struct seat *mine, struct role_env *e)
{
	e->page = map_page(mine->page_fd, PROT_READ | PROT_WRITE);
	if (!e->page)
		return false;
	memset(e->page, 0, sizeof *e->page); /* what a killed one left there counts no more */
	close(mine->page_fd);
	for (size_t i = 0; i < h->seat_n && e->role->sees; i++) {
		struct seat *s = &h->seat[i];

		e->watch.role[i] = (struct watch_role){
		    s->role->name, map_page(s->page_ro, PROT_READ), s->event_out};
		if (!e->watch.role[i].page)
			return false;
		close(s->page_ro);
	}
	e->watch.role_n = h->seat_n;
	return true;
}

static enum err enter_sandbox(struct house *h, struct role_env *e, char why[256])
{
	char name[64], degraded[128] = "", stores[CONF_TEXT_MAX];
	const char *dir = e->role->stores && conf_stores(&h->conf, stores) ? stores : h->conf.data_dir;
	struct sandbox box = {.user = prepare_user(&h->conf, e->role, name),
			      .network = e->role->network,
			      .threads = true,
			      .write_dir = e->role->writes ? dir : NULL};
	enum err err = box.user ? prepare_owner(dir, e->role->own, box.user, why) : ERR_OK;

	if (e->role->confine)
		e->role->confine(e, &box);
	if (!err)
		err = sandbox_enter(&box, degraded, why);
	if (!err && degraded[0])
		LOG(LOG_NOTE, "role.sandbox_less", kv_text("what", degraded));
	return err;
}

/* A terminal or a log is the supervisor's: what the role prints goes there through a pipe. */
static void part_from_terminal(const struct seat *s)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		close(null);
	}
	dup2(s->said_in, STDOUT_FILENO);
	dup2(s->said_in, STDERR_FILENO);
	close(s->said_in);
}

int role_body(void *ctx, int control)
{
	struct house *h = ctx;
	const struct seat *s = h->starting;
	struct role_env *e = calloc(1, sizeof *e);
	struct listener l = {e, control};
	struct child_message m;
	pthread_t thread;
	char why[256] = "out of memory";
	enum err err = ERR_FULL;

	part_from_terminal(s);
	signal(SIGINT, SIG_IGN); /* Ctrl-C is the supervisor's to hear */
	log_init(s->role->name, h->site_key, (enum log_level)h->conf.log_level);
	log_clear_identities(h->conf.log_identities == 1);
	log_to(s->event_in);
	if (e)
		e->role = s->role;
	if (e && map_pages(h, s, e)) {
		e->line_fd = s->line_fd;
		e->conf = h->conf;
		e->demo = h->how->demo;
		memcpy(e->site_key, h->site_key, sizeof e->site_key);
		metric_map(&e->page->metrics);
		err = s->role->open(e, why);
	}
#ifdef COMPROMISE
	if (!err)
		compromise_arm(e, control);
#endif
	if (!err)
		err = enter_sandbox(h, e, why);
#ifdef COMPROMISE
	if (!err)
		compromise_start(e);
#endif
	if (err) {
		child_say(control, CHILD_FAILED, why, NULL, 0);
		return EXIT_CONFIG;
	}
	child_say(control, CHILD_READY, NULL, NULL, 0);
	if (child_hear(control, &m, -1) != ERR_OK || m.word != CHILD_GO)
		return EXIT_FAILED;
	__atomic_store_n(&e->page->live.ready, 1, __ATOMIC_RELAXED);
	LOG(LOG_NOTE, "role.up", kv_text("name", s->role->name));
	if (pthread_create(&thread, NULL, listen_to_supervisor, &l) != 0)
		return EXIT_FAILED;
	s->role->run(e);
	__atomic_store_n(&e->page->live.ready, 0, __ATOMIC_RELAXED);
	LOG(LOG_NOTE, "role.down", kv_text("name", s->role->name));
	return EXIT_DONE;
}

