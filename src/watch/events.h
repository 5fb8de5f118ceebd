/* The event file: one JSON line an event, in the order they came, turned over when it is large. */
#pragma once
#include "base/bytes.h"

struct events;

/* A line that a crash left torn at the file's end is cut off. ERR_IO with the reason in `why`. */
enum err MUST_USE events_open(struct events **e, const char *path, bool to_syslog, char why[256]);
void events_close(struct events *e);

/* Append what one datagram holds: a line. What is no single line of printable text is refused
 * (counted by the return of ERR_VALUE): it can only come from a role gone wrong. ERR_IO: lost, for
 * the file cannot be written and no room is left. */
enum err MUST_USE events_add(struct events *e, struct view line);
/* Write out what has gathered; turn the file over at its limit. Every 100 ms. ERR_IO: what could not
 * be written (a full disk) waits for the next time. */
enum err MUST_USE events_flush(struct events *e);
