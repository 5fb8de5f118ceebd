/* The device a SIM is in, and what follows for it (judge/binding.h; R-5.1.1.2.b, R-5.7.3). What is in force
 * follows from the records and from the device last reported, which stands in the registration: nothing else
 * is remembered, so it holds after a restart, and ends when the SIM or the records are put right. */
#pragma once
#include "home/procedure.h"

/* Fill in rows->bound, reaction and profile for this device; 0: nobody said which. `own` is the profile as
 * it is recorded, `room` for the one in force. */
void device_look(struct home_rows *rows, const struct book *book, uint64_t imei, uint64_t wall_ms,
		 struct profile_row *room);

/* The SIM is in that device now: the same, and `reg` (which becomes rows->reg) says so. Where a case is to be
 * opened for it, it is greylisted from now on (REG_HOLD_WANTED) and no matter when the records follow. */
void device_seen(struct home_rows *rows, struct reg_row *reg, const struct book *book, uint64_t imei,
		 uint64_t wall_ms, struct profile_row *room);

/* The device that an update is about: one that does not say keeps the one before, unless the SIM begins anew
 * or comes by another node, where nobody knows. */
uint64_t device_of_update(const struct reg_row *reg, const struct update_request *q);

/* Greylisted, by the records or on its way there. */
bool device_grey(const struct home_rows *rows, uint64_t wall_ms);
/* Not to be served in this device. */
bool device_refused(const struct home_rows *rows);

/* --- on the loop's thread, with its worker --- */
struct home_worker;

/* An event and a count, if the device is another one. */
void device_tell(const struct home_rows *rows, uint64_t imsi, uint64_t imei, const char *via,
		 struct view peer);

/* For a front that keeps no registration of this kind (SWx: SAR with Terminal-Information, TS 29.273
 * 8.2.2.3): the SIM, which has proved to be this one, was seen in that device. What follows for it is begun:
 * told, withdrawn from where it is registered, a case asked for. The front refuses where this says
 * REACT_REFUSE; rows that are looked up after it say the rest (device_refused, profile). */
enum reaction device_report(struct home_worker *w, uint64_t imsi, uint64_t imei, const char *via,
			    struct view peer);
