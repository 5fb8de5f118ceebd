/* Frames by TPACKET_V3 (Documentation/networking/packet_mmap). What a card would still have had to do to a
 * frame (checksums, cutting it up) stands in a head before it, and goes along with it. */
#include "loop/nic_in.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK (1u << 20)
#define SLOT 2048u
#define SLOT_N 4096u
#define SLOT_AT 48u /* behind its header */
#define BATCH 256
#define RETIRE_MS 1 /* how long a frame waits for others */
#define TAG 4

_Static_assert(sizeof(struct virtio_net_hdr) == NIC_HEAD, "the head before a frame");
_Static_assert(sizeof(struct tpacket3_hdr) == SLOT_AT, "where the kernel looks for the bytes");

struct nic {
	struct nic_xdp *xdp;            /* AF_XDP; else the rest is used */
	int fd, big_fd;
	uint8_t *map;
	size_t map_n, block_n;
	size_t block, left;             /* the block being read, and frames in it that were not given yet */
	uint8_t *at;                    /* the next of them */
	size_t done_from, done_n;       /* blocks to give back */
	uint8_t *tx;
	size_t slot;
	bool queued;
	struct nic_counts counts;
	uint8_t head[BATCH][NIC_HEAD];  /* of frames that were moved */
};

static enum err fail(char why[256], const char *what, const char *name)
{
	snprintf(why, 256, "%.20s: %s: %s", name, what, strerror(errno));
	return ERR_IO;
}

/* --- the interface ---------------------------------------------------------------------------- */

static void no_ip6(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%.20s/disable_ipv6", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!write(fd, "1", 1);
	close(fd);
}

/* Frames as they came, not put together by the card or the kernel. */
static void no_merging(int fd, struct ifreq *ifr)
{
	static const uint32_t gets[] = { ETHTOOL_GFLAGS }, sets[] = { ETHTOOL_SFLAGS };
	struct ethtool_value v = { .cmd = ETHTOOL_SGRO };

	ifr->ifr_data = (char *)&v;
	(void)ioctl(fd, SIOCETHTOOL, ifr);
	v.cmd = gets[0];
	if (ioctl(fd, SIOCETHTOOL, ifr) != 0 || !(v.data & ETH_FLAG_LRO))
		return;
	v.cmd = sets[0];
	v.data &= ~(uint32_t)ETH_FLAG_LRO;
	(void)ioctl(fd, SIOCETHTOOL, ifr);
}

static enum err prepare(int fd, const char *name, unsigned int *index, char why[256])
{
	struct ifreq ifr = { 0 };

	*index = if_nametoindex(name);
	if (*index == 0 || !view_text(view_of(name), ifr.ifr_name, sizeof ifr.ifr_name)) {
		snprintf(why, 256, "%.60s: there is no such network interface", name);
		return ERR_CONFIG;
	}
	no_ip6(name);
	no_merging(fd, &ifr);
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) != 0)
		return fail(why, "flags", name);
	ifr.ifr_flags |= IFF_UP | IFF_PROMISC; /* stays when we end: so does the wire */
	return ioctl(fd, SIOCSIFFLAGS, &ifr) == 0 ? ERR_OK : fail(why, "bring up", name);
}

/* --- rings ------------------------------------------------------------------------------------ */

static bool set(int fd, int what, const void *value, socklen_t n)
{
	return setsockopt(fd, SOL_PACKET, what, value, n) == 0;
}

static bool set_one(int fd, int what, int value)
{
	return set(fd, what, &value, sizeof value);
}

static enum err rings(struct nic *n, const struct nic_conf *conf, char why[256])
{
	struct tpacket_req3 rx = {
		.tp_block_size = BLOCK, .tp_block_nr = conf->ring_mb, .tp_frame_size = SLOT,
		.tp_frame_nr = BLOCK / SLOT * conf->ring_mb, .tp_retire_blk_tov = RETIRE_MS,
	};
	struct tpacket_req3 tx = {
		.tp_block_size = BLOCK, .tp_block_nr = SLOT_N / (BLOCK / SLOT),
		.tp_frame_size = SLOT, .tp_frame_nr = SLOT_N,
	};

