/* Two loops and a mailbox between them. */
#include "loop/loop.h"
#include "unit/test.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#define MESSAGES 100000

static const struct loop_limits limits = { .conn_max = 1, .frame_max = 4096, .out_max = 4096,
					  .handshake_ms = 1000 };

struct seen {
	struct loop *loop;
	uint64_t got_n, byte_n, wrong_n, batch_n, end_n, stop_at;
	bool in_batch;
};

static void begin(void *ctx)
{
	struct seen *s = ctx;

	s->in_batch = true;
	s->batch_n++;
}

static void end(void *ctx)
{
	struct seen *s = ctx;

	s->in_batch = false;
	s->end_n++;
}

static size_t tail_of(uint64_t i)
{
	return i * 7919 % 601;
}

/* Message i is its number and a tail whose length and bytes follow from it. */
static void receive(void *ctx, struct view v)
{
	struct seen *s = ctx;
	uint64_t i;

	check(s->in_batch && v.n >= 8);
	memcpy(&i, v.p, 8);
	s->wrong_n += i != s->got_n || v.n != 8 + tail_of(i);
	for (size_t k = 8; k < v.n; k++)
		s->wrong_n += v.p[k] != (uint8_t)i;
	s->got_n++;
	s->byte_n += v.n;
	if (s->got_n == s->stop_at)
		loop_stop(s->loop);
}

static void *run(void *loop)
{
	loop_run(loop);
	return NULL;
}

/* The posting loop: a burst a millisecond, from its own thread. */
struct source_loop {
	struct loop *loop;
	struct mailbox *to;
	uint64_t next, full_n;
};

static void burst(void *ctx)
{
	static uint8_t tail[601];
	struct source_loop *s = ctx;

	for (int i = 0; i < 2000 && s->next < MESSAGES; i++) {
		uint64_t n = s->next;

		memset(tail, (int)(n & 0xff), tail_of(n));
		if (!mailbox_post(s->to, (struct view){ (const uint8_t *)&n, 8 },
				  (struct view){ tail, tail_of(n) })) {
			s->full_n++;
			break;
		}
		s->next++;
	}
	if (s->next == MESSAGES)
		loop_stop(s->loop);
}

TEST(a_hundred_thousand_messages_pass_between_two_loops_whole_and_in_order)
{
	struct seen s = { .loop = loop_new(&limits), .stop_at = MESSAGES };
	struct source_loop from = { .loop = loop_new(&limits) };
	pthread_t thread;

	from.to = mailbox_new(s.loop, 256 * 1024, receive, &s);
	check(from.to);
	loop_batch(s.loop, begin, end, &s);
	loop_every(from.loop, 1, burst, &from);
	check(pthread_create(&thread, NULL, run, s.loop) == 0);
	loop_run(from.loop);
	pthread_join(thread, NULL);
	printf("  %llu in %llu batches, full %llu times\n", (unsigned long long)s.got_n,
	       (unsigned long long)s.batch_n, (unsigned long long)from.full_n);
	check_eq(s.got_n, MESSAGES);
	check_eq(s.wrong_n, 0);
	check_eq(s.batch_n, s.end_n);
	check(s.batch_n < MESSAGES / 10);
	mailbox_free(from.to);
	loop_free(from.loop);
	loop_free(s.loop);
}

TEST(a_full_mailbox_refuses_and_takes_again_when_read)
{
	static const uint8_t big[5000];
	struct seen s = { .loop = loop_new(&limits) };
	struct mailbox *m = mailbox_new(s.loop, 4096, receive, &s);
	uint64_t n = 0;

	check(!mailbox_post(m, (struct view){ big, 3000 }, (struct view){ big, 2000 }));
	while (mailbox_post(m, (struct view){ (const uint8_t *)&n, 8 },
			    (struct view){ (const uint8_t[601]){ 0 }, tail_of(0) }))
		n++;
	check(n == 4096 / 16);
	mailbox_free(m);
	loop_free(s.loop);
}

/* Slowest way to lose a wake-up: post one at a time, each after the last has been received. */
static void *one_by_one(void *arg)
{
	struct source_loop *from = arg;
	_Alignas(8) uint8_t tail[601];

	for (uint64_t n = 0; n < 20000; n++) {
		memset(tail, (int)(n & 0xff), sizeof tail);
		while (!mailbox_post(from->to, (struct view){ (const uint8_t *)&n, 8 },
				     (struct view){ tail, tail_of(n) }))
			sched_yield();
		if (n % 64 == 0)
			sched_yield();
	}
	return NULL;
}

TEST(no_wake_up_is_lost)
{
	struct seen s = { .loop = loop_new(&limits), .stop_at = 20000 };
	struct source_loop from = { 0 };
	pthread_t thread;

	from.to = mailbox_new(s.loop, 4096, receive, &s);
	loop_batch(s.loop, begin, end, &s);
	check(pthread_create(&thread, NULL, one_by_one, &from) == 0);
	loop_run(s.loop);
	pthread_join(thread, NULL);
	check_eq(s.got_n, 20000);
	check_eq(s.wrong_n, 0);
	mailbox_free(from.to);
	loop_free(s.loop);
}

TESTS(T(a_hundred_thousand_messages_pass_between_two_loops_whole_and_in_order),
      T(a_full_mailbox_refuses_and_takes_again_when_read), T(no_wake_up_is_lost))
