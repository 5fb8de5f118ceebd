/* Records as the serving copy holds them: judge/book.h rows. */
#include "records/store_in.h"

#include "base/log.h"
#include "judge/binding.h"

#include <stdio.h>

static void text_to(struct view v, char *to, size_t cap)
{
	size_t n = v.n < cap ? v.n : cap - 1;

	if (n > 0)
		memcpy(to, v.p, n);
}

static uint32_t num(const struct row *r, enum column_of_all c)
{
	return (uint32_t)row_at(r, c)->num;
}

enum err store_profile_of(struct store *st, struct view name)
{
	struct row r;
	enum err err;

	if (st->profile_name[0] && view_eq(name, view_of(st->profile_name)))
		return ERR_OK;
	st->profile_name[0] = 0;
	err = store_find(st, OBJ_PROFILE, name, &r);
	if (!err && (r.tampered ||
		     !view_text(row_at(&r, COL_PROFILE_TENANT)->text, st->profile_tenant,
				sizeof st->profile_tenant) ||
		     !view_text(name, st->profile_name, sizeof st->profile_name)))
		err = ERR_CORRUPT;
	if (err)
		return err;
	st->profile_id = (uint32_t)r.id;
	st->profile_prio = (uint8_t)num(&r, COL_PROFILE_PRIO);
	st->profile_tamper = num(&r, COL_PROFILE_TAMPER) != 0;
	return ERR_OK;
}

/* The numbers behind the names of the profile and the tenant; the last are kept, for imports. */
static enum err names_to_ids(struct store *st, const struct row *sub)
{
	struct view tenant = row_at(sub, COL_SUB_TENANT)->text;
	struct row r;
	enum err err;

	if (store_profile_of(st, row_at(sub, COL_SUB_PROFILE)->text))
		return ERR_CORRUPT;
	if (!st->tenant_name[0] || !view_eq(tenant, view_of(st->tenant_name))) {
		st->tenant_name[0] = 0;
		err = store_find(st, OBJ_TENANT, tenant, &r);
		if (err || !view_text(tenant, st->tenant_name, sizeof st->tenant_name))
			return ERR_CORRUPT;
		st->tenant_id = (uint32_t)r.id;
	}
	return ERR_OK;
}

static void pack_tacs(struct view list, uint32_t to[TAC_MAX])
{
	struct view w;

	for (size_t n = 0; n < TAC_MAX && (w = model_word(&list)).n > 0; n++)
		to[n] = (uint32_t)(bcd_of(w) >> 32);
}

enum err store_pack_sub(struct store *st, const struct row *r, struct sub_row *to)
{
	enum err err = names_to_ids(st, r);
	uint32_t prio = num(r, COL_SUB_PRIO), grey = num(r, COL_SUB_GREY_UNTIL);

	if (err)
		return err;
	*to = (struct sub_row){
		.imsi = bcd_of(row_key(r)), .msisdn = bcd_of(row_at(r, COL_SUB_MSISDN)->text),
		.imei = bcd_of(row_at(r, COL_SUB_IMEI)->text),
		.profile = st->profile_id, .tenant = st->tenant_id,
		.partition = num(r, COL_SUB_PARTITION), .grey_until = grey, .version = r->version,
		.life = (uint8_t)num(r, COL_SUB_LIFE), .alg = (uint8_t)num(r, COL_SUB_ALG),
		.prio = (uint8_t)(prio == PRIO_N ? st->profile_prio : prio),
		.flags = (uint8_t)((grey ? SUB_GREY : 0) |
				   (num(r, COL_SUB_IS_TEST) ? SUB_TEST : 0)),
		.host = binding_host(row_at(r, COL_SUB_HOST)->text),
	};
	pack_tacs(row_at(r, COL_SUB_TACS)->text, to->tac);
	return ERR_OK;
}

static uint8_t pack_numbers(struct view list, uint64_t *to, uint8_t max)
{
	struct view w;
	uint8_t n = 0;

	while (n < max && (w = model_word(&list)).n > 0)
		to[n++] = bcd_of(w);
	return n;
}

static bool pack_apn(struct view text, uint8_t context, struct apn_row *to)
{
	struct model_apn a;
	struct say ignored;

	if (text.n == 0 || model_apn(text, &a, &ignored))
		return false;
	text_to(a.name, to->name, sizeof to->name);
	to->context = context;
	to->pdn_type = (uint8_t)a.pdn;
	to->qci = (uint8_t)a.qci;
	to->arp = (uint8_t)a.arp;
	to->ul_bps = a.ul;
	to->dl_bps = a.dl;
	return true;
}

