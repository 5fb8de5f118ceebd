/* Any file in the spool: rows are handed over only from one that is whole and ours, and never more than
 * its head says. */
#include "base/bcd.h"
#include "records/spool.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static size_t taken;

static enum err take(void *ctx, const struct vault_row *rows, size_t n)
{
	(void)ctx;
	for (size_t i = 0; i < n; i++) {
		if (bcd_n(rows[i].imsi) < 6)
			abort();
	}
	taken += n;
	return ERR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t pub[SEALBOX_PUBLIC];
	static struct secret32 master, priv;
	enum err err;
	int fd;

	sealbox_pair(&master, pub, &priv);
	fd = memfd_create("spool", 0);
	if (fd < 0 || write(fd, data, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	taken = 0;
	err = spool_take(fd, pub, &priv, take, NULL);
	close(fd);
	if (!err && (n < SPOOL_HEAD || taken == 0 ||
		     (taken * SPOOL_SEALED != n - SPOOL_HEAD &&
		      taken * SPOOL_SEALED_MAX != n - SPOOL_HEAD)))
		abort();
	return 0;
}
