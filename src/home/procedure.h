/* The procedures of an HSS and an EIR, without any wire: a request and the rows it concerns go in,
 * a result and what is to be stored and sent come out. No clock, no socket, no store is touched
 * here. S6a, S6d: TS 29.272 5.2; S13: 6.2. The same serve GSUP, for a home register's VLRs and SGSNs
 * (TS 29.002 8.1, 8.5, 8.7, 8.8). */
#pragma once
#include "crypto/aka.h"
#include "crypto/sqn.h"
#include "judge/binding.h"
#include "records/reg.h"

enum result {
#define RESULT(id, code, experimental, diagnostic, clause, text) RESULT_##id,
#include "home/result.tab"
#undef RESULT
	RESULT_N
};

#define NO_DIAG UINT32_MAX

struct result_row {
	uint32_t code, diagnostic; /* Error-Diagnostic (TS 29.272 7.3.128), or NO_DIAG */
	bool experimental;
	const char *clause; /* that a refusal serves; "": none */
	const char *text;
};
extern const struct result_row result_rows[RESULT_N];

/* What is known of a subscriber. `reg` is never NULL: zeroed but for the IMSI when nothing is
 * registered. */
struct home_rows {
	const struct sub_row *sub;	   /* NULL: no such subscription */
	const struct profile_row *profile; /* in force now (home/device.h); NULL: none */
	const struct reg_row *reg;
	const struct profile_row *own;	   /* as it is recorded */
	enum bound bound;		   /* the device the SIM is in */
	enum reaction reaction;
	bool hold_wanted;		   /* a case is on its way into the records */
};

/* What this home is. */
struct home_self {
	uint64_t own_plmn;
	uint8_t node_id;
	uint32_t vector_max;
	bool unknown_equipment_ok;
};

/* May this subscription be served in that network at all? The reason it may not is heard in the AIA
 * already: MMEs exist that drop an error ULA (facts/peers.md 4.2). `plmn` 0: wherever. */
enum result subscriber_check(const struct home_rows *rows, uint64_t plmn, uint64_t own_plmn,
			     uint64_t wall_ms);

/* The radio technologies (enum rat_bit) that a RAT-Type allows (TS 29.272 7.3.13,
 * TS 29.212 5.3.31); 0 when it is none of ours. A plain 1004 may be an LTE-M device in front of an
 * MME that cannot tell. */
uint16_t rats_of_type(uint32_t rat_type);

/* --- Authentication Information Retrieval (5.2.3.1) --- */

#define VECTOR_MAX 5

/* The serving domains, a range of SQN for each (facts/sim.md 3.2). */
enum domain { DOMAIN_MME, DOMAIN_SGSN, DOMAIN_WLAN, DOMAIN_VLR, DOMAIN_GBA, DOMAIN_N };

struct auth_request {
	uint64_t imsi, plmn;
	uint8_t plmn_octets[3];	 /* Visited-PLMN-Id as received: goes into KASME */
	uint32_t eps_n, utran_n; /* vectors asked for; 0: this kind is not */
	bool utran_now;		 /* Immediate-Response-Preferred for the second kind (7.3.16) */
	uint8_t domain;		 /* enum domain of the second kind; the first is the MME's */
	struct view resync;	 /* RAND and AUTS, 30 octets; empty: none */
};

struct eps_vector {
	struct aka_vector v;
	uint8_t kasme[32];
};

struct auth_result {
	enum result result;
	uint32_t eps_n, utran_n;
	bool gsm;      /* the second kind as GERAN triplets: the profile knows no UTRAN */
	bool geran;    /* the profile knows GERAN: SRES and Kc may be given away */
	bool bare;     /* the card makes nothing but SRES and Kc: there is no AUTN */
	bool resynced; /* AUTS was genuine */
	bool store;    /* the difference changed: store `reg`, answer when it is durable */
	struct eps_vector eps[VECTOR_MAX];
	struct aka_vector utran[VECTOR_MAX];
	struct reg_row reg;
};

