/* Why no SQN is issued twice, and why the clock is not outrun.
 *
 * A counter for all subscribers would be unique by construction, but a tick of 0.1 s gives it
 * 10 numbers a second: at 20,000 vectors a second it would leave the clock 2000 times as fast,
 * and with it Delta (2^28 ticks = 310 days for a silent device). A number need be unique only
 * for its subscriber, and a subscriber needs few. So:
 *
 * 1. `last` is a fixed table of the last number issued, indexed by a keyed hash of the IMSI.
 *    The next one is max(clock, last + 1), taken by compare-and-swap. Two subscribers in one
 *    place only make each other skip ahead; neither is given a number again. The key is
 *    random, so that nobody chooses whom he shares a place with.
 * 2. Numbers in the table are before DIF ("base"). As long as DIF stays, SEQ = base + DIF is
 *    as unique and as increasing as base. An AUTS that raises DIF raises every SEQ after it.
 *    DIF falls only for a card that is more than Delta behind, which refuses all that is left
 *    of the old run; the new run meets the old one's numbers after another 310 days at the
 *    earliest.
 * 3. A subscriber runs at most SQN_BURST ahead of the clock, and the clock is held SQN_BURST
 *    below the reservation, which is on disk before it is used. A restart forgets the table
 *    and begins at the reservation, above everything issued before it.
 * 4. The clock never falls. Set back, it goes on from where it was at half speed until the
 *    wall's has caught up; a leap forward counts only when a reservation covers it.
 *
 * The file has two checksummed places, each in a sector of its own, written in turns: a torn
 * write hits the one whose reservation is not yet in force. */
#include "crypto/sqn.h"

#include "base/big.h"

#include "base/hash.h"
#include "crypto/crypto.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define PLACE_N  ((size_t)1 << 20)
#define SEQ_END  ((uint64_t)1 << 43)
#define RENEW    100u /* ticks: the reservation is renewed after 10 s, */
#define AHEAD    200u /* and lasts another 10 s if that fails */

#define FILE_N   4096
#define SLOT_N   32 /* magic, turn, reserved, check: 8 octets each */
#define SLOT_GAP 2048
#define MAGIC    0x4d724c6e53514e31u /* "MrLnSQN1" */

struct sqn {
	_Atomic uint64_t clock;    /* ticks; clock + SQN_BURST <= reserved */
	_Atomic uint64_t reserved; /* on disk */
	_Atomic uint64_t *last;
	uint8_t hash_key[HASH_KEY];
	int fd;
	uint64_t turn;             /* of the last good write; its parity is the slot */
	uint64_t virt_ms, wall_ms; /* the clock that never falls; the wall's when last looked at */
};

struct slot {
	bool empty, good, first; /* first: may be the torn first write of a new file */
	uint64_t turn, reserved;
};

/* A mad clock must not lead the reservation out of 43 bits. */
static uint64_t since_epoch(uint64_t wall_ms)
{
	uint64_t ms = wall_ms > SQN_EPOCH_MS ? wall_ms - SQN_EPOCH_MS : 0;

	return ms < SEQ_END / 2 ? ms : SEQ_END / 2;
}

static uint64_t slot_check(const uint8_t *b)
{
	static const uint8_t key[HASH_KEY] = "merlon sqn file";

	return hash_view(key, (struct view){ b, SLOT_N - 8 });
}

static struct slot slot_read(const uint8_t *b)
{
	static const uint8_t zero[SLOT_N];
	struct rd r = { .left = { b, SLOT_N } };
	struct slot s = { .empty = memcmp(b, zero, SLOT_N) == 0 };
	uint64_t magic = rd_be64(&r, 8);

	s.turn = rd_be64(&r, 8);
	s.reserved = rd_be64(&r, 8);
	s.good = magic == MAGIC && rd_be64(&r, 8) == slot_check(b) && s.reserved < SEQ_END;
	s.first = magic == MAGIC && s.turn == 1;
	return s;
}

static ssize_t read_all(int fd, uint8_t *b, size_t n)
{
	size_t got = 0;

	while (got < n) {
		ssize_t k = pread(fd, b + got, n - got, (off_t)got);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -1;
		if (k == 0)
			break;
		got += (size_t)k;
	}
	return (ssize_t)got;
}

/* The reservation found. A damaged slot beside a good one is most likely a torn write, of a
 * reservation never used; but it may have been the newer one in force, one renewal further on. */
static enum err file_read(struct sqn *s, uint64_t *reserved)
{
	uint8_t b[FILE_N] = { 0 };
	struct slot a, c;

	*reserved = 0;
	if (read_all(s->fd, b, sizeof(b)) < 0)
		return ERR_IO;
	a = slot_read(b);
	c = slot_read(b + SLOT_GAP);
	if (!a.good && !c.good)
		return c.empty && (a.empty || a.first) ? ERR_OK : ERR_CORRUPT;
	if (a.good)
		*reserved = a.reserved;
	if (c.good && c.reserved > *reserved)
		*reserved = c.reserved;
	s->turn = a.good && (!c.good || a.turn > c.turn) ? a.turn : c.turn;
	if ((!a.good && !a.empty) || (!c.good && !c.empty))
		*reserved += AHEAD + SQN_BURST;
	return ERR_OK;
}

static enum err file_write(struct sqn *s, uint64_t reserved)
{
	uint8_t b[SLOT_N];
	struct wr w = { .p = b, .cap = sizeof(b) };
	uint64_t turn = s->turn + 1;
	off_t at = turn % 2 ? 0 : SLOT_GAP;
	ssize_t n;