	if (!set_one(n->fd, PACKET_VERSION, TPACKET_V3) || !set_one(n->fd, PACKET_VNET_HDR, 1) ||
	    !set_one(n->fd, PACKET_RESERVE, 16) || !set_one(n->fd, PACKET_LOSS, 1) ||
	    !set(n->fd, PACKET_RX_RING, &rx, sizeof rx))
		return fail(why, "ring", conf->name);
	(void)set_one(n->fd, PACKET_IGNORE_OUTGOING, 1);
	(void)set_one(n->fd, PACKET_QDISC_BYPASS, 1);
	if (!conf->listen_only && !set(n->fd, PACKET_TX_RING, &tx, sizeof tx))
		return fail(why, "ring to send", conf->name);
	n->block_n = conf->ring_mb;
	n->map_n = (size_t)BLOCK * (conf->ring_mb + (conf->listen_only ? 0 : tx.tp_block_nr));
	n->map = mmap(NULL, n->map_n, PROT_READ | PROT_WRITE, MAP_SHARED, n->fd, 0);
	if (n->map == MAP_FAILED) {
		n->map = NULL;
		return fail(why, "map", conf->name);
	}
	n->tx = conf->listen_only ? NULL : n->map + (size_t)BLOCK * conf->ring_mb;
	return ERR_OK;
}

static enum err bind_to(int fd, unsigned int index, uint16_t protocol, const char *name, char why[256])
{
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET, .sll_protocol = protocol, .sll_ifindex = (int)index,
	};

	return bind(fd, (const struct sockaddr *)&at, sizeof at) == 0 ? ERR_OK : fail(why, "bind", name);
}

static enum err sockets(struct nic *n, const struct nic_conf *conf, unsigned int index, char why[256])
{
	enum err err = rings(n, conf, why);

	if (!err && !set_one(n->big_fd, PACKET_VNET_HDR, 1))
		err = fail(why, "heads of frames", conf->name);
	(void)set_one(n->big_fd, PACKET_QDISC_BYPASS, 1);
	if (!err)
		err = bind_to(n->big_fd, index, 0, conf->name, why);
	return err ? err : bind_to(n->fd, index, htons(ETH_P_ALL), conf->name, why);
}

enum err nic_open(struct nic **to, const struct nic_conf *conf, char why[256])
{
	struct nic *n = calloc(1, sizeof *n);
	unsigned int index = 0;
	enum err err;

	*to = NULL;
	if (!n) {
		snprintf(why, 256, "%.20s: out of memory", conf->name);
		return ERR_FULL;
	}
	n->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	n->big_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	err = n->fd < 0 || n->big_fd < 0 ? fail(why, "packet socket", conf->name) : ERR_OK;
	if (!err)
		err = prepare(n->fd, conf->name, &index, why);
	if (!err)
		err = conf->kind == NIC_XDP ? nic_xdp_open(&n->xdp, conf, index, why) :
					      sockets(n, conf, index, why);
	if (err)
		nic_close(n);
	else
		*to = n;
	return err;
}

void nic_close(struct nic *n)
{
	if (!n)
		return;
	nic_xdp_close(n->xdp);
	if (n->map)
		munmap(n->map, n->map_n);
	if (n->fd >= 0)
		close(n->fd);
	if (n->big_fd >= 0)
		close(n->big_fd);
	free(n);
}

int nic_fd(const struct nic *n)
{
	return n->xdp ? nic_xdp_fd(n->xdp) : n->fd;
}

/* --- frames in -------------------------------------------------------------------------------- */

static struct tpacket_block_desc *block_at(const struct nic *n, size_t i)
{
	return (struct tpacket_block_desc *)(void *)(n->map + i * BLOCK);
}

/* A tag that the kernel has taken off goes back to its place, in the room before the frame. */
static void put_tag(struct nic_frame *f, const struct tpacket3_hdr *h, uint8_t head[NIC_HEAD])
{
	uint16_t type = h->tp_status & TP_STATUS_VLAN_TPID_VALID ? h->hv1.tp_vlan_tpid : ETH_P_8021Q;
	struct virtio_net_hdr v;

	memcpy(&v, f->head, sizeof v);
	v.csum_start = (uint16_t)(v.csum_start + (v.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM ? TAG : 0));
	v.hdr_len = (uint16_t)(v.hdr_len + (v.hdr_len ? TAG : 0));
	memcpy(head, &v, sizeof v);
	memmove(f->p - TAG, f->p, 2 * ETH_ALEN);
	f->p -= TAG;
	f->n += TAG;
	f->p[12] = (uint8_t)(type >> 8);
	f->p[13] = (uint8_t)type;
	f->p[14] = (uint8_t)(h->hv1.tp_vlan_tci >> 8);
	f->p[15] = (uint8_t)h->hv1.tp_vlan_tci;
	f->head = head;
}

