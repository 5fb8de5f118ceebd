/* The admission calendar: when each refused device may come back. An appointment is a keyed hash of IMSI
 * and storm epoch, so any worker or node can check it without state (design.md, 'Storm control').
 *
 * From the epoch on, time is cut into windows, each twice as long as the one before. A device has one
 * appointment in each, at a 2 s slot that its hash chooses: evenly spread, and thinner in each window,
 * until what is left fits what the target can spare. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define CALENDAR_SLOT_MS 2000
#define CALENDAR_MAX_S   11160 /* the longest GPRS timer 2 */

/* Of GPRS timer 2 (TS 24.008 §10.5.7.4): 2..62 s in steps of 2, ..1860 s of 60, ..11160 s of 360.
 * The shortest value that is at least `s` seconds; the longest if there is none. And its octet. */
uint32_t calendar_value(uint32_t s);
uint8_t calendar_octet(uint32_t value);

/* Of the EPC timer and GTPv1's Back-Off Time (TS 29.274 §8.87, TS 29.060 §7.7.102): 2..62 s in steps of 2,
 * ..1860 s of 60, ..18600 s of 600. The shortest value that is at least `s` seconds; and its octet. */
#define CALENDAR_EPC_MAX_S 18600
uint32_t calendar_epc_value(uint32_t s);
uint8_t calendar_epc_octet(uint32_t s);

/* One device in one storm: `hash` of (IMSI, epoch) under the site's key. */
struct calendar {
	uint64_t hash, epoch_ms;
};

/* Has its appointment of the present window come? */
bool calendar_due(const struct calendar *c, uint64_t now_ms);

/* Its appointment in the `n`th window from now (0: the present one), as the seconds to wait, in a value
 * that the protocol can encode and that does not miss the window; 0: none in that window. */
uint32_t calendar_wait(const struct calendar *c, uint64_t now_ms, unsigned int n);

/* When the appointment of the `n`th window is; it names the window too, for this device. */
uint64_t calendar_at(const struct calendar *c, uint64_t now_ms, unsigned int n);

/* Seconds until the present window ends. */
uint32_t calendar_left(uint64_t epoch_ms, uint64_t now_ms);
