/* The portal role: the pages and API that people work with (docs/portal.md), and the OpenID provider for
 * devices (docs/sign-on.md). A network application
 * (NAF) of GBA: it turns a bootstrapped SIM into short-lived signed tokens for IoT service platforms,
 * and relays signed messages. It reads the serving copy, asks home for keys over Zn, the keeper for
 * platforms. */
#pragma once
#include "loop/loop.h"
#include "loop/tls.h"

struct portal;

struct portal_conf {
	const char *data_dir;		   /* serving.* */
	const char *dir;		   /* its own: signing keys */
	const char *keeper;		   /* the keeper's socket */
	const struct endpoint *listen;	   /* TCP */
	const struct tls_pem *chain, *key; /* of HTTPS; borrowed for the call */
	const char *issuer;		   /* "https://name:port" */
	const char *naf;		   /* the name in NAF_Id */
	const char *host, *realm;	   /* Origin-Host, Origin-Realm on Zn */
	const char *bsf_host;		   /* Origin-Host of home */
	const struct endpoint *home;	   /* Zn, TCP; NULL: no sign-on for devices */
	uint32_t token_s;		   /* how long a token lives */
	uint32_t key_days;		   /* how long a signing key is used */
	bool tls13;			   /* nothing older than TLS 1.3 */
	const char *address;		   /* "127.0.0.1:8443", of the set-up link */
	const char *hosts;		   /* other names that people reach it by; NULL: none */
	const char *events;		   /* the event store; NULL: none */
	const char *pages;		   /* folder of the built pages; NULL: the API alone */
	uint32_t step_up_s;		   /* how long a second factor opens dangerous acts */
	uint32_t idle_s, session_s;	   /* when a session ends: unused; at all */
	uint32_t rate;			   /* requests a second of one person */
};

/* Open everything. ERR_CONFIG, ERR_IO with one clear line in `why`. */
enum err MUST_USE portal_start(struct portal **p, const struct portal_conf *conf, char why[256]);
void portal_run(struct portal *p);  /* until portal_stop, or until the keeper is gone for good */
void portal_stop(struct portal *p); /* any thread */
void portal_free(struct portal *p);
