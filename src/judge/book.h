/* What the judge needs to know about subscribers, networks and rules: packed rows, and a book of
 * look-ups. records/ fills the book from the serving copy, a test from an array. The rows are
 * stored as they stand here (serving copy, same machine), so a change of a row is a change of
 * BOOK_VERSION. All identities are base/bcd.h numbers. Texts are NUL-padded. */
#pragma once
#include "base/bcd.h"

#define BOOK_VERSION 5

#define NAME_MAX_BYTES 32
#define HOST_MAX_BYTES 128
#define APN_MAX        4
#define COUNTRY_MAX    16
#define TAC_MAX        8
#define NUMBER_PREFIXES 8
#define POINT_CODES    4
#define REACH_MAX      16
#define REACH_NAME     64

/* Priority class: from the profile or subscription, never from what a message claims (R-5.6.1.d). */
enum prio { PRIO_CRITICAL, PRIO_HIGH, PRIO_NORMAL, PRIO_LOW, PRIO_N };

enum life { LIFE_INVENTORY, LIFE_TEST_READY, LIFE_ACTIVE, LIFE_SUSPENDED, LIFE_RETIRED };

/* What a SIM seen in another device does (R-5.1.1.2.b). Critical subscriptions only alert. */
enum binding { BINDING_ALERT, BINDING_REFUSE, BINDING_GREYLIST, BINDING_DETACH, BINDING_QUARANTINE };

/* What a greylisted subscription gets until that ends (R-5.7.3.b): nothing; all packet services barred; the
 * quarantine APN alone; all as before, but grey for the EIR. */
enum grey { GREY_CANCEL, GREY_BAR, GREY_QUARANTINE, GREY_WATCH };

enum alg { ALG_MILENAGE = 1, ALG_TUAK, ALG_XOR, ALG_COMP128_3 };

enum sub_flag {
	SUB_GREY = 1,      /* greylisted until grey_until (R-5.7.3.b) */
	SUB_TEST = 2,      /* reserved for canaries and tests */
	SUB_HANDSET = 4,   /* not an IoT subscription (R-5.1.h) */
};

/* One subscription: 96 bytes. */
struct sub_row {
	uint64_t imsi, msisdn;
	uint64_t imei; /* device binding: 14 digits, or an 8-digit TAC; 0 = not bound */
	uint32_t profile, tenant;
	uint32_t partition;  /* HSS instance (R-5.1.i); 0 = the common one */
	uint32_t grey_until; /* seconds since 1970 */
	uint32_t version;    /* of the record; grows with every change */
	uint8_t life, prio, alg, flags; /* enum life, prio, alg, sub_flag bits */
	uint64_t host;          /* the host it is bound to (judge/binding.h); 0 = any */
	uint32_t tac[TAC_MAX];  /* types of device it is bound to, 8 digits each, 0-filled */
	uint8_t spare[8];
};

/* RATs a profile may use. Bits; what is not set is barred by Access-Restriction-Data. */
enum rat_bit {
	RAT_UTRAN = 1,
	RAT_GERAN = 2,
	RAT_WB_EUTRAN = 4,
	RAT_NB_IOT = 8,
	RAT_LTE_M = 16,
	RAT_NR = 32,
};

/* Wi-Fi by the EAP method that is allowed (R-5.3.a): EAP-SIM, EAP-AKA, EAP-AKA'. */
enum service_bit {
	SERVICE_SMS_MO = 1,
	SERVICE_SMS_MT = 2,
	SERVICE_VOICE = 4,
	SERVICE_LCS = 8,
	SERVICE_WIFI_SIM = 16,
	SERVICE_WIFI_AKA = 32,
	SERVICE_WIFI_AKA_PRIME = 64,
	SERVICE_GBA = 128, /* may bootstrap (TS 33.220) */
	SERVICE_USSD = 256,
	SERVICE_WIFI = SERVICE_WIFI_SIM | SERVICE_WIFI_AKA | SERVICE_WIFI_AKA_PRIME
};

struct apn_row {
	char name[64];        /* Service-Selection; never "*" */
	uint8_t context;      /* Context-Identifier, 1.. */
	uint8_t pdn_type;     /* TS 29.272 §7.3.62: 0 IPv4, 1 IPv6, 2 IPv4v6, 4 Non-IP */
	uint8_t qci, arp;     /* QCI; Priority-Level 1..15 */
	uint32_t ul_bps, dl_bps; /* AMBR of the APN */
};

