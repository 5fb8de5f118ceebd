/* What the two files of the load generator share. */
#pragma once
#include "base/bytes.h"

#define WINDOW_MAX 16384
#define CONN_MAX   64
#define MESSAGE    1024
#define HIST       512

enum mix { MIX_AIR, MIX_ECR, MIX_ATTACH, MIX_ECHO };
enum step { STEP_AIR, STEP_ULR, STEP_ECR, STEP_N };

/* A message made once, and where in it what differs stands. */
struct template {
	uint8_t bytes[MESSAGE];
	size_t n, session, imsi, imei; /* 0: not there */
};

struct wire {
	int fd;
	uint8_t in[1 << 18], out[1 << 20];
	size_t in_n, out_head, out_n;
	struct template of[STEP_N];
	bool open, blocked;
};

/* A device at work; its number is the low half of the Hop-by-Hop Identifier. */
struct device {
	uint64_t card, due_us, asked_us;
	uint8_t step, conn;
	bool busy;
	uint16_t turn;
};

/* Latencies in steps of about 3 %. */
struct hist {
	uint64_t n, count[HIST];
};

struct load {
	uint64_t window, rate, conn_n, seconds, first, cards;
	const char *host, *realm, *plmn;
	enum mix mix;
	int port, epoll;
	struct wire *wire; /* conn_n */
	struct device device[WINDOW_MAX];
	uint32_t idle[WINDOW_MAX], idle_n;
	uint64_t next_card, session, answers, refused, late, began_us, next_us;
	uint32_t last_refusal;
	struct hist hist[STEP_N];
};

uint64_t now_us(void);
_Noreturn void die(const char *what);
int dial(int port);
int load(struct load *l);
