/* MILENAGE (TS 35.206 §4.1) by the processor's AES instructions. Inside crypto only: for others there is
 * aka.h. */
#pragma once
#include "crypto/aka.h"

/* Has this processor the instructions? The others may be called only then. */
bool milenage_able(void);

/* All functions for one challenge. The caller wipes `f`. */
void milenage_all(const struct aka_key *key, const uint8_t rand[16], uint64_t sqn, struct aka_f *f);

/* OPc = OP xor E(OP). */
void milenage_opc(const uint8_t k[16], const uint8_t op[16], uint8_t opc[16]);
