/* MAP (TS 29.002): values to bytes. Errors stick in the `wr`. Pure. */
#pragma once
#include "wire/map.h"

/* An IMSI, a number as AddressString (international, E.164), a NULL. `imsi`, `number`: base/bcd.h. */
void map_put_imsi(struct wr *w, enum ber_class class, uint8_t tag, uint64_t imsi);
void map_put_number(struct wr *w, enum ber_class class, uint8_t tag, uint64_t number);
void map_put_null(struct wr *w, enum ber_class class, uint8_t tag);

/* An APN as labels (TS 23.003 9.1). */
void map_put_apn(struct wr *w, enum ber_class class, uint8_t tag, struct view name);

/* The object identifier of an application context: 0.4.0.0.1.0.number.version, in the caller's room. */
#define MAP_OID 7
struct view map_oid(uint8_t number, uint8_t version, uint8_t room[MAP_OID]);