	wr_be(&w, MAGIC, 8);
	wr_be(&w, turn, 8);
	wr_be(&w, reserved, 8);
	wr_be(&w, slot_check(b), 8);
	do
		n = pwrite(s->fd, b, sizeof(b), at);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(b) || fdatasync(s->fd) != 0)
		return ERR_IO; /* the same slot again next time: the other one is in force */
	s->turn = turn;
	return ERR_OK;
}

/* The virtual clock at `wall_ms`: the wall's, but never lower than before. */
static void advance(struct sqn *s, uint64_t wall_ms)
{
	uint64_t wall = since_epoch(wall_ms);
	uint64_t gone = wall > s->wall_ms ? wall - s->wall_ms : 0;

	s->wall_ms = wall;
	if (gone > (uint64_t)RENEW * SQN_TICK_MS)
		gone = (uint64_t)RENEW * SQN_TICK_MS; /* a clock put right is not time gone by */
	s->virt_ms += gone / 2;
	if (wall > s->virt_ms)
		s->virt_ms = wall;
}

enum err sqn_reserve(struct sqn *s, uint64_t wall_ms)
{
	uint64_t reserved = atomic_load(&s->reserved), tick;
	enum err err = ERR_OK;

	advance(s, wall_ms);
	tick = s->virt_ms / SQN_TICK_MS;
	if (tick + SQN_BURST + RENEW >= reserved) {
		err = file_write(s, tick + SQN_BURST + AHEAD);
		if (!err) {
			reserved = tick + SQN_BURST + AHEAD;
			atomic_store(&s->reserved, reserved);
		}
	}
	if (tick + SQN_BURST > reserved) /* only after a failed write */
		tick = reserved > SQN_BURST ? reserved - SQN_BURST : 0;
	if (tick > atomic_load(&s->clock))
		atomic_store(&s->clock, tick);
	return err;
}

/* Two homes on one file would issue the same numbers. The lock belongs to the open file, so that a
 * supervisor may hand the descriptor to the next process. */
static enum err lock(int fd, short type)
{
	struct flock whole = { .l_type = type, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_SETLK, &whole) == 0)
		return ERR_OK;
	return errno == EAGAIN || errno == EACCES ? ERR_EXISTS : ERR_IO;
}

enum err sqn_open(struct sqn **out, int fd, uint64_t wall_ms)
{
	struct sqn *s = calloc(1, sizeof(*s));
	uint64_t begin = 0;
	enum err err;

	*out = NULL;
	if (!s)
		return ERR_FULL;
	s->fd = fd;
	s->last = big_new(PLACE_N * sizeof(*s->last));
	err = s->last ? random_bytes(s->hash_key, sizeof(s->hash_key)) : ERR_FULL;
	err = err ? err : lock(fd, F_WRLCK);
	err = err ? err : file_read(s, &begin);
	if (!err) {
		s->virt_ms = begin * SQN_TICK_MS;
		s->wall_ms = since_epoch(wall_ms);
		atomic_store(&s->clock, begin);
		err = sqn_reserve(s, wall_ms);
	}
	if (err)
		sqn_close(s);
	else
		*out = s;
	return err;
}

void sqn_close(struct sqn *s)
{
	enum err err;

	if (!s)
		return;
	err = lock(s->fd, F_UNLCK);
	(void)err; /* a lock that was never had, after a failed open */
	big_free(s->last, PLACE_N * sizeof(*s->last));
	free(s);
}

/* The clock to issue by: the wall's as long as the reservation covers its burst, so that a
 * leap which sqn_reserve has not seen yet stops nobody. */
static uint64_t clock_now(const struct sqn *s, uint64_t wall_ms)
{
	uint64_t wall = since_epoch(wall_ms) / SQN_TICK_MS;
	uint64_t clock = atomic_load(&s->clock);

	if (wall > clock && wall + SQN_BURST <= atomic_load(&s->reserved))
		return wall;
	return clock;
}

/* SEQ from a base, and whether it is one: a card that wrapped round 43 bits is worn out. */
static bool seq_of(uint64_t base, int64_t dif, uint64_t *seq)
{
	int64_t x;

	if (__builtin_add_overflow((int64_t)base, dif, &x) || x < 1 || (uint64_t)x >= SEQ_END)
		return false;
	*seq = (uint64_t)x;
	return true;
}

enum err sqn_issue(struct sqn *s, uint64_t imsi, uint64_t wall_ms, int64_t dif, unsigned int n,
		   uint64_t *seq)
{
	_Atomic uint64_t *place = &s->last[hash_u64(s->hash_key, imsi, 0) % PLACE_N];
	uint64_t clock = clock_now(s, wall_ms);
	uint64_t last = atomic_load(place), base, end;

	if (n == 0 || n > SQN_BURST)
		return ERR_VALUE;
	do {
		base = last + 1 > clock ? last + 1 : clock;
		if (base + n > clock + SQN_BURST)
			return ERR_AGAIN;
		if (!seq_of(base, dif, seq) || !seq_of(base + n - 1, dif, &end))
			return ERR_VALUE;
	} while (!atomic_compare_exchange_weak(place, &last, base + n - 1));
	assert(base + n <= atomic_load(&s->reserved)); /* point 3 above */
	return ERR_OK;
}

int64_t sqn_dif(const struct sqn *s, uint64_t wall_ms, int64_t dif, uint64_t sqn_ms)
{
	uint64_t ms = (sqn_ms >> 5) % SEQ_END;
	uint64_t clock = clock_now(s, wall_ms), next;

	if (seq_of(clock, dif, &next) && next > ms && next - ms <= SQN_DELTA - SQN_BURST)
		return dif;
	return (int64_t)ms + 1 - (int64_t)clock;
}
