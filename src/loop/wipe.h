/* Memory of OpenSSL's that held a secret holds none once it is given back. OpenSSL wipes what it knows to be
 * secret, but copies of a private key stay behind where it decodes one. */
#pragma once
#include <stdbool.h>

/* First thing in main, before OpenSSL has allocated anything. False: too late, nothing is wiped. */
bool wipe_prepare(void);
/* From now on, in this process, whatever OpenSSL frees is overwritten first. */
void wipe_freed(void);
