/* Whatever a role tells its supervisor: a known word, with one line of text, or the channel is gone. */
#include "loop/child.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct child_message m;
	int pair[2];

	if (n > 4096 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return 0;
	if (send(pair[0], data, n, MSG_NOSIGNAL) == (ssize_t)n) {
		if (child_hear(pair[1], &m, 0) == ERR_OK) {
			if (m.word > CHILD_GONE || memchr(m.text, 0, sizeof m.text) == NULL || m.fd_n != 0)
				abort();
			for (const char *c = m.text; *c; c++) {
				if (*c == '\n')
					abort(); /* one line */
			}
		}
	}
	close(pair[0]);
	close(pair[1]);
	return 0;
}
