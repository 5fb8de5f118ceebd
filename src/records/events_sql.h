/* The event store: one SQLite file that watch alone writes, and that others read on connections of
 * their own (events_read.h). A name in the file is a name here. */
#pragma once

/* An event, and what it is found by; `line` is the event itself, JSON without its end. Numbers of
 * events are never used twice, so that a reader may ask for what came after one. An alarm: raised
 * at, open until cleared. Its number is the time of its raising in microseconds. A second of the
 * counters (watch/second.h), and what is true now (`live`: one row). */
#define EVENTS_SQL                                                                                 \
	"CREATE TABLE IF NOT EXISTS event (id INTEGER PRIMARY KEY AUTOINCREMENT, at_us INTEGER "   \
	"NOT NULL, "                                                                               \
	"level INTEGER NOT NULL, role TEXT NOT NULL, name TEXT NOT NULL, \"check\" TEXT, clause "  \
	"TEXT, "                                                                                   \
	"network TEXT, tenant TEXT, subject TEXT, n INTEGER NOT NULL, line TEXT NOT NULL);"        \
	"CREATE INDEX IF NOT EXISTS event_at ON event(at_us);"                                     \
	"CREATE INDEX IF NOT EXISTS event_name ON event(name);"                                    \
	"CREATE INDEX IF NOT EXISTS event_check ON event(\"check\") WHERE \"check\" IS NOT NULL;"  \
	"CREATE INDEX IF NOT EXISTS event_clause ON event(clause) WHERE clause IS NOT NULL;"       \
	"CREATE INDEX IF NOT EXISTS event_network ON event(network) WHERE network IS NOT NULL;"    \
	"CREATE INDEX IF NOT EXISTS event_tenant ON event(tenant) WHERE tenant IS NOT NULL;"       \
	"CREATE INDEX IF NOT EXISTS event_subject ON event(subject) WHERE subject IS NOT NULL;"    \
	"CREATE TABLE IF NOT EXISTS alarm (id INTEGER PRIMARY KEY, name TEXT NOT NULL, subject "   \
	"TEXT NOT NULL, "                                                                          \
	"severity TEXT NOT NULL, clause TEXT NOT NULL, help TEXT NOT NULL, last_us INTEGER NOT "   \
	"NULL, "                                                                                   \
	"cleared_us INTEGER NOT NULL DEFAULT 0, n INTEGER NOT NULL, line TEXT NOT NULL);"          \
	"CREATE INDEX IF NOT EXISTS alarm_open ON alarm(cleared_us);"                              \
	"CREATE TABLE IF NOT EXISTS second (at_s INTEGER PRIMARY KEY, counts TEXT NOT NULL);"      \
	"CREATE TABLE IF NOT EXISTS live (id INTEGER PRIMARY KEY CHECK (id = 1), at_s INTEGER "    \
	"NOT NULL, "                                                                               \
	"page TEXT NOT NULL)"
#define EVENTS_FORMAT 1 /* PRAGMA user_version */
