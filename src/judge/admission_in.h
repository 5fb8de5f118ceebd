/* Inside storm control: what admission.c counts and admission_control.c steers by. */
#pragma once
#include <stdatomic.h>

#include "judge/admission.h"
#include "judge/calendar.h"

#define TICK_MS     100
#define NEWS_MS     5      /* until the next control step when something is turned away, */
#define NEWS_N      5      /* so many times a storm */
#define CALM_MS     20000   /* a storm is over when nothing was shed for so long */
#define LANES       3
#define FAIR_N      64      /* tenants, and partners, told apart when sharing */
#define SLOTS       8192    /* of the calendar: more than CALENDAR_MAX_S of them */
#define GENERATIONS 4
#define KNOWN_WORDS (1u << 17) /* a megabyte of bits */

/* A rank orders first messages: class, then who keeps an appointment, then a level that the device
 * keeps for an hour, so that the luck of the draw goes round. */
#define LEVEL_BITS  23
#define RANK_LATE   (1u << LEVEL_BITS)
#define RANK_CLASS  (1u << (LEVEL_BITS + 1))
#define RANK_ALL    (PRIO_N * RANK_CLASS)
#define HIST_SHIFT  16
#define HIST_N      (RANK_ALL >> HIST_SHIFT)
#define KEEP_ALL    65536u
#define WORK_ONE    16u     /* a request, in hist's fixed point */
#define FAIR_ONE    256u    /* a share's weight in fixed point */

/* In flight, by the time of asking in steps of a minute: a count that was never taken back ages out. */
struct flying {
	_Atomic uint32_t n[GENERATIONS];
};

struct lane {
	struct flying flying;
	_Atomic uint32_t limit;              /* of requests in flight, in 1/256 */
	_Atomic uint64_t sum_ms, sample_n, busy_n; /* answers since the last tick */
	uint64_t best_us, mean_us;           /* the shortest mean latency seen, and the last one */
	uint64_t quick_us, now_us;           /* as measured: the shortest mean latency, the last; 0: none */
	uint32_t easy;                       /* control steps since the last sign of distress */
};

/* How often each of FAIR_N asked, and by how much that is beyond the mean. */
struct shares {
	_Atomic uint32_t asked[FAIR_N];
	_Atomic uint16_t weight[FAIR_N];     /* FAIR_ONE and up */
	uint32_t usual[FAIR_N];              /* smoothed, in 1/16 */
};

/* One node's devices on one APN. */
#define GROUPS 4096
struct group_row {
	_Atomic uint64_t group;      /* 0: free */
	_Atomic uint64_t until_ms;   /* it was told to stay away until then; 0: never */
	_Atomic uint64_t since_ms;   /* of `came` and `in` */
	_Atomic uint32_t came, in;   /* that asked since, and of those: were let in */
	_Atomic uint32_t rate;       /* new ones a second, in 1/256 */
	/* How many its appointment is for; who of them waited already when it was made; how long it was. */
	_Atomic uint32_t booked, left, wait_s;
};

struct admission {
	struct admission_conf conf;
	uint8_t key[HASH_KEY];
	struct lane lane[LANES];
	struct shares tenants, partners;
	_Atomic uint32_t hist[HIST_N];       /* first messages since the last tick: work to come, 1/16 */
	_Atomic uint32_t vectors_n, follow;  /* vectors asked and let in; how many updates follow one, 1/16 */
	_Atomic uint32_t threshold;          /* ranks below come in */
	_Atomic uint64_t tick_ms;            /* the last control step; who moves it makes the next */
	/* Since the last tick. */
	_Atomic uint32_t done_n, limit_hits, level_hits, asked_n, shed_n, begun_n;
	_Atomic uint32_t idle_ms;            /* with less than `least` to do, since the last tick */
	_Atomic uint64_t idle_from;          /* since when it has; 0: it has enough */
	_Atomic bool storm;                  /* something was shed within the last minute */
	_Atomic uint64_t epoch_ms;           /* what appointments count from; 0: none */
	_Atomic uint64_t booked_ms;          /* the last return that is booked */
	_Atomic uint64_t known[KNOWN_WORDS]; /* who is booked for what */
	_Atomic uint64_t slot[SLOTS];        /* booked returns: slot number << 32 | count */
	struct group_row group[GROUPS];
	_Atomic uint32_t share, group_asked; /* percent of the rate that is booked; who asked in this slot */
	_Atomic uint64_t silenced_ms;        /* when a group was last told to stay away */
	_Atomic uint64_t overload;           /* sequence in ms << 8 | percent */
	_Atomic uint32_t validity_s;         /* of the report: how long who is held back should stay away */
	_Atomic uint64_t heed;               /* the target's word: until in ms << 8 | percent; 0: none */
	_Atomic uint32_t rate;               /* requests a second */
	_Atomic uint32_t slack;              /* in flight at once that a target at ease is given, in 1/256 */
	_Atomic uint32_t news;               /* of these, so far */
	_Atomic uint32_t cap;                /* in flight at most while much is shed, in 1/256; 0: no cap */
	_Atomic uint32_t least;              /* in flight then when the target has work all the time */
	_Atomic uint64_t each_us, next_us;   /* between two requests let in then; when the next may come */
	_Atomic uint64_t offered[PRIO_N], admitted[PRIO_N], refused[PRIO_N], due;
	atomic_flag controlling;
	/* The controller's own: by whoever holds `controlling`. */
	uint64_t slot_no;                    /* of the calendar, that `group_asked` is about */
	uint64_t calm_ms;                    /* since when there is no sign of a storm */
	uint64_t seen_rate, peak_rate;       /* requests a second: smoothed, and the most of late */
	uint32_t shed_permille, gen;
	uint32_t flood;                      /* control steps in a row with much more than is carried */
	uint32_t keep;                       /* what the report leaves of what nodes send, in 1/KEEP_ALL */
	int64_t critical;                    /* critical work a control step, smoothed, in 1/16 */
	uint64_t idle;                       /* permille of the time without work, smoothed */
	uint32_t more;                       /* the cap, in percent of what keeps a busy target at work */
	uint64_t demand;                     /* first messages' work a second, smoothed, in 1/16 */
	uint64_t held;                       /* attaches that nodes hold back by it, in 1/16 */
	uint64_t follow_fine;                /* `follow` in 1/4096 */
};

/* Requests in flight: of a lane, and of all. */
uint32_t flying_now(const struct flying *f);
uint32_t flying_all(const struct admission *a);

/* What the target was idle is counted until now, and goes on from `next_ms`; 0: it has work again. */
void admission_idle(struct admission *a, uint64_t now_ms, uint64_t next_ms);
/* admission_group.c. One of the group asks: does it come at its appointment? And one was let in. */
bool admission_group_asks(struct admission *a, const struct admission_ask *ask);
void admission_group_admitted(struct admission *a, const struct admission_ask *ask);
/* By the controller: the calendar's next slot may have begun. */
void admission_group_slot(struct admission *a, uint64_t now_ms);

/* One control step, by the worker that moved tick_ms from `was_ms` to `now_ms`. */
void admission_control(struct admission *a, uint64_t was_ms, uint64_t now_ms);
