/* Whatever a role sends as an event: the file only ever holds whole lines of printable text. */
#include "watch/events.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static char path[64], why[256];
	static uint8_t file[1 << 16];
	struct events *e;
	ssize_t got;
	FILE *f;

	if (n > 8192)
		return 0;
	snprintf(path, sizeof path, "/tmp/merlon-fuzz-events.%d", getpid());
	if (events_open(&e, path, false, why) != ERR_OK)
		abort();
	got = events_add(e, (struct view){ data, n }) == ERR_OK ? (ssize_t)n : 0;
	events_close(e);
	f = fopen(path, "re");
	if (!f || (ssize_t)fread(file, 1, sizeof file, f) != got)
		abort();
	fclose(f);
	unlink(path);
	for (ssize_t i = 0; i < got; i++) {
		if ((file[i] == '\n') != (i == got - 1))
			abort();
		if (file[i] != '\n' && (file[i] < 0x20 || file[i] > 0x7e))
			abort();
	}
	return 0;
}