/* Everything that makes vectors, one a thread. */
struct auth_means {
	struct aka *aka;
	struct sqn *sqn;
	uint64_t wall_ms;
};

/* `key`: NULL when the vault has none. The caller wipes `out` when the answer is written. */
void authenticate(const struct home_self *self, const struct auth_means *means,
		  const struct home_rows *rows, const struct aka_key *key,
		  const struct auth_request *q, struct auth_result *out);

/* --- Vectors for Wi-Fi access: EAP-SIM, EAP-AKA, EAP-AKA' (R-5.3.a; TS 33.234 6.1, TS 33.402 6) --- */

struct wifi_request {
	uint64_t imsi;	     /* 0: the identity is no IMSI */
	uint16_t methods;    /* of SERVICE_WIFI: what the vectors may be used for; SIM or AKA, not both */
	uint32_t n;	     /* vectors asked for */
	struct view network; /* its name: CK' and IK' in place of CK and IK; empty: as they are */
	struct view resync;  /* RAND and AUTS of a failed challenge, 30 octets; empty: none */
};

/* May this subscription use Wi-Fi by one of these methods? The profile must say so: its services hold
 * the method, and its rats GERAN where the method needs 2G vectors. */
enum result wifi_check(const struct home_rows *rows, uint16_t methods, uint64_t wall_ms);

/* The same results as above, in `utran`; `gsm`: they are to be sent as triplets, and no SQN was
 * spent on them. The separation bit of the AMF is set when EAP-AKA' is asked for and the profile has
 * it (TS 33.402 6.2): whoever asks without a network's name then holds keys that KASME could be made
 * from, and is to be guarded as home is. `key` and wiping as above. */
void authenticate_wifi(const struct home_self *self, const struct auth_means *means,
		       const struct home_rows *rows, const struct aka_key *key,
		       const struct wifi_request *q, struct auth_result *out);

/* --- GBA (TS 33.220 4.5.2) --- */

/* May this subscription bootstrap? */
enum result gba_check(const struct home_rows *rows, uint64_t wall_ms);
/* One vector for that, out->utran[0]. `resync`: RAND and AUTS, or empty. As authenticate. */
void authenticate_gba(const struct home_self *self, const struct auth_means *means,
		      const struct home_rows *rows, const struct aka_key *key, struct view resync,
		      struct auth_result *out);

/* --- AAA servers of access that is not 3GPP's (SWx, TS 29.273 8.1.2) --- */

/* Server-Assignment-Type (TS 29.229 6.3.15), as far as it means something here. */
enum assignment {
	ASSIGN_REGISTER = 1,
	ASSIGN_DEREGISTER = 5,
	ASSIGN_ADMINISTRATIVE = 8,
	ASSIGN_AUTH_FAILED = 9,
	ASSIGN_AUTH_TIMEOUT = 10,
	ASSIGN_DATA = 12,
	ASSIGN_RESTORE = 14
};

struct assign_request {
	uint64_t imsi;
	struct view host, realm; /* of the AAA server */
	uint32_t type;		 /* enum assignment */
};

struct assign_result {
	enum result result;
	bool data;  /* send Non-3GPP-User-Data */
	bool store; /* store `reg` before the answer */
	struct reg_row reg;
};

/* `rows->reg`: the row reg_aaa(), zeroed but for that number when there is none. */
void assign_server(const struct home_rows *rows, const struct assign_request *q, uint64_t wall_ms,
		   struct assign_result *out);

/* May this AAA server be given vectors? Not while another serves (8.1.2.1.2), unless that one has
 * `failed`. `reg`: the row reg_aaa(). */
enum result aaa_check(const struct reg_row *reg, struct view host, bool failed);

/* What a change of the records means for the AAA server that serves: nothing, RTR, PPR. `rows->reg` as for
 * assign_server. */
enum sync { SYNC_NONE, SYNC_CANCEL, SYNC_DELETE, SYNC_INSERT };
enum sync aaa_plan(const struct home_rows *rows, uint64_t wall_ms);