static void take(struct nic *n, struct nic_frame *f, uint8_t head[NIC_HEAD])
{
	const struct tpacket3_hdr *h = (const struct tpacket3_hdr *)(const void *)n->at;

	f->p = n->at + h->tp_mac;
	f->n = h->tp_snaplen;
	f->head = f->p - NIC_HEAD;
	if (h->tp_status & TP_STATUS_VLAN_VALID && f->n >= 14)
		put_tag(f, h, head);
	n->at += h->tp_next_offset;
	n->left--;
}

/* The next block, once the kernel has closed it. */
static bool next_block(struct nic *n)
{
	struct tpacket_block_desc *b = block_at(n, n->block);

	if (n->done_n == n->block_n ||
	    !(__atomic_load_n(&b->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
		return false;
	n->left = b->hdr.bh1.num_pkts;
	n->at = (uint8_t *)b + b->hdr.bh1.offset_to_first_pkt;
	n->block = (n->block + 1) % n->block_n;
	return true;
}

size_t nic_read(struct nic *n, struct nic_frame *f, size_t max)
{
	size_t got = 0;

	if (n->xdp)
		return nic_xdp_read(n->xdp, f, max);
	max = max < BATCH ? max : BATCH;
	while (got < max) {
		if (n->left == 0 && !next_block(n))
			break;
		while (n->left > 0 && got < max) {
			take(n, &f[got], n->head[got]);
			got++;
		}
		if (n->left == 0)
			n->done_n++;
	}
	return got;
}

void nic_done(struct nic *n)
{
	if (n->xdp)
		nic_xdp_done(n->xdp);
	for (; n->done_n > 0; n->done_n--) {
		struct tpacket_block_desc *b = block_at(n, n->done_from);

		__atomic_store_n(&b->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		n->done_from = (n->done_from + 1) % n->block_n;
	}
}

/* --- frames out ------------------------------------------------------------------------------- */

static const uint8_t no_head[NIC_HEAD];

/* Longer than a place in the ring: by itself. */
static bool write_big(struct nic *n, const struct nic_frame *f)
{
	const uint8_t *head = f->head ? f->head : no_head;
	struct iovec v[2] = { { (void *)(uintptr_t)head, NIC_HEAD }, { f->p, f->n } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 2 };

	nic_flush(n);
	if (sendmsg(n->big_fd, &m, MSG_DONTWAIT) >= 0)
		return true;
	n->counts.long_ += errno == EMSGSIZE || errno == EINVAL;
	n->counts.full += errno != EMSGSIZE && errno != EINVAL;
	return false;
}

bool nic_write(struct nic *n, const struct nic_frame *f)
{
	struct tpacket3_hdr *h;
	uint8_t *to;

	if (n->xdp)
		return nic_xdp_write(n->xdp, f, &n->counts);
	if (!n->tx)
		return false;
	if (f->n > SLOT - SLOT_AT - NIC_HEAD)
		return write_big(n, f);
	h = (struct tpacket3_hdr *)(void *)(n->tx + n->slot * SLOT);
	if (__atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE) != TP_STATUS_AVAILABLE) {
		nic_flush(n);
		if (__atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE) != TP_STATUS_AVAILABLE) {
			n->counts.full++;
			return false;
		}
	}
	to = (uint8_t *)h + SLOT_AT;
	memcpy(to, f->head ? f->head : no_head, NIC_HEAD);
	memcpy(to + NIC_HEAD, f->p, f->n);
	h->tp_len = f->n + NIC_HEAD;
	h->tp_snaplen = h->tp_len;
	h->tp_next_offset = 0;
	__atomic_store_n(&h->tp_status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
	n->slot = (n->slot + 1) % SLOT_N;
	n->queued = true;
	return true;
}

void nic_flush(struct nic *n)
{
	if (n->xdp)
		nic_xdp_flush(n->xdp);
	if (!n->queued)
		return;
	n->queued = false;
	(void)sendto(n->fd, NULL, 0, MSG_DONTWAIT, NULL, 0);
}

void nic_counts(struct nic *n, struct nic_counts *c)
{
	struct tpacket_stats_v3 s = { 0 };
	socklen_t size = sizeof s;

	if (n->xdp)
		nic_xdp_counts(n->xdp, &n->counts);
	else if (getsockopt(n->fd, SOL_PACKET, PACKET_STATISTICS, &s, &size) == 0) {
		n->counts.arrived += s.tp_packets;
		n->counts.lost += s.tp_drops;
	}
	*c = n->counts;
}