/* The quarantine's context is none of the others': a node must see that it is another one. */
static void pack_apns(const struct row *r, struct profile_row *to)
{
	for (unsigned int c = COL_PROFILE_APN1; c <= COL_PROFILE_APN4; c++) {
		if (pack_apn(row_at(r, c)->text, (uint8_t)(to->apn_n + 1), &to->apn[to->apn_n]))
			to->apn_n++;
	}
	if (!pack_apn(row_at(r, COL_PROFILE_QUARANTINE)->text, APN_MAX + 1, &to->quarantine))
		to->quarantine.name[0] = 0;
}

static void pack_reach(struct view list, struct profile_row *to)
{
	struct view w;

	while (to->reach_n < REACH_MAX && (w = model_word(&list)).n > 0) {
		if (model_reach(w, &to->reach[to->reach_n]) == ERR_OK)
			to->reach_n++;
	}
}

/* What is older than the policy allows is no radio technology of this profile, wherever it is asked. */
static uint16_t rats_from(uint32_t rats, uint32_t generation)
{
	if (generation > 2)
		rats &= ~(uint32_t)RAT_GERAN;
	if (generation > 3)
		rats &= ~(uint32_t)RAT_UTRAN;
	return (uint16_t)rats;
}

static enum err pack_profile(struct store *st, const struct row *r, struct profile_row *to)
{
	struct row tenant;

	if (store_find(st, OBJ_TENANT, row_at(r, COL_PROFILE_TENANT)->text, &tenant))
		return ERR_CORRUPT;
	*to = (struct profile_row){
		.id = (uint32_t)r->id, .version = r->version, .tenant = (uint32_t)tenant.id,
		.prio = (uint8_t)num(r, COL_PROFILE_PRIO),
		.binding = (uint8_t)num(r, COL_PROFILE_BIND),
		.rats = rats_from(num(r, COL_PROFILE_RATS), num(r, COL_PROFILE_GEN)),
		.algorithms = num(r, COL_PROFILE_RADIOS) >> 1, /* its first choice is bit 1 */
		.generation = (uint8_t)num(r, COL_PROFILE_GEN),
		.grey = (uint8_t)num(r, COL_PROFILE_GREY),
		.assurance = (uint8_t)num(r, COL_PROFILE_ASSURE),
		.services = (uint16_t)num(r, COL_PROFILE_SERVE),
		.ul_bps = num(r, COL_PROFILE_UL), .dl_bps = num(r, COL_PROFILE_DL),
		.tau_s = num(r, COL_PROFILE_TAU), .odb = num(r, COL_PROFILE_ODB),
		.peers = (uint8_t)num(r, COL_PROFILE_PEERS), .day_mb = num(r, COL_PROFILE_DAY),
		.on_leak = (uint8_t)num(r, COL_PROFILE_LEAK),
		.on_threat = (uint8_t)num(r, COL_PROFILE_THREAT),
		.leaks_ok = num(r, COL_PROFILE_LEAKS_OK) >> 1, /* its first choice is bit 1 */
		.touch_max = num(r, COL_PROFILE_TOUCH),
	};
	text_to(row_key(r), to->name, sizeof to->name);
	pack_numbers(row_at(r, COL_PROFILE_SMS)->text, to->sms_to, 4);
	to->country_n = pack_numbers(row_at(r, COL_PROFILE_WHERE)->text, to->country, COUNTRY_MAX);
	pack_apns(r, to);
	pack_reach(row_at(r, COL_PROFILE_REACH)->text, to);
	return ERR_OK;
}

static void pack_points(struct view words, uint32_t to[POINT_CODES])
{
	struct view w;

	for (int i = 0; i < POINT_CODES && (w = model_word(&words)).n > 0; i++) {
		for (size_t d = 0; d < w.n; d++)
			to[i] = to[i] * 10 + (w.p[d] - '0');
	}
}

static enum err pack_network(struct store *st, const struct row *r, struct network_row *to)
{
	struct view nets = row_at(r, COL_NET_ADDRESS)->text, w;

