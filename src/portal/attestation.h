/* The attestation object that navigator.credentials.create returns (WebAuthn 6.5.4): CBOR by libcbor.
 * Pure. */
#pragma once
#include "base/bytes.h"

#define ATTESTATION_MAX 8192
/* Its authenticator data, copied to `room`. ERR_LENGTH, ERR_VALUE: not of that form; ERR_FULL. */
enum err MUST_USE attestation_read(struct view object, struct wr *room);
