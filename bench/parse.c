/* What it costs to read a message: nanoseconds a parse, for an AIR and a ULR as a real MME sends
 * them. Prints, judges nothing. */
#include "wire/dia.h"

#include <stdio.h>
#include <time.h>

#define ROUNDS 2000000

static void put_head(struct wr *w, const char *host)
{
	dia_put_text(w, AVP_SESSION_ID, "mme.epc.mnc001.mcc001.3gppnetwork.org;1795468169;1;s6a");
	dia_put_u32(w, AVP_AUTH_SESSION_STATE, 1);
	dia_put_text(w, AVP_ORIGIN_HOST, host);
	dia_put_text(w, AVP_ORIGIN_REALM, "epc.mnc001.mcc001.3gppnetwork.org");
	dia_put_text(w, AVP_DESTINATION_REALM, "epc.mnc070.mcc999.3gppnetwork.org");
	dia_put_text(w, AVP_USER_NAME, "999707364000060");
}

static void put_tail(struct wr *w)
{
	size_t group;

	dia_put(w, AVP_VISITED_PLMN_ID, VIEW("\x00\xf1\x10"));
	group = dia_open(w, AVP_VENDOR_SPECIFIC_APPLICATION_ID);
	dia_put_u32(w, AVP_VENDOR_ID, VENDOR_3GPP);
	dia_put_u32(w, AVP_AUTH_APPLICATION_ID, DIA_APP_S6A);
	dia_close(w, group);
}

static void air(struct wr *w)
{
	size_t group;

	put_head(w, "mme.epc.mnc001.mcc001.3gppnetwork.org");
	group = dia_open(w, AVP_REQUESTED_EUTRAN_AUTHENTICATION_INFO);
	dia_put_u32(w, AVP_NUMBER_OF_REQUESTED_VECTORS, 1);
	dia_put_u32(w, AVP_IMMEDIATE_RESPONSE_PREFERRED, 1);
	dia_close(w, group);
	put_tail(w);
}

static void ulr(struct wr *w)
{
	size_t group;

	put_head(w, "mme.epc.mnc001.mcc001.3gppnetwork.org");
	group = dia_open(w, AVP_TERMINAL_INFORMATION);
	dia_put_text(w, AVP_IMEI, "86650704004053");
	dia_put_text(w, AVP_SOFTWARE_VERSION, "01");
	dia_close(w, group);
	dia_put_u32(w, AVP_RAT_TYPE, 1004);
	dia_put_u32(w, AVP_ULR_FLAGS, 34);
	dia_put_u32(w, AVP_UE_SRVCC_CAPABILITY, 0);
	dia_put_u32(w, AVP_SMS_REGISTER_REQUEST, 1);
	put_tail(w);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void measure(const char *name, uint32_t code, void (*body)(struct wr *w),
		    enum dia_strict strict)
{
	static uint8_t bytes[4096], room[64 * 1024];
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	struct dia_header h = { .flags = 0xc0, .code = code, .app = DIA_APP_S6A };
	struct arena mem = { room, 0, sizeof room };
	size_t start = dia_begin(&w, &h), bad = 0;
	double began;
	struct msg m;

	body(&w);
	dia_end(&w, start);
	began = now();
	for (int i = 0; i < ROUNDS; i++) {
		arena_reset(&mem);
		bad += dia_parse(&m, &h, wr_done(&w), strict, &mem) != ERR_OK;
	}
	printf("%s %s: %zu bytes, %zu AVPs, %.0f ns%s\n", name, strict ? "relay" : "end",
	       w.n, m.slot_n - 1, (now() - began) / ROUNDS, bad ? " REFUSED" : "");
}

int main(void)
{
	measure("AIR", 318, air, DIA_END);
	measure("AIR", 318, air, DIA_RELAY);
	measure("ULR", 316, ulr, DIA_END);
	measure("ULR", 316, ulr, DIA_RELAY);
	return 0;
}