	(void)st;
	*to = (struct network_row){
		.plmn = bcd_of(row_key(r)), .trust = (uint8_t)num(r, COL_NET_TRUST),
		.clear_ok = (uint8_t)num(r, COL_NET_CLEAR_OK),
		.hide = (uint8_t)num(r, COL_NET_HIDE),
		.compat_ula = (uint8_t)num(r, COL_NET_COMPAT_ULA),
		.steer_weight = (uint16_t)num(r, COL_NET_WEIGHT),
		.steer_attempts = (uint16_t)num(r, COL_NET_ATTEMPTS),
		.rate = num(r, COL_NET_RATE), .unknown_rate = num(r, COL_NET_UNKNOWN),
		.lat_cdeg = (int16_t)row_at(r, COL_NET_LAT)->num,
		.lon_cdeg = (int16_t)row_at(r, COL_NET_LON)->num,
		.apps = num(r, COL_NET_APPS), .version = r->version,
	};
	text_to(row_at(r, COL_NET_NAME)->text, to->name, sizeof to->name);
	text_to(row_at(r, COL_NET_REALM)->text, to->realm, sizeof to->realm);
	text_to(row_at(r, COL_NET_CERT)->text, to->cert_name, sizeof to->cert_name);
	for (int i = 0; i < 4 && (w = model_word(&nets)).n > 0; i++)
		text_to(w, to->address[i], sizeof to->address[i]);
	pack_numbers(row_at(r, COL_NET_NUMBERS)->text, to->number, NUMBER_PREFIXES);
	pack_points(row_at(r, COL_NET_POINTS)->text, to->point_code);
	return ERR_OK;
}

static enum err pack_rule(struct store *st, const struct row *r, struct rule_row *to)
{
	(void)st;
	*to = (struct rule_row){
		.id = (uint32_t)r->id, .check = (uint16_t)num(r, COL_RULE_CHECK),
		.mode = (uint8_t)num(r, COL_RULE_MODE),
		.imsi_from = bcd_of(row_at(r, COL_RULE_FROM)->text),
		.imsi_to = bcd_of(row_at(r, COL_RULE_TO)->text),
		.plmn = bcd_of(row_at(r, COL_RULE_PLMN)->text),
	};
	text_to(row_at(r, COL_RULE_HOST)->text, to->host, sizeof to->host);
	return ERR_OK;
}

static enum err pack_equip(struct store *st, const struct row *r, struct equip_row *to)
{
	(void)st;
	*to = (struct equip_row){ .imei = bcd_of(row_key(r)), .until = num(r, COL_EQ_EXPIRES),
				  .colour = (uint8_t)num(r, COL_EQ_LIST) };
	text_to(row_at(r, COL_EQ_REASON)->text, to->reason, sizeof to->reason);
	return ERR_OK;
}

static enum err pack_range(struct store *st, const struct row *r, struct range_row *to)
{
	(void)st;
	*to = (struct range_row){ .from = bcd_of(row_key(r)),
				  .to = bcd_of(row_at(r, COL_RANGE_TO)->text),
				  .partition = num(r, COL_RANGE_PART),
				  .handset = (uint8_t)num(r, COL_RANGE_HANDSET) };
	return ERR_OK;
}

static enum err pack_host(struct store *st, const struct row *r, struct host_row *to)
{
	struct view maker = row_at(r, COL_HOST_MAKER)->text, model = row_at(r, COL_HOST_MODEL)->text;
	char text[160];
	int n = snprintf(text, sizeof text, "%.*s/%.*s", (int)maker.n, (const char *)maker.p, (int)model.n,
			 (const char *)model.p);

	(void)st;
	*to = (struct host_row){
		.imei = bcd_of(row_key(r)), .unique = binding_host(row_at(r, COL_HOST_UNIQUE)->text),
		.model = n > 1 ? binding_host(view_of(text)) : 0,
		.imsi = bcd_of(row_at(r, COL_HOST_IMSI)->text),
	};
	return ERR_OK;
}

static enum err pack_agreement(struct store *st, const struct row *r, struct agreement_row *to)
{
	struct row tenant;

	if (store_find(st, OBJ_TENANT, row_at(r, COL_AGREE_TENANT)->text, &tenant))
		return ERR_CORRUPT;
	*to = (struct agreement_row){
		.id = (uint32_t)r->id, .tenant = (uint32_t)tenant.id,
		.purposes = num(r, COL_AGREE_PURPOSE), .signed_s = num(r, COL_AGREE_SIGNED),
		.ends_s = num(r, COL_AGREE_ENDS),
	};
	return ERR_OK;
}

