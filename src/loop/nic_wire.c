/* The wire that stays: a filter of the kernel's on each of two interfaces, which sends what arrives out by
 * the other when nobody's heart beats. Packet sockets are served before it. */
#include "loop/nic_in.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
static enum err fail(char why[256], const char *what, const char *name, int error)
{
	snprintf(why, 256, "%.20s: %s: %s", name, what, strerror(error < 0 ? -error : error));
	return ERR_IO;
}

/* if (now - *beat > dead) redirect(other); else stolen: a packet socket has had it already. */
static int load(int map, uint64_t dead_ns, unsigned int other)
{
	const struct bpf_insn code[] = {
		INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_VALUE, 0, map),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_LDX | BPF_DW | BPF_MEM, BPF_REG_6, BPF_REG_1, 0, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ktime_get_ns),
		INSN(BPF_ALU64 | BPF_SUB | BPF_X, BPF_REG_0, BPF_REG_6, 0, 0),
		INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, 0, 0, (int32_t)(dead_ns & 0xffffffff)),
		INSN(0, 0, 0, 0, (int32_t)(dead_ns >> 32)),
		INSN(BPF_JMP | BPF_JSGT | BPF_X, BPF_REG_0, BPF_REG_1, 2, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, TC_ACT_STOLEN),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_1, 0, 0, (int32_t)other),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "merlon_wire", "Apache-2.0", code,
			     sizeof code / sizeof *code, NULL);
}

static enum err attach(int map, uint64_t dead_ns, const char *from, const char *to, char why[256])
{
	struct bpf_tc_hook hook = {.sz = sizeof hook, .ifindex = (int)if_nametoindex(from),
			    .attach_point = BPF_TC_INGRESS};
	struct bpf_tc_opts opts = {.sz = sizeof opts, .handle = 1, .priority = 1, .flags = BPF_TC_F_REPLACE};
	int error = bpf_tc_hook_create(&hook), prog;

	if (error && error != -EEXIST)
		return fail(why, "clsact", from, error);
	prog = load(map, dead_ns, if_nametoindex(to));
	if (prog < 0)
		return fail(why, "filter", from, errno);
	opts.prog_fd = prog;
	error = bpf_tc_attach(&hook, &opts);
	close(prog);
	return error ? fail(why, "attach filter", from, error) : ERR_OK;
}

static enum err make_heart(struct nic_heart *h, char why[256])
{
	struct bpf_map_create_opts opts = {.sz = sizeof opts, .map_flags = BPF_F_MMAPABLE};
	void *page;

	libbpf_set_print(NULL);
	h->map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "merlon_heart", sizeof(uint32_t), sizeof(uint64_t), 1,
			      &opts);
	if (h->map < 0)
		return fail(why, "map", "heart", errno);
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, h->map, 0);
	if (page == MAP_FAILED)
		return fail(why, "map", "heart", errno);
	h->beat = page;
	return ERR_OK;
}

enum err nic_wire(struct nic_heart **to, const char *a, const char *b, uint32_t dead_ms, char why[256])
{
	struct nic_heart *h = calloc(1, sizeof *h);
	uint64_t dead_ns = (uint64_t)dead_ms * 1000000;
	enum err err = ERR_FULL;

	if (h) {
		h->map = -1;
		h->dead_ns = dead_ns;
		err = make_heart(h, why);
	}

	if (!err)
		err = attach(h->map, dead_ns, a, b, why);
	if (!err)
		err = attach(h->map, dead_ns, b, a, why);
	if (err) {
		nic_heart_free(h);
		h = NULL;
	}
	*to = h;
	return err;
}

void nic_beat(struct nic_heart *h)
{
	struct timespec t;

	if (h->stopped)
		return;
	clock_gettime(CLOCK_MONOTONIC, &t);
	__atomic_store_n(h->beat, (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec, __ATOMIC_RELAXED);
}

void nic_stop(struct nic_heart *h)
{
	h->stopped = true;
	__atomic_store_n(h->beat, 0, __ATOMIC_RELAXED);
}

void nic_heart_free(struct nic_heart *h)
{
	if (h && h->beat)
		munmap(h->beat, PAGE);
	if (h && h->map >= 0)
		close(h->map); /* the filters hold it too */
	free(h);
}

enum err nic_unwire(const char *name, char why[256])
{
	struct bpf_tc_hook hook = {.sz = sizeof hook, .ifindex = (int)if_nametoindex(name),
			    .attach_point = BPF_TC_INGRESS};
	struct bpf_tc_opts opts = {.sz = sizeof opts, .handle = 1, .priority = 1};
	int error;

	libbpf_set_print(NULL);
	error = bpf_tc_detach(&hook, &opts);
	if (error == -ENOENT || error == -EINVAL) /* there is none */
		return ERR_OK;
	return error ? fail(why, "detach filter", name, error) : ERR_OK;
}
