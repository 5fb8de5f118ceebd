#include "portal/attestation.h"

#include <cbor.h>

static bool is_named(const cbor_item_t *key, const char *name)
{
	size_t n = strlen(name);

	return cbor_isa_string(key) && cbor_string_is_definite(key) && cbor_string_length(key) == n &&
	       memcmp(cbor_string_handle(key), name, n) == 0;
}

/* {"fmt": text, "attStmt": map, "authData": bytes}, in any order. */
static enum err read_map(const cbor_item_t *map, struct wr *room)
{
	const struct cbor_pair *pair;
	enum err err = ERR_VALUE;

	if (!cbor_isa_map(map) || !cbor_map_is_definite(map) || cbor_map_size(map) > 8)
		return ERR_VALUE;
	pair = cbor_map_handle(map);
	for (size_t i = 0; i < cbor_map_size(map); i++) {
		const cbor_item_t *v = pair[i].value;

		if (!is_named(pair[i].key, "authData"))
			continue;
		if (err == ERR_OK || !cbor_isa_bytestring(v) || !cbor_bytestring_is_definite(v))
			return ERR_VALUE;
		wr_view(room, (struct view){cbor_bytestring_handle(v), cbor_bytestring_length(v)});
		err = room->err;
	}
	return err;
}

enum err attestation_read(struct view object, struct wr *room)
{
	struct cbor_load_result r;
	cbor_item_t *item;
	enum err err;

	if (object.n == 0 || object.n > ATTESTATION_MAX)
		return ERR_LENGTH;
	item = cbor_load(object.p, object.n, &r);
	if (!item)
		return ERR_VALUE;
	err = r.read == object.n ? read_map(item, room) : ERR_VALUE;
	cbor_decref(&item);
	return err;
}
