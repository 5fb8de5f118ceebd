/* A ring of bytes with one writer and one reader.
 *
 * A message is a length and its bytes, rounded up to 8, never split over the end: SKIP fills up to it.
 * `head` is the writer's, `tail` the reader's; both only grow. The reader is woken only by the first
 * message since it last looked. */
#include "loop/inside.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SKIP     UINT64_MAX
#define LEN_SIZE sizeof(uint64_t)

struct mailbox {
	struct source source;
	struct loop *to;
	void (*fn)(void *ctx, struct view message);
	void *ctx;
	uint8_t *ring;
	size_t cap;
	int fd;
	_Alignas(64) _Atomic size_t head;
	_Alignas(64) _Atomic size_t tail;
	_Alignas(64) _Atomic bool told;
};

static size_t padded(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

static void receive(struct source *s, uint32_t events)
{
	struct mailbox *m = (struct mailbox *)s;
	uint64_t n;
	size_t head, tail = atomic_load_explicit(&m->tail, memory_order_relaxed);

	(void)events;
	(void)!read(m->fd, &n, sizeof n);
	atomic_store(&m->told, false); /* before looking: a message after this look wakes us again */
	head = atomic_load(&m->head);
	if (tail != head)
		loop_batch_begin(m->to);
	while (tail != head) {
		size_t at = tail & (m->cap - 1);

		memcpy(&n, m->ring + at, sizeof n);
		if (n == SKIP) {
			tail += m->cap - at;
			continue;
		}
		m->fn(m->ctx, (struct view){ m->ring + at + LEN_SIZE, n });
		tail += LEN_SIZE + padded(n);
		atomic_store_explicit(&m->tail, tail, memory_order_release);
	}
}

struct mailbox *mailbox_new(struct loop *to, size_t bytes_max,
			    void (*fn)(void *ctx, struct view message), void *ctx)
{
	struct mailbox *m = aligned_alloc(64, sizeof *m);
	size_t cap = 4096;

	if (!m)
		return NULL;
	memset(m, 0, sizeof *m);
	while (cap < bytes_max && cap < SIZE_MAX / 2)
		cap *= 2;
	*m = (struct mailbox){ .source = { receive }, .to = to, .fn = fn, .ctx = ctx, .cap = cap };
	m->ring = malloc(cap);
	m->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (!m->ring || m->fd < 0 || loop_source(to, m->fd, &m->source, EPOLLIN)) {
		mailbox_free(m);
		return NULL;
	}
	return m;
}

void mailbox_free(struct mailbox *m)
{
	if (!m)
		return;
	if (m->fd >= 0)
		close(m->fd);
	free(m->ring);
	free(m);
}

bool mailbox_post(struct mailbox *m, struct view head, struct view body)
{
	uint64_t n = head.n + body.n, skip = SKIP, one = 1;
	size_t at = atomic_load_explicit(&m->head, memory_order_relaxed), need, gap;
	size_t used = at - atomic_load_explicit(&m->tail, memory_order_acquire);

	if (n > m->cap - LEN_SIZE)
		return false;
	need = LEN_SIZE + padded(n);
	gap = m->cap - (at & (m->cap - 1));
	gap = gap < need ? gap : 0;
	if (need + gap > m->cap - used)
		return false;
	if (gap > 0) {
		memcpy(m->ring + (at & (m->cap - 1)), &skip, sizeof skip);
		at += gap;
	}
	memcpy(m->ring + (at & (m->cap - 1)), &n, sizeof n);
	if (head.n > 0)
		memcpy(m->ring + (at & (m->cap - 1)) + LEN_SIZE, head.p, head.n);
	if (body.n > 0)
		memcpy(m->ring + (at & (m->cap - 1)) + LEN_SIZE + head.n, body.p, body.n);
	atomic_store(&m->head, at + need);
	if (!atomic_exchange(&m->told, true))
		(void)!write(m->fd, &one, sizeof one);
	return true;
}
