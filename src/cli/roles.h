/* The roles that merlon run can start: how each is opened from the configuration, run, stopped. */
#pragma once
#include "base/live.h"
#include "cli/conf.h"
#include "edge/edge.h"
#include "home/home.h"
#include "inspect/inspect.h"
#include "keeper/keeper.h"
#include "loop/sandbox.h"
#include "loop/sign.h"
#include "portal/portal.h"
#include "signer/signer.h"
#include "watch/watch.h"

#include <stdatomic.h>

#define ROLE_MAX 8

/* The bootstrapping server of home. */
struct role_gba {
	struct bsf_conf conf;
	struct endpoint at;
	struct tls_pem chain, key; /* until home has opened */
};

struct role_portal {
	struct portal_conf conf;
	struct portal *portal;
	struct endpoint at, home;
	struct tls_pem chain, key; /* until it has opened */
	char dir[CONF_TEXT_MAX + 16], keeper[CONF_TEXT_MAX + 16];
};

struct role_inspect {
	struct inspect_conf conf;
	struct inspect_role *role;
};

/* What a role's process has in hand. */
struct role_env {
	const struct role *role;
	struct conf conf;
	uint8_t site_key[16];
	bool demo;		 /* keeper: load the demo network */
	struct role_page *page;	 /* its own */
	struct watch_conf watch; /* of the watch role: everybody's pages and event sockets */
	int line_fd;		/* to the signer; -1: none. The role takes it */
	struct sign_line *line; /* the same, open */
	struct tls *tls;
	struct signer *signer;
	struct loop *loop; /* of home */
	uint16_t port[EDGE_LIST_MAX * 2 + SS7_LINK_MAX]; /* of edge: those it dials */
	struct edge_conf edge_conf;
	struct home_conf home_conf;
	struct role_gba gba;
	struct role_portal portal;
	struct role_inspect inspect;
	struct keeper_conf keeper_conf;
	struct endpoint listen[CONF_LIST_MAX];
	char stores[CONF_TEXT_MAX]; /* of home */
	char home_user[64]; /* of keeper */
	char secret[CONF_TEXT_MAX]; /* of home: where its master key is */
	char pin[CONF_TEXT_MAX];    /* of home: where the PIN of the token is that has it */
	struct edge *edge;
	struct home *home;
	struct keeper *keeper;
	struct watch *watcher;
	_Atomic bool stop;
};

struct role {
	const char *name;
	uint8_t order; /* started in this order, stopped in the reverse */
	bool early;    /* serves before the others open: they need it for that */
	enum err (*open)(struct role_env *e, char why[256]);
	void (*run)(struct role_env *e);
	void (*stop)(struct role_env *e);			  /* any thread */
	void (*reload)(struct role_env *e, const struct conf *c); /* any thread; may be NULL */
	/* Renewed certificates: of the signer, chain and key. Any thread; NULL: no TLS. */
	enum err (*renew)(struct role_env *e, const struct tls_pems *p, char why[256]);
	/* What its sandbox has more than others'; may be NULL. */
	void (*confine)(const struct role_env *e, struct sandbox *box);
	bool asks; /* it speaks TLS, and has signatures made by the signer */
	bool sees; /* everybody's page and events */
	void (*lists)(struct role_env *e, int fd); /* a generation of equipment lists; any thread; or NULL */
	bool network, writes; /* its sandbox: sockets; files below data_dir */
	const char *own[16];  /* what is its own in its directory; "" is the directory itself */
	bool stores;	      /* that is conf_stores(), else data_dir */
};

/* edge.partitions. ERR_CONFIG with one clear line. */
enum err MUST_USE roles_partitions(const struct conf_list *list, struct edge_conf *to, char why[256]);
/* A list of addresses; `to` has room for CONF_LIST_MAX. ERR_CONFIG as above. */
enum err MUST_USE roles_endpoints(const char *key, const struct conf_list *list, struct endpoint *to,
				  size_t *n, char why[256]);
/* edge.m3ua and what belongs to it. */
enum err MUST_USE roles_ss7(const struct conf *c, struct ss7_conf *s, char why[256]);
/* The ports that it dials, into `port` (box->port_n of them are there), and whether it needs SCTP. */
void roles_ss7_confine(const struct ss7_conf *s, uint16_t *port, struct sandbox *box);
/* One item of it; false: it is none. */
bool roles_ss7_link(const char *text, struct ss7_link *l);
/* All that home listens to, into e->home_conf. */
enum err MUST_USE roles_home_doors(struct role_env *e, char why[256]);
/* home.gsup_*, home.m3ua and home.map_*. */
enum err MUST_USE roles_hlr(const struct conf *c, struct home_conf *h, char why[256]);
/* home.gsup_*. */
enum err MUST_USE roles_gsup(const struct conf *c, struct gsup_conf *g, char why[256]);

/* "ADDRESS:PORT" of an HTTP server. ERR_CONFIG with one clear line. */
enum err MUST_USE roles_http(const char *key, const char *text, struct endpoint *to, char why[256]);
/* gba.*, into e->gba and e->home_conf. The same. roles_gba_forget wipes what of it home has taken over. */
enum err MUST_USE roles_gba(struct role_env *e, char why[256]);
void roles_gba_forget(struct role_env *e);

/* The portal, for its row. */
enum err MUST_USE portal_open(struct role_env *e, char why[256]);
void portal_serve(struct role_env *e);
void portal_end(struct role_env *e);
void portal_confine(const struct role_env *e, struct sandbox *box);

/* inspect.*, but its key. ERR_CONFIG with one clear line. And the packet path, for its row. */
enum err MUST_USE roles_inspect(const struct conf *c, struct inspect_conf *to, char why[256]);
enum err MUST_USE inspect_open(struct role_env *e, char why[256]);
void inspect_serve(struct role_env *e);
void inspect_close(struct role_env *e);
void inspect_confine(const struct role_env *e, struct sandbox *box);

extern const struct role roles[];
extern const size_t role_n;
const struct role *role_find(const char *name);
