/* The inspect role: a bump in the wire between two interfaces, or a tap. It has no address, and its
 * neighbours notice nothing of it but what it refuses. A worker, a thread, a pair. */
#pragma once
#include "inspect/allow.h"
#include "loop/nic.h"

struct inspect_role;

#define INSPECT_PAIRS 8
#define INSPECT_SESSIONS "sessions" /* in data_dir: the session table */

/* Two interfaces; or one, of a tap: `b` is "". */
struct inspect_pair {
	char a[16], b[16];
};

struct inspect_conf {
	const char *data_dir;    /* the serving copy is read there */
	uint8_t key[16];         /* the site's */
	struct inspect_pair pair[INSPECT_PAIRS];
	size_t pair_n;
	bool fail_open;          /* without us, the kernel forwards; else nothing is */
	enum nic_kind driver;
	uint32_t watchdog_ms;    /* a worker that says nothing for so long is taken for dead */
	uint32_t ring_mb, sessions, idle_s;
	bool mark, plain;        /* struct pipe_conf */
	struct allow_conf allow; /* without its key */
	const char *categories;  /* of GTP-C, where they are not as shipped */
	uint32_t capacity, concurrency; /* session requests of a gateway: a second (0: learned), at once */
};

/* "eth1=eth2". ERR_CONFIG. */
enum err MUST_USE inspect_pair_parse(const char *text, struct inspect_pair *to);
/* "10.0.0.0/8", "2001:db8::/32". ERR_CONFIG. */
enum err MUST_USE inspect_prefix_parse(const char *text, struct allow_prefix *to);

/* Open interfaces and records; needs CAP_NET_RAW and CAP_NET_ADMIN, and CAP_BPF to fail open. Nothing is read
 * yet. ERR_CONFIG, ERR_IO with one clear line. Borrows `conf` for its life. */
enum err MUST_USE inspect_start(struct inspect_role **r, const struct inspect_conf *conf, char why[256]);
/* Forward until inspect_stop, which any thread may call. */
void inspect_run(struct inspect_role *r);
void inspect_stop(struct inspect_role *r);
void inspect_free(struct inspect_role *r);
