/* Messages of devices that wait for their platforms, and the acknowledgements that wait for the devices.
 * In memory, bounded; a message that nobody acknowledges in time is gone, and its device sees no
 * receipt. */
#pragma once
#include "base/bytes.h"

#define RELAY_MAX 512
#define RELAY_DEVICE 16	   /* messages of one device at once */
#define RELAY_PLATFORM 256 /* for one platform */
#define RELAY_BODY 4096
#define RELAY_TOKEN 2048
#define RELAY_KEEP_S 600 /* how long one waits, and how long its receipt is kept */
#define RELAY_AGAIN_S 30 /* taken, not acknowledged: handed out again */

struct relay_message {
	char id[72]; /* "": free */
	char platform[64], type[64];
	uint64_t imsi, at_s, taken_s;
	bool noting, acked; /* the journal is asked; it holds the receipt */
	char token[RELAY_TOKEN], ack[RELAY_TOKEN];
	size_t n;
	uint8_t body[RELAY_BODY];
};

struct relay;
struct relay *relay_new(void); /* NULL: out of memory */
void relay_free(struct relay *r);
/* Room for a message; NULL: the device, the platform or all have too many. */
struct relay_message *relay_put(struct relay *r, struct view platform, uint64_t imsi, uint64_t now_s);
/* The oldest for a platform that is not being worked on; NULL: none. It is then. */
struct relay_message *relay_take(struct relay *r, struct view platform, uint64_t now_s);
struct relay_message *relay_find(struct relay *r, struct view id, uint64_t now_s);
