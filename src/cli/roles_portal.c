/* From the configuration to the portal. */
#include "cli/roles.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

static enum err certificate(struct role_portal *r, const struct conf *c, char why[256])
{
	enum err err;

	if (!c->portal_chain[0] || !c->portal_key[0]) {
		snprintf(why, 256, "portal.chain, portal.key: the portal speaks HTTPS alone: give both");
		return ERR_CONFIG;
	}
	err = tls_read_file("chain", c->portal_chain, &r->chain, why);
	return err ? err : tls_read_file("key", c->portal_key, &r->key, why);
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
	enum err err = certificate(r, c, why);

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
	    .home = &r->home,
	    .token_s = c->portal_token_s,
	    .key_days = c->portal_key_days,
	};
	if (!err)
		err = roles_http("portal.listen", c->portal_listen, &r->at, why);
	if (!err)
		err = roles_http("portal.home", c->portal_home, &r->home, why);
	if (!err)
		err = paths(r, c, why);
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
