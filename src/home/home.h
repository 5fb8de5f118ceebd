/* The home role: IoT HSS and EIR (S6a, S6d: TS 29.272; S13). Answers from the serving copy; keys in
 * the vault `auc`; registrations durable before the answer. */
#pragma once
#include "home/auc_socket.h"
#include "home/bsf.h"
#include "home/gsup.h"
#include "home/hlr.h"
#include "loop/loop.h"
#include "loop/tls.h"

struct home;

struct home_conf {
	const char *data_dir;	 /* serving.* */
	const char *stores;	 /* registrations, vault, sqn, spool; NULL: data_dir */
	uint32_t partition;	 /* of the subscriptions, the one served here (R-5.1.i) */
	const char *master_key;	 /* path of the master key file, or pkcs11: URI of a token's key */
	const char *pin;	 /* the file of that token's PIN; NULL: as the URI says */
	struct view host, realm; /* Origin-Host, Origin-Realm */
	uint64_t own_plmn;
	const struct endpoint *listen;
	size_t listen_n;
	struct tls *tls;	   /* NULL: no TLS listener */
	uint8_t node_id;	   /* of this node, 0..3: IND = node * 8 + serving domain */
	bool unknown_equipment_ok; /* an IMEI without an entry is white (else 5422) */
	uint32_t watchdog_ms;
	uint32_t vector_max; /* vectors a request, 1..5 */
	bool swx;	     /* serve AAA servers of our realm (SWx) */
	struct auc_conf auc; /* path NULL: no Wi-Fi access */
	const struct bsf_conf *bsf; /* NULL: no bootstrapping server */
	struct gsup_conf gsup;
	struct hlr_conf hlr;
	uint32_t pace;	     /* CLR, IDR, DSR a second that home sends by itself; 0: 200 */
};

/* Open everything, listening sockets too; one clear line in `why` (which file, which port). */
enum err MUST_USE home_start(struct home **h, struct loop *loop, const struct home_conf *conf,
			     char why[256]);
/* The loop runs elsewhere. Called before it stops: DPR to peers, commit what waits. */
void home_stop(struct home *h);
/* A newer generation of the bulk equipment lists (borrowed); checks it, and waits until the older one is
 * not read any more. Any thread but the loop's. */
void home_lists(struct home *h, int fd);
void home_free(struct home *h);