static enum err pack(struct store *st, enum change_kind kind, const struct row *r, union packed *to)
{
	if (r->tampered) {
		store_tampered(r);
		return ERR_CORRUPT;
	}
	switch (kind) {
	case CHANGE_SUB:
		return store_pack_sub(st, r, &to->sub);
	case CHANGE_PROFILE:
		return pack_profile(st, r, &to->profile);
	case CHANGE_NETWORK:
		return pack_network(st, r, &to->network);
	case CHANGE_RULE:
		return pack_rule(st, r, &to->rule);
	case CHANGE_EQUIP:
		return pack_equip(st, r, &to->equip);
	case CHANGE_RANGE:
		return pack_range(st, r, &to->range);
	case CHANGE_HOST:
		return pack_host(st, r, &to->host);
	case CHANGE_AGREEMENT:
		return pack_agreement(st, r, &to->agreement);
	}
	return ERR_VALUE;
}

static const enum object objects[] = {
	[CHANGE_SUB] = OBJ_SUBSCRIPTION, [CHANGE_PROFILE] = OBJ_PROFILE,
	[CHANGE_NETWORK] = OBJ_NETWORK, [CHANGE_RULE] = OBJ_RULE,
	[CHANGE_EQUIP] = OBJ_EQUIPMENT, [CHANGE_RANGE] = OBJ_RANGE,
	[CHANGE_HOST] = OBJ_HOST, [CHANGE_AGREEMENT] = OBJ_AGREEMENT,
};

enum err store_pack(struct store *st, enum change_kind kind, uint64_t id, union packed *to)
{
	char text[BCD_TEXT];
	struct row r;
	enum err err;

	if (kind < CHANGE_SUB || kind > CHANGE_AGREEMENT)
		return ERR_VALUE;
	if (kind == CHANGE_PROFILE || kind == CHANGE_RULE || kind == CHANGE_AGREEMENT) {
		err = store_find_id(st, objects[kind], (int64_t)id, &r);
	} else {
		bcd_text(id, text);
		err = store_find(st, objects[kind], view_of(text), &r);
	}
	return err ? err : pack(st, kind, &r, to);
}

/* The subscriptions of one profile, by their numbers first: packing one asks the same statements. */
static size_t pack_subs_of(struct store *st, uint32_t profile, int64_t *after, union packed *to, size_t max)
{
	int64_t ids[256];
	size_t n = 0, made = 0;
	struct row r;

	if (store_find_id(st, OBJ_PROFILE, profile, &r)) {
		*after = 0;
		return 0;
	}
	sqlite3_bind_text(st->subs_of, 1, (const char *)row_key(&r).p, (int)row_key(&r).n,
			  SQLITE_TRANSIENT);
	sqlite3_bind_int64(st->subs_of, 2, *after);
	sqlite3_bind_int64(st->subs_of, 3, max < 256 ? (int64_t)max : 256);
	while (n < 256 && sqlite3_step(st->subs_of) == SQLITE_ROW)
		ids[n++] = sqlite3_column_int64(st->subs_of, 0);
	sqlite3_reset(st->subs_of);
	for (size_t i = 0; i < n; i++) {
		if (!store_find_id(st, OBJ_SUBSCRIPTION, ids[i], &r) &&
		    !pack(st, CHANGE_SUB, &r, &to[made]))
			made++;
	}
	*after = n > 0 ? ids[n - 1] : 0;
	return made;
}

size_t store_pack_all(struct store *st, enum change_kind kind, uint32_t profile, int64_t *after,
		      union packed *to, size_t max)
{
	sqlite3_stmt *q = st->row[objects[kind]][ST_AFTER];
	size_t n = 0;
	struct row r;
	int rc;

	if (profile)
		return pack_subs_of(st, profile, after, to, max);
	sqlite3_bind_int64(q, 1, *after);
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		store_take_row(st, q, objects[kind], &r);
		*after = r.id;
		if (!pack(st, kind, &r, &to[n]) && ++n == max)
			break;
	}
	sqlite3_reset(q);
	if (rc != SQLITE_ROW)
		*after = 0;
	return n;
}
