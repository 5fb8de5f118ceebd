/* Frames by AF_XDP (Documentation/networking/af_xdp): past the kernel's own buffers, where the driver has
 * it. While the heart beats a program on the interface gives every frame to us; else, and without us, the
 * kernel gets it. */
#include "loop/nic_in.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xdp/xsk.h>

#define FRAME 4096u
#define RX_N  2048u
#define TX_N  2048u
#define BATCH 256u

struct nic_xdp {
	struct xsk_umem *umem;
	struct xsk_socket *socket;
	struct xsk_ring_prod fill, tx;
	struct xsk_ring_cons rx, sent;
	uint8_t *area;
	uint64_t room[TX_N]; /* places that may be written to */
	size_t room_n, queued;
	uint64_t held[BATCH]; /* places that are being read */
	size_t held_n;
	uint64_t arrived;
};

static enum err fail(char why[256], const char *what, const char *name, int error)
{
	snprintf(why, 256, "%.20s: AF_XDP: %s: %s", name, what, strerror(error < 0 ? -error : error));
	return ERR_IO;
}

/* if (now - *beat > dead) pass; else to the socket of this queue; without one, pass. */
static int load(int sockets, const struct nic_heart *h)
{
	uint64_t dead = h ? h->dead_ns : 0;
	const struct bpf_insn code[] = {
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_7, BPF_REG_1, 0, 0),
		INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_VALUE, 0, h ? h->map : 0),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_LDX | BPF_DW | BPF_MEM, BPF_REG_6, BPF_REG_1, 0, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ktime_get_ns),
		INSN(BPF_ALU64 | BPF_SUB | BPF_X, BPF_REG_0, BPF_REG_6, 0, 0),
		INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, 0, 0, (int32_t)(dead & 0xffffffff)),
		INSN(0, 0, 0, 0, (int32_t)(dead >> 32)),
		INSN(BPF_JMP | BPF_JSGT | BPF_X, BPF_REG_0, BPF_REG_1, 6, 0),
		INSN(BPF_LDX | BPF_W | BPF_MEM, BPF_REG_2, BPF_REG_7,
		     offsetof(struct xdp_md, rx_queue_index), 0),
		INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, sockets),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, XDP_PASS),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_map),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, XDP_PASS),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	struct bpf_insn plain[sizeof code / sizeof *code];
	size_t n = sizeof code / sizeof *code, skip = h ? 0 : 8;

	memcpy(plain, code, sizeof code);
	if (skip) { /* no heart: the first instruction, then from the queue's number on, and no other end */
		n -= skip + 2;
		memmove(plain + 1, plain + 1 + skip, (n - 1) * sizeof *plain);
	}
	return bpf_prog_load(BPF_PROG_TYPE_XDP, "merlon_xdp", "Apache-2.0", plain, n, NULL);
}

static enum err attach(struct nic_xdp *x, const struct nic_conf *conf, unsigned int index, char why[256])
{
	int sockets = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "merlon_sockets", 4, 4, 1, NULL);
	int prog = sockets < 0 ? -1 : load(sockets, conf->heart), fd = xsk_socket__fd(x->socket), error;
	uint32_t queue = 0;

	if (prog < 0)
		return fail(why, "program", conf->name, errno);
	error = bpf_map_update_elem(sockets, &queue, &fd, 0);
	if (!error)
		error = bpf_xdp_attach((int)index, prog, XDP_FLAGS_DRV_MODE, NULL);
	close(prog); /* the interface holds it */
	close(sockets);
	return error ? fail(why, "the driver takes no program", conf->name, error) : ERR_OK;
}

static void give_back(struct nic_xdp *x, const uint64_t *at, size_t n)
{
	uint32_t i = 0;

	if (xsk_ring_prod__reserve(&x->fill, (uint32_t)n, &i) != n)
		return; /* there is a place for each: it cannot be full */
	for (size_t k = 0; k < n; k++)
		*xsk_ring_prod__fill_addr(&x->fill, i++) = at[k];
	xsk_ring_prod__submit(&x->fill, (uint32_t)n);
}

static enum err open_rings(struct nic_xdp *x, const struct nic_conf *conf, char why[256])
{
	const struct xsk_umem_config umem = { .fill_size = RX_N, .comp_size = TX_N, .frame_size = FRAME };
	const struct xsk_socket_config socket = { .rx_size = RX_N, .tx_size = TX_N,
						  .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
						  .bind_flags = XDP_USE_NEED_WAKEUP };
	size_t bytes = (size_t)FRAME * (RX_N + TX_N);
	int error;