/* --- Location Update (5.2.1.1) --- */

enum ulr_flag {
	ULR_SINGLE_REGISTRATION = 1,
	ULR_S6A = 2,
	ULR_SKIP_DATA = 4,
	ULR_GPRS_DATA = 8,
	ULR_INITIAL_ATTACH = 32
};
enum cancellation {
	CANCEL_MME_UPDATE,
	CANCEL_SGSN_UPDATE,
	CANCEL_WITHDRAWAL,
	CANCEL_IWF_UPDATE,
	CANCEL_INITIAL_ATTACH
};

/* A node that is reached by GSUP: its name after this, which no Diameter name begins with, and no realm. */
#define NODE_GSUP "gsup:"
/* And by MAP: its number (E.164) after this. */
#define NODE_MAP "map:"

struct update_request {
	uint64_t imsi, imei, plmn, features; /* features: Feature-List 1 low, 2 high half */
	struct view host, realm;
	uint8_t node;	   /* what registers: REG_MME, REG_SGSN, REG_VLR */
	uint16_t rats;	   /* enum rat_bit, of a node that names no RAT-Type; 0: `rat_type` says it */
	uint32_t flags, rat_type; /* enum ulr_flag */
};

struct cancel {
	struct reg_node node;
	uint8_t type; /* enum cancellation */
	uint8_t kind; /* REG_MME, REG_SGSN, REG_VLR */
};

struct update_result {
	enum result result;
	bool data; /* send Subscription-Data */
	bool store; /* a refusal that is stored all the same: the device was another one */
	uint8_t cancel_n;
	struct cancel cancel[2]; /* to send when the new registration is durable */
	struct reg_row reg;	 /* to store before the answer */
};

void update_location(const struct home_self *self, const struct home_rows *rows,
		     const struct update_request *q, uint64_t wall_ms, struct update_result *out);

/* --- Purge (5.2.1.3) and Notification (5.2.5) --- */

enum purged {
	PURGED_MME = 1,
	PURGED_SGSN = 2, /* bits of PUR-Flags and, as 'freeze', of PUA-Flags */
	PURGED_VLR = 4
};

struct purge_result {
	enum result result;
	bool store;
	uint32_t freeze;
	struct reg_row reg;
};
void purge(const struct home_rows *rows, struct view host, uint32_t pur_flags,
	   struct purge_result *out);

struct notify_result {
	enum result result;
	bool store; /* nothing waits for it */
	struct reg_row reg;
};
void notify(const struct home_rows *rows, struct view host, uint64_t imei,
	    struct notify_result *out);

/* --- ME Identity Check (6.2.1) --- */

struct check_result {
	enum result result;
	uint8_t colour; /* enum colour */
	bool bound;	/* refused or watched because the SIM belongs to another device */
};
/* `imei`: 14 digits; `imsi` 0: the device is judged alone. */
void check_device(const struct home_self *self, const struct book *book, uint64_t imei,
		  uint64_t imsi, uint64_t wall_ms, struct check_result *out);

/* Is this the node that serves? (compared as RFC 6733 §4.3.1 does) */
bool node_is(const struct reg_node *n, struct view host);
/* Is it reached by GSUP? Such a node hears of no bars and no radio technologies: what it may not serve is
 * refused or cancelled. */
bool node_by_gsup(const struct reg_node *n);
/* Is it reached by MAP? */
bool node_by_map(const struct reg_node *n);

/* Can a node of this kind (REG_MME, REG_SGSN, REG_VLR) serve the profile, and carry out its bars? It
 * cannot: a VLR without a circuit-switched service in the profile (R-5.1.c), one that lacks the feature for a
 * bar, one of 2G and 3G alone (`old`: reached by GSUP or MAP) when the profile names neither UTRAN nor
 * GERAN (R-5.1.b). */
enum result node_fits(const struct profile_row *profile, uint8_t kind, uint64_t features, bool old);
