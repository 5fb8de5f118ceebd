#include "watch/line.h"

#include "base/log.h"

#include <stddef.h>

static bool is(struct view left, uint8_t c)
{
	return left.n > 0 && left.p[0] == c;
}

static struct view behind(struct view v, size_t n)
{
	return (struct view){v.p + n, v.n - n};
}

/* "text", its quotes taken off. False: no text, or it does not end. */
static bool take_text(struct view *left, struct view *to)
{
	size_t n = 1;

	if (!is(*left, '"'))
		return false;
	while (n < left->n && left->p[n] != '"') {
		if (left->p[n] < 0x20 || left->p[n] > 0x7e)
			return false;
		n += left->p[n] == '\\' ? 2 : 1;
	}
	if (n >= left->n)
		return false;
	*to = (struct view){left->p + 1, n - 1};
	*left = behind(*left, n + 1);
	return true;
}

static bool of_number(uint8_t c)
{
	return (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+' || c == 'e';
}

static bool take_number(struct view *left, struct view *to)
{
	size_t n = 0;

	while (n < left->n && of_number(left->p[n]))
		n++;
	*to = view_first(*left, n);
	*left = behind(*left, n);
	return n > 0;
}

bool line_next(struct view *left, struct view *key, struct view *value, enum err *err)
{
	*err = ERR_OK;
	if (is(*left, ','))
		*left = behind(*left, 1);
	if (left->n == 0 || is(*left, '}'))
		return false;
	*err = ERR_VALUE;
	if (!take_text(left, key) || !is(*left, ':'))
		return false;
	*left = behind(*left, 1);
	if (is(*left, '"') ? !take_text(left, value) : !take_number(left, value))
		return false;
	if (!is(*left, ',') && !is(*left, '}'))
		return false;
	*err = ERR_OK;
	return true;
}

static uint64_t number(struct view v)
{
	uint64_t x = 0;

	for (size_t i = 0; i < v.n && v.p[i] >= '0' && v.p[i] <= '9' && x < UINT64_MAX / 16; i++)
		x = x * 10 + (v.p[i] - '0');
	return x;
}

/* Seconds and their fraction. */
static uint64_t micro(struct view v)
{
	const uint8_t *dot = v.n > 0 ? memchr(v.p, '.', v.n) : NULL;
	uint64_t us = number(v) % 1000000000000 * 1000000, part = 100000;

	for (size_t i = dot ? (size_t)(dot - v.p) + 1 : v.n; i < v.n && part > 0; i++, part /= 10) {
		if (v.p[i] < '0' || v.p[i] > '9')
			break;
		us += (uint64_t)(v.p[i] - '0') * part;
	}
	return us;
}

static uint8_t level_of(struct view v)
{
	return view_eq(v, VIEW("error"))   ? LOG_ERROR
	       : view_eq(v, VIEW("debug")) ? LOG_DEBUG
					   : LOG_NOTE;
}

static void put(struct event_line *e, struct view key, struct view value)
{
	static const struct {
		const char *key;
		size_t at;
	} texts[] = {
	    {"role", offsetof(struct event_line, role)},
	    {"event", offsetof(struct event_line, name)},
	    {"check", offsetof(struct event_line, check)},
	    {"clause", offsetof(struct event_line, clause)},
	    {"network", offsetof(struct event_line, network)},
	    {"tenant", offsetof(struct event_line, tenant)},
	    {"imsi", offsetof(struct event_line, subject)},
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct view *to = (struct view *)((uint8_t *)e + texts[i].at);

		if (view_eq(key, view_of(texts[i].key)) && to->n == 0)
			*to = value;
	}
	if (view_eq(key, VIEW("time")))
		e->at_us = micro(value);
	else if (view_eq(key, VIEW("seq")))
		e->seq = number(value);
	else if (view_eq(key, VIEW("level")))
		e->level = level_of(value);
	else if (view_eq(key, VIEW("n")))
		e->n = number(value);
}

enum err line_parse(struct view line, struct event_line *e)
{
	struct view left, key, value;
	enum err err = ERR_VALUE;

	*e = (struct event_line){.n = 1, .level = LOG_NOTE};
	if (!is(line, '{'))
		return ERR_VALUE;
	left = behind(line, 1);
	while (line_next(&left, &key, &value, &err))
		put(e, key, value);
	if (!err && is(left, '}'))
		left = behind(left, 1);
	else
		return ERR_VALUE;
	if (is(left, '\n'))
		left = behind(left, 1);
	return left.n == 0 && e->at_us > 0 && e->role.n > 0 && e->name.n > 0 ? ERR_OK : ERR_VALUE;
}

struct view line_find(struct view line, struct view key)
{
	struct view left = line.n > 0 ? behind(line, 1) : line, name, value;
	enum err err;

	while (line_next(&left, &name, &value, &err)) {
		if (view_eq(name, key))
			return value;
	}
	return (struct view){0};
}
