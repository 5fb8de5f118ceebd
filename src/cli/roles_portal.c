/* From the configuration to the portal. */
#include "cli/roles.h"

#include "base/log.h"
#include "portal/selfsign.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Configured, or, where none is, one of its own. */
static enum err certificate(struct role_portal *r, const struct conf *c, char why[256])
{
	char chain[CONF_TEXT_MAX + 32], key[CONF_TEXT_MAX + 32], names[2 * CONF_TEXT_MAX + 2];
	enum err err = ERR_OK;

	if (!c->portal_chain[0] != !c->portal_key[0]) {
		snprintf(why, 256, "portal.chain, portal.key: give both, or neither");
		return ERR_CONFIG;
	}
	snprintf(chain, sizeof chain, "%s%s", c->portal_chain[0] ? c->portal_chain : r->dir,
		 c->portal_chain[0] ? "" : "/tls.chain");
	snprintf(key, sizeof key, "%s%s", c->portal_key[0] ? c->portal_key : r->dir,
		 c->portal_key[0] ? "" : "/tls.key");
	snprintf(names, sizeof names, "%s %s", c->portal_name, c->portal_hosts);
	if (!c->portal_chain[0])
		err = selfsign(r->dir, names, why);
	if (!err)
		err = tls_read_file("chain", chain, &r->chain, why);
	return err ? err : tls_read_file("key", key, &r->key, why);
}

/* The built pages, where they are: named, in the build folder (BUILD/web, for BUILD/src/cli/merlon), or
 * installed. */
static const char *pages(const struct conf *c)
{
	static char built[CONF_TEXT_MAX + 8];
	static const char installed[] = MERLON_SHARE "/web";
	ssize_t n = readlink("/proc/self/exe", built, CONF_TEXT_MAX);
	char *end;

	if (c->portal_pages[0])
		return c->portal_pages;
	built[n > 0 ? n : 0] = 0;
	for (int i = 0; i < 3 && (end = strrchr(built, '/')); i++)
		*end = 0;
	if (built[0]) {
		memcpy(built + strlen(built), "/web", 5);
		if (access(built, R_OK) == 0)
			return built;
	}
	return access(installed, R_OK) == 0 ? installed : NULL;
}

static enum err paths(struct role_portal *r, const struct conf *c, char why[256])
{
	snprintf(r->dir, sizeof r->dir, "%s/portal", c->data_dir);
	snprintf(r->keeper, sizeof r->keeper, "%s/keeper.sock", c->data_dir);
	if (mkdir(r->dir, 0700) == 0 || errno == EEXIST)
		return ERR_OK;
	snprintf(why, 256, "%.180s: %s", r->dir, strerror(errno));
	return ERR_IO;
}

enum err portal_open(struct role_env *e, char why[256])
{
	struct role_portal *r = &e->portal;
	const struct conf *c = &e->conf;
	enum err err = paths(r, c, why);

	r->conf = (struct portal_conf){
	    .data_dir = c->data_dir,
	    .dir = r->dir,
	    .keeper = r->keeper,
	    .listen = &r->at,
	    .chain = &r->chain,
	    .key = &r->key,
	    .issuer = c->portal_issuer,
	    .naf = c->portal_name,
	    .host = c->portal_host,
	    .realm = c->realm,
	    .bsf_host = c->home_host,
	    .home = c->gba_listen[0] ? &r->home : NULL,
	    .token_s = c->portal_token_s,
	    .key_days = c->portal_key_days,
	    .tls13 = c->portal_tls == 0,
	    .address = c->portal_listen,
	    .hosts = c->portal_hosts,
	    .events = c->watch_store,
	    .pages = pages(c),
	    .step_up_s = c->portal_step_up_s,
	    .idle_s = c->portal_idle_s,
	    .session_s = c->portal_session_s,
	    .rate = c->portal_rate,
	};
	if (!err)
		err = roles_http("portal.listen", c->portal_listen, &r->at, why);
	if (!err)
		err = roles_http("portal.home", c->portal_home, &r->home, why);
	if (!err)
		err = certificate(r, c, why);
	if (!err)
		err = portal_start(&r->portal, &r->conf, why);
	tls_forget(&r->chain);
	tls_forget(&r->key);
	return err;
}

void portal_serve(struct role_env *e)
{
	portal_run(e->portal.portal);
	portal_free(e->portal.portal);
}

void portal_end(struct role_env *e)
{
	portal_stop(e->portal.portal);
}

/* It faces strangers: it dials home alone, and writes its own keys alone. */
void portal_confine(const struct role_env *e, struct sandbox *box)
{
	box->dials_only = true;
	box->port = &e->portal.home.port;
	box->port_n = 1;
	box->write_dir = e->portal.dir;
	box->file_max = 1 << 20;
	box->data_max = 512 << 20;
	box->thread_max = 64;
}
