/* Frames of a network interface, in batches, both ways: TPACKET_V3, or AF_XDP where the driver lets it. The
 * interface has no address; what arrives is for whoever reads here, and for nobody else on this machine. */
#pragma once
#include "base/bytes.h"

enum nic_kind { NIC_PACKET, NIC_XDP };

struct nic_heart;

struct nic_conf {
	const char *name;    /* the interface */
	enum nic_kind kind;
	uint32_t ring_mb;    /* memory for frames that arrive */
	bool listen_only;    /* a tap: nothing is sent */
	const struct nic_heart *heart; /* of NIC_XDP: frames are the kernel's when it stands still; or NULL */
};

/* What a card has to say of a frame, apart from its bytes (struct virtio_net_hdr); carried along. */
#define NIC_HEAD 10

struct nic_frame {
	uint8_t *p;          /* may be written to, within n */
	uint32_t n;
	const uint8_t *head; /* NIC_HEAD octets, or NULL: a whole frame with its checksums */
};

struct nic;
/* Opens what a sandbox takes away; the interface is brought up, promiscuous, without addresses of its own.
 * ERR_IO, ERR_CONFIG with the reason. */
enum err MUST_USE nic_open(struct nic **n, const struct nic_conf *conf, char why[256]);
void nic_close(struct nic *n);
int nic_fd(const struct nic *n); /* readable: nic_read gives frames */

/* Frames that have arrived, at most `max`; they stay until nic_done. Blocks never. */
size_t nic_read(struct nic *n, struct nic_frame *f, size_t max);
void nic_done(struct nic *n);

/* Queue a frame; copies. False: no room, or longer than the interface takes; counted. */
bool nic_write(struct nic *n, const struct nic_frame *f);
/* Send what is queued. */
void nic_flush(struct nic *n);

struct nic_counts {
	uint64_t arrived;
	uint64_t lost;       /* of them: found the ring full */
	uint64_t full, long_; /* not sent: no room, too long */
};
void nic_counts(struct nic *n, struct nic_counts *c);

/* --- the wire that stays when nobody reads ------------------------------------------------------------- */

/* Frames of each of two interfaces go out by the other one, in the kernel, whenever the heart has not
 * beaten for `dead_ms`; while it beats they are the reader's alone. It is a filter on the interfaces
 * (clsact), and so outlives the process, however it ends; nic_unwire takes it away. */
enum err MUST_USE nic_wire(struct nic_heart **h, const char *a, const char *b, uint32_t dead_ms,
			   char why[256]);
void nic_beat(struct nic_heart *h); /* a write to memory: no system call */
/* Stop beating for good: the kernel takes over at once. */
void nic_stop(struct nic_heart *h);
void nic_heart_free(struct nic_heart *h);
enum err MUST_USE nic_unwire(const char *name, char why[256]);
