/* Proofs of earlier runs, a JSON line each, so that what cannot be tried now keeps its age. */
#include "audit/audit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEEP_MS 86400000u  /* older proofs prove nothing */
#define FILE_MAX (4 << 20) /* then it is turned over, to .1 */
#define LINE_BYTES 1024

static size_t attempt_of(const char *name)
{
	size_t i = 0;

	while (i < attempt_n && (!name || strcmp(attempts[i].name, name) != 0))
		i++;
	return i;
}

/* Later lines are newer, so they replace what an earlier one gave; what this run tried stays. */
static void recall_line(const char *line, uint64_t since_ms, struct proof *proofs)
{
	json_t *o = json_loads(line, 0, NULL);
	size_t i = attempt_of(json_string_value(json_object_get(o, "try")));
	uint64_t at = (uint64_t)json_integer_value(json_object_get(o, "at_ms"));
	json_int_t state = json_integer_value(json_object_get(o, "state"));
	const char *text = json_string_value(json_object_get(o, "evidence"));

	if (i < attempt_n && at < since_ms && at + KEEP_MS > since_ms &&
	    (state == SHOWN || state == NOT_SHOWN) &&
	    (proofs[i].state == WITHOUT || proofs[i].at_ms < since_ms)) {
		proofs[i].state = (enum state)state;
		proofs[i].at_ms = at;
		snprintf(proofs[i].text, sizeof proofs[i].text, "%s", text ? text : "");
	}
	json_decref(o);
}

void evidence_recall(const char *path, uint64_t since_ms, struct proof *proofs)
{
	char line[LINE_BYTES];
	FILE *f = fopen(path, "re");

	if (!f)
		return;
	while (fgets(line, sizeof line, f))
		recall_line(line, since_ms, proofs);
	fclose(f);
}

bool evidence_keep(const char *path, uint64_t since_ms, const struct proof *proofs)
{
	struct stat st;
	char old[CONF_TEXT_MAX + 32];
	FILE *f;
	int fd;

	snprintf(old, sizeof old, "%s.1", path);
	if (stat(path, &st) == 0 && st.st_size > FILE_MAX)
		(void)rename(path, old);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	f = fd >= 0 ? fdopen(fd, "a") : NULL;
	if (!f) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	for (size_t i = 0; i < attempt_n; i++) {
		json_t *o;

		if (proofs[i].state == WITHOUT || proofs[i].at_ms < since_ms)
			continue;
		o = json_pack("{s:I,s:s,s:s,s:i,s:s}", "at_ms", (json_int_t)proofs[i].at_ms, "try",
			      attempts[i].name, "clauses", attempts[i].clauses, "state",
			      proofs[i].state, "evidence", proofs[i].text);
		if (o && json_dumpf(o, f, JSON_COMPACT) == 0)
			fputc('\n', f);
		json_decref(o);
	}
	return fclose(f) == 0;
}
