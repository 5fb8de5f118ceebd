/* Intel's multi-buffer library, for the processor at hand. Inside crypto only. */
#pragma once
#include <intel-ipsec-mb.h>
#include <stddef.h>

/* NULL: out of memory, or a processor without AES instructions. Freed with free_mb_mgr. */
static inline IMB_MGR *mb_new(void)
{
	IMB_MGR *mb = alloc_mb_mgr(0);

	if (!mb)
		return NULL;
	init_mb_mgr_auto(mb, NULL);
	if (imb_get_errno(mb) == 0)
		return mb;
	free_mb_mgr(mb);
	return NULL;
}