/* Where devices may send to, and be sent from: an address prefix or a name, some protocol and ports. */
struct reach_row {
	uint8_t family;       /* 4 or 6; 0 = by name */
	uint8_t bits;         /* of the prefix, among 128: an IPv4 address is ::ffff:a.b.c.d */
	uint8_t protocol;     /* IP's number; 0 = any */
	uint8_t below;        /* of a name: what lies under it, not itself */
	uint16_t port_from, port_to; /* inclusive; 0 to 65535 = any */
	uint8_t address[16];
	char name[REACH_NAME];
};

/* One service profile: what an IoT service may do, written once (idea 1). */
struct profile_row {
	uint32_t id, version, tenant;
	char name[NAME_MAX_BYTES];
	uint8_t prio, binding;  /* enum prio, binding */
	uint8_t apn_n, country_n;
	uint16_t rats;          /* enum rat_bit */
	uint16_t services;      /* enum service_bit */
	uint32_t ul_bps, dl_bps;   /* AMBR of the subscriber */
	uint32_t tau_s;         /* Subscribed-Periodic-RAU-TAU-Timer, seconds; 0 = none */
	uint32_t odb;           /* Operator-Determined-Barring bits (TS 29.272 §7.3.30) */
	uint64_t sms_to[4];     /* fixed list for SMS, 0-filled (R-5.1.e) */
	uint64_t country[COUNTRY_MAX]; /* MCC (3 digits) or PLMN allowed for roaming; none = anywhere */
	struct apn_row apn[APN_MAX];   /* apn[0] is the default */
	struct apn_row quarantine;     /* instead of them, for a while; name "" = there is none */
	uint32_t algorithms;    /* of the radio, 1 << enum radio_id (crypto/radio.h); 0 = all of 128 bits */
	uint8_t generation;     /* the oldest radio allowed, 2 to 4; `rats` has no older */
	uint8_t grey, assurance; /* enum grey; enum assurance that an attach must have */
	uint8_t peers;          /* its devices may speak to other devices */
	uint8_t reach_n;        /* 0 = anywhere */
	uint8_t on_leak, on_threat; /* enum answer of inspection */
	uint8_t spare;
	uint32_t day_mb;        /* volume of a device a day, both ways, MB; 0 = any */
	struct reach_row reach[REACH_MAX]; /* user data (R-5.1.d) */
	uint32_t leaks_ok;      /* 1 << enum leak: what it is meant to send in clear text */
	uint32_t touch_max;     /* SIMs that one finding may block or quarantine an hour */
};

/* What is found in traffic that should not be in clear text (judge/leak.tab). */
enum leak {
#define LEAK(id, name, ...) LEAK_##id,
#include "judge/leak.tab"
#undef LEAK
	LEAK_N
};

/* What follows from a finding of inspection, by profile (R-5.8.2.d). */
enum answer { ANSWER_ALERT, ANSWER_BLOCK, ANSWER_QUARANTINE };

/* UNLISTED only appears in answers about networks without a record. */
enum trust { TRUST_BLOCKED, TRUST_THROTTLED, TRUST_TRUSTED, TRUST_OWN };

/* One network: a roaming partner, or ourselves (IR.21-like). */
struct network_row {
	uint64_t plmn;                 /* MCC and MNC, 5 or 6 digits */
	char name[NAME_MAX_BYTES];
	char realm[HOST_MAX_BYTES];    /* "epc.mnc001.mcc001.3gppnetwork.org" */
	char cert_name[HOST_MAX_BYTES]; /* domain its certificates must lie under; "" = the realm */
	uint64_t number[NUMBER_PREFIXES]; /* prefixes of its nodes' global titles (E.164); 0 = none */
	uint32_t point_code[POINT_CODES]; /* that its messages come from; 0 = none; none at all = any */
	char address[4][44];           /* prefixes its nodes may come from, "10.1.0.0/16"; "" = none */
	uint8_t trust;                 /* enum trust */
	uint8_t clear_ok;              /* may connect without TLS from these addresses */
	uint8_t hide;                  /* hide our topology from it */
	uint8_t compat_ula;            /* an error ULA needs ULA-Flags and an empty profile */
	uint16_t steer_weight;         /* share of steering, 0..1000; 1000 = preferred, 0 = avoid */
	uint16_t steer_attempts;       /* rejects before it is let in: never a lock-out */
	uint32_t rate;                 /* requests a second before low classes wait; 0 = no limit */
	uint32_t unknown_rate;         /* USER_UNKNOWN answers a second; 0 = 100 */
	int16_t lat_cdeg, lon_cdeg;    /* a place in the country, 1/100 degree, for time and distance */
	uint32_t apps;                 /* applications agreed, enum app_bit; 0 = S6a, MAP, GTP */
	uint32_t version;
};

enum app_bit { APP_BIT_S6A = 1, APP_BIT_S13 = 2, APP_BIT_MAP = 4, APP_BIT_GTP = 8 };

/* Modes of a check. */
enum mode { MODE_OFF, MODE_OBSERVE, MODE_ENFORCE };

