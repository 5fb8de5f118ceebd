/* merlon audit receipts. */
#pragma once
#include "cli/reach.h"

/* With an open keeper. Prints; exit code: 1 when a receipt, or the chain, does not verify. */
int audit_receipts(struct reach *reach);
