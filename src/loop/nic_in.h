/* Inside of nic: AF_XDP's way. */
#pragma once
#include "loop/nic.h"

struct nic_heart {
	uint64_t *beat; /* nanoseconds, CLOCK_MONOTONIC; 0: dead. The filters read it */
	int map;
	uint64_t dead_ns;
	bool stopped;
};

struct nic_xdp;
/* The interface is up. ERR_IO when the driver cannot, with the reason. */
enum err MUST_USE nic_xdp_open(struct nic_xdp **x, const struct nic_conf *conf, unsigned int index,
			       char why[256]);
void nic_xdp_close(struct nic_xdp *x);
int nic_xdp_fd(const struct nic_xdp *x);
size_t nic_xdp_read(struct nic_xdp *x, struct nic_frame *f, size_t max);
void nic_xdp_done(struct nic_xdp *x);
bool nic_xdp_write(struct nic_xdp *x, const struct nic_frame *f, struct nic_counts *c);
void nic_xdp_flush(struct nic_xdp *x);
void nic_xdp_counts(struct nic_xdp *x, struct nic_counts *c);

/* One instruction of a filter. */
#define INSN(c, d, s, o, i) \
	((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })
