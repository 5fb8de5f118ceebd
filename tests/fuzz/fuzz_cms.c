/* Any file as a delivery of keys: what is said to be verified has a signer with a name, and nothing is
 * opened without our key. */
#include "crypto/cms.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct view file = {data, n}, text = {NULL, 0};
	char why[256];
	struct cms_file *f = cms_is(file) ? cms_verify(file, 1800000000, why) : NULL;

	if (!f)
		return 0;
	if (strlen(cms_signer(f)) != CMS_FINGERPRINT ||
	    strspn(cms_signer(f), "0123456789abcdef") != CMS_FINGERPRINT)
		abort();
	if (cms_open(f, "/nowhere/key", "/nowhere/certificate", &text, why) != ERR_KEY || text.n > 0 ||
	    !why[0])
		abort();
	cms_free(f);
	return 0;
}
