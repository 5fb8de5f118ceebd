/* The authentication centre of hostapd's RADIUS server: EAP-SIM, EAP-AKA and EAP-AKA' for Wi-Fi access
 * (R-5.3.a). A Unix datagram socket; who may write to it is who may draw vectors. */
#pragma once
#include "base/bytes.h"

struct auc;
struct home_worker;
struct waiting_answer;

struct auc_conf {
	const char *path, *group; /* group: whose members may ask; NULL: the owner only */
	uint32_t all_second, each_minute; /* vectors drawn: of all, of one subscriber (vector_limit.h) */
};

/* Bind the socket, in place of one that nobody reads any more. ERR_CONFIG, ERR_EXISTS, ERR_IO with the
 * reason. Before the sandbox: it needs the directory. */
enum err MUST_USE auc_open(struct auc **a, const struct auc_conf *conf, char why[256]);
void auc_close(struct auc *a); /* the socket file stays: the next home replaces it */
int auc_fd(const struct auc *a);

/* Answer what waits, a bounded number; the rest at the next wake-up. A hook of loop_watch: `worker` is a
 * struct home_worker. */
void auc_readable(void *worker, int fd);
/* Send what had to wait for a commit, or the failure that it became. */
void auc_durable(struct home_worker *w, const struct waiting_answer *a, enum err err);