	x->area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (x->area == MAP_FAILED) {
		x->area = NULL;
		return fail(why, "memory", conf->name, errno);
	}
	error = xsk_umem__create(&x->umem, x->area, bytes, &x->fill, &x->sent, &umem);
	if (!error)
		error = xsk_socket__create(&x->socket, conf->name, 0, x->umem, &x->rx, &x->tx, &socket);
	if (error)
		return fail(why, "socket", conf->name, error);
	for (uint64_t i = 0; i < RX_N; i++) {
		uint64_t at = i * FRAME;

		give_back(x, &at, 1);
	}
	for (uint64_t i = 0; i < TX_N; i++)
		x->room[x->room_n++] = (RX_N + i) * FRAME;
	return ERR_OK;
}

enum err nic_xdp_open(struct nic_xdp **to, const struct nic_conf *conf, unsigned int index, char why[256])
{
	struct nic_xdp *x = calloc(1, sizeof *x);
	enum err err = x ? open_rings(x, conf, why) : ERR_FULL;

	if (!err)
		err = attach(x, conf, index, why);
	if (err) {
		nic_xdp_close(x);
		x = NULL;
	}
	*to = x;
	return err;
}

void nic_xdp_close(struct nic_xdp *x)
{
	if (!x)
		return;
	if (x->socket)
		xsk_socket__delete(x->socket);
	if (x->umem)
		(void)xsk_umem__delete(x->umem);
	if (x->area)
		munmap(x->area, (size_t)FRAME * (RX_N + TX_N));
	free(x);
}

int nic_xdp_fd(const struct nic_xdp *x)
{
	return xsk_socket__fd(x->socket);
}

size_t nic_xdp_read(struct nic_xdp *x, struct nic_frame *f, size_t max)
{
	uint32_t i = 0, n = xsk_ring_cons__peek(&x->rx, (uint32_t)(max < BATCH ? max : BATCH), &i);

	for (uint32_t k = 0; k < n; k++) {
		const struct xdp_desc *d = xsk_ring_cons__rx_desc(&x->rx, i + k);

		f[k] = (struct nic_frame){ .p = x->area + d->addr, .n = d->len };
		x->held[k] = d->addr - d->addr % FRAME;
	}
	xsk_ring_cons__release(&x->rx, n);
	x->held_n = n;
	x->arrived += n;
	return n;
}

void nic_xdp_done(struct nic_xdp *x)
{
	give_back(x, x->held, x->held_n);
	x->held_n = 0;
	if (xsk_ring_prod__needs_wakeup(&x->fill))
		(void)recvfrom(nic_xdp_fd(x), NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

static void reap(struct nic_xdp *x)
{
	uint32_t i = 0, n = xsk_ring_cons__peek(&x->sent, TX_N, &i);

	for (uint32_t k = 0; k < n; k++)
		x->room[x->room_n++] = *xsk_ring_cons__comp_addr(&x->sent, i + k);
	xsk_ring_cons__release(&x->sent, n);
}

bool nic_xdp_write(struct nic_xdp *x, const struct nic_frame *f, struct nic_counts *c)
{
	struct xdp_desc *d;
	uint32_t i = 0;

	if (f->n > FRAME) {
		c->long_++;
		return false;
	}
	if (x->room_n == 0) {
		nic_xdp_flush(x);
		reap(x);
	}
	if (x->room_n == 0 || xsk_ring_prod__reserve(&x->tx, 1, &i) != 1) {
		c->full++;
		return false;
	}
	d = xsk_ring_prod__tx_desc(&x->tx, i);
	*d = (struct xdp_desc){ .addr = x->room[--x->room_n], .len = f->n };
	memcpy(x->area + d->addr, f->p, f->n);
	x->queued++;
	return true;
}

void nic_xdp_flush(struct nic_xdp *x)
{
	if (x->queued > 0) {
		xsk_ring_prod__submit(&x->tx, (uint32_t)x->queued);
		x->queued = 0;
		(void)sendto(nic_xdp_fd(x), NULL, 0, MSG_DONTWAIT, NULL, 0);
	}
	reap(x);
}

void nic_xdp_counts(struct nic_xdp *x, struct nic_counts *c)
{
	struct xdp_statistics s = { 0 };
	socklen_t n = sizeof s;

	c->arrived = x->arrived;
	if (getsockopt(nic_xdp_fd(x), SOL_XDP, XDP_STATISTICS, &s, &n) == 0)
		c->lost = s.rx_dropped + s.rx_ring_full;
}