/* One screening rule: how a check behaves, for everyone or for a scope. The most specific wins:
 * host before network before IMSI range before everyone. */
struct rule_row {
	uint32_t id;
	uint16_t check;                /* enum check (judge/check.tab) */
	uint8_t mode;                  /* enum mode */
	uint8_t spare;
	uint64_t imsi_from, imsi_to;   /* inclusive; 0,0 = every IMSI */
	uint64_t plmn;                 /* 0 = every network */
	char host[HOST_MAX_BYTES];     /* "" = every host; may be a domain */
};

enum colour { WHITE, BLACK, GREY }; /* Equipment-Status, TS 29.272 §7.3.51 */

struct equip_row {
	uint64_t imei;   /* 14 digits, or an 8-digit TAC */
	uint32_t until;  /* seconds since 1970; 0 = for ever */
	uint8_t colour;  /* enum colour */
	uint8_t spare[3];
	char reason[48];
};

/* What a device has reported of the host that it is built into (DHIR, TS.34): "maker/model" and its unique id
 * as numbers (binding_host). */
struct host_row {
	uint64_t imei;          /* 14 digits */
	uint64_t model, unique; /* 0 = not said */
	uint64_t imsi;          /* the SIM it came by; 0 = not said */
};

/* What a tenant lets us do with its devices' data, bits, and when: a data processing agreement (R-4.b). */
enum purpose_bit { PURPOSE_INSPECTION = 1, PURPOSE_SHARING = 2, PURPOSE_ANALYTICS = 4, PURPOSE_LOCATION = 8 };

struct agreement_row {
	uint32_t id, tenant;
	uint32_t purposes;     /* enum purpose_bit */
	uint32_t signed_s, ends_s; /* seconds since 1970; ends 0 = no end */
	uint32_t spare;
};

/* An IMSI range of ours, and what its batch is (R-5.1.h). */
struct range_row {
	uint64_t from, to; /* inclusive */
	uint32_t partition;
	uint8_t handset;
	uint8_t spare[3];
};

/* The look-ups. Each returns a row that stays valid until the batch ends, or NULL. A look-up may
 * be called from one thread at a time. `rules` gives all, in no order; `rule_version` changes
 * whenever they do, so that the judge can compile them once. */
struct book {
	void *ctx;
	const struct sub_row *(*sub)(void *ctx, uint64_t imsi);
	const struct profile_row *(*profile)(void *ctx, uint32_t id);
	const struct network_row *(*network)(void *ctx, uint64_t plmn);
	const struct network_row *(*network_of_realm)(void *ctx, struct view realm);
	/* What counts at `now_s`, seconds since 1970: the device's own entry, else its TAC's; one that
	 * has run out is none. */
	const struct equip_row *(*equip)(void *ctx, uint64_t imei, uint64_t now_s);
	const struct range_row *(*range)(void *ctx, uint64_t imsi); /* NULL: not ours */
	const struct rule_row *(*rules)(void *ctx, size_t *n);
	uint64_t (*rule_version)(void *ctx);
	const struct host_row *(*host)(void *ctx, uint64_t imei); /* NULL: nobody knows any */
	/* The network with the longest prefix of a number (number of its record); may be NULL: nobody's. */
	const struct network_row *(*network_of_number)(void *ctx, uint64_t number);
	/* The subscription with that MSISDN; may be NULL: numbers are not known. */
	const struct sub_row *(*sub_of_number)(void *ctx, uint64_t msisdn);
	/* The network with the longest prefix of an address (address of its record), 4 or 16 octets, IPv4
	 * also as RFC 4291 maps it; may be NULL: nobody's. */
	const struct network_row *(*network_of_address)(void *ctx, struct view address);
	/* May a critical subscriber use this APN? NULL: any, for all that is known. */
	bool (*apn_critical)(void *ctx, struct view apn);
	/* Every agreement, in no order; may be NULL: none. */
	const struct agreement_row *(*agreements)(void *ctx, size_t *n);
};
/* Knows nothing: where no records are, and what a book that knows little begins as. */
extern const struct book book_empty;

static inline const struct host_row *book_host(const struct book *b, uint64_t imei)
{
	return b->host && imei ? b->host(b->ctx, bcd_first(imei, 14)) : NULL;
}

/* Is there an agreement of this tenant for this purpose, in force at `now_s`? Looks at all: ask once a tenant
 * and batch, not once a packet. */
bool book_agreed(const struct book *b, uint32_t tenant, enum purpose_bit purpose, uint64_t now_s);

/* The home network of an IMSI: the record of its first 6, else 5 digits; NULL if there is none. */
const struct network_row *book_home(const struct book *b, uint64_t imsi);
