/* From the configuration to the packet path. */
#include "cli/roles.h"

#include <stdio.h>

static enum err pairs(struct inspect_conf *to, const struct conf *c, char why[256])
{
	for (size_t i = 0; i < c->inspect_pairs.n; i++) {
		if (inspect_pair_parse(c->inspect_pairs.text[i], &to->pair[to->pair_n++]) == ERR_OK)
			continue;
		snprintf(why, 256,
			 "inspect.pairs: %.100s is not INTERFACE=INTERFACE, or one INTERFACE for a tap",
			 c->inspect_pairs.text[i]);
		return ERR_CONFIG;
	}
	if (to->pair_n > 0)
		return ERR_OK;
	snprintf(why, 256, "inspect.pairs: the inspect role needs two interfaces to stand between: a=b");
	return ERR_CONFIG;
}

static enum err pools(struct inspect_conf *to, const struct conf *c, char why[256])
{
	for (size_t i = 0; i < c->inspect_devices.n; i++) {
		if (inspect_prefix_parse(c->inspect_devices.text[i], &to->allow.pool[to->allow.pool_n++]) ==
		    ERR_OK)
			continue;
		snprintf(why, 256,
			 "inspect.devices: %.100s is no prefix such as 10.45.0.0/16 or 2001:db8::/32",
			 c->inspect_devices.text[i]);
		return ERR_CONFIG;
	}
	return ERR_OK;
}

enum err roles_inspect(const struct conf *c, struct inspect_conf *to, char why[256])
{
	enum err err;

	*to = (struct inspect_conf){
	    .data_dir = c->data_dir,
	    .fail_open = c->inspect_fail == 0,
	    .driver = c->inspect_driver == 1 ? NIC_XDP : NIC_PACKET,
	    .watchdog_ms = c->inspect_watchdog_ms,
	    .ring_mb = c->inspect_ring_mb,
	    .sessions = c->inspect_sessions,
	    .idle_s = c->inspect_idle_s,
	    .mark = c->inspect_mark,
	    .plain = c->inspect_plain,
	    .allow = {.sims = c->inspect_sims,
		      .names = c->inspect_names,
		      .private_names = c->inspect_private_names},
	    .categories = c->inspect_categories,
	    .capacity = c->inspect_capacity,
	    .concurrency = c->inspect_concurrency,
	};
	err = pairs(to, c, why);
	return err ? err : pools(to, c, why);
}

enum err inspect_open(struct role_env *e, char why[256])
{
	struct role_inspect *r = &e->inspect;
	enum err err = roles_inspect(&e->conf, &r->conf, why);

	memcpy(r->conf.key, e->site_key, sizeof r->conf.key);
	return err ? err : inspect_start(&r->role, &r->conf, why);
}

void inspect_serve(struct role_env *e)
{
	inspect_run(e->inspect.role);
	inspect_free(e->inspect.role);
}

void inspect_close(struct role_env *e)
{
	inspect_stop(e->inspect.role);
}

/* It reads what strangers send, and has no need of a file or a new socket. */
void inspect_confine(const struct role_env *e, struct sandbox *box)
{
	(void)e;
	box->file_max = 1;
	box->thread_max = 64;
}
