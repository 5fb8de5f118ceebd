/* An MSC or SGSN without a radio side, made of Debian's libosmo-gsup-client: it asks a home register
 * what it is told on standard input, and says each message that comes as a line of JSON. The library
 * connects, introduces itself, encodes and decodes; no line of Merlon is in here.
 *
 *   gsup_client ADDRESS PORT NAME
 *   sai IMSI cs|ps [RAND AUTS]    ul IMSI cs|ps [RAT...]    purge IMSI cs|ps    imei IMSI IMEI
 *   raw HEX                       a GSUP message as it stands
 *   answer yes|no|never           what requests of the home register hear from now on (yes)
 */
#include <osmocom/core/application.h>
#include <osmocom/core/logging.h>
#include <osmocom/core/msgb.h>
#include <osmocom/core/select.h>
#include <osmocom/core/talloc.h>
#include <osmocom/core/utils.h>
#include <osmocom/gsm/apn.h>
#include <osmocom/gsm/gsm48_ie.h>
#include <osmocom/gsm/gsup.h>
#include <osmocom/gsupclient/gsup_client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum answer { YES, NO, NEVER };

static struct osmo_gsup_client *client;
static enum answer answer = YES;

/* --- what comes --- */

static void put_hex(const char *name, const uint8_t *p, size_t n)
{
	printf(", \"%s\": \"%s\"", name, osmo_hexdump_nospc(p, (int)n));
}

static void put_digits(const char *name, const uint8_t *p, size_t n)
{
	char text[32];

	if (p && gsm48_decode_bcd_number2(text, sizeof text, p, n, 0) == 0)
		printf(", \"%s\": \"%s\"", name, text);
}

static void put_vectors(const struct osmo_gsup_message *g)
{
	printf(", \"vectors\": [");
	for (size_t i = 0; i < g->num_auth_vectors; i++) {
		const struct osmo_auth_vector *v = &g->auth_vectors[i];

		printf("%s{\"types\": %u", i ? ", " : "", v->auth_types);
		put_hex("RAND", v->rand, sizeof v->rand);
		if (v->auth_types & OSMO_AUTH_TYPE_GSM) {
			put_hex("SRES", v->sres, sizeof v->sres);
			put_hex("KC", v->kc, sizeof v->kc);
		}
		if (v->auth_types & OSMO_AUTH_TYPE_UMTS) {
			put_hex("AUTN", v->autn, sizeof v->autn);
			put_hex("XRES", v->res, v->res_len);
			put_hex("CK", v->ck, sizeof v->ck);
			put_hex("IK", v->ik, sizeof v->ik);
		}
		printf("}");
	}
	printf("]");
}

static void put_pdps(const struct osmo_gsup_message *g)
{
	printf(", \"complete\": %d, \"pdps\": [", g->pdp_info_compl);
	for (size_t i = 0; i < g->num_pdp_infos; i++) {
		const struct osmo_gsup_pdp_info *p = &g->pdp_infos[i];
		char apn[128] = "";

		if (p->apn_enc)
			osmo_apn_to_str(apn, p->apn_enc, p->apn_enc_len);
		printf("%s{\"context\": %u, \"type\": %u, \"apn\": \"%s\"", i ? ", " : "",
		       p->context_id, p->pdp_type, apn);
		put_hex("qos", p->qos_enc, p->qos_enc_len);
		printf("}");
	}
	printf("]");
}

static void say(const struct osmo_gsup_message *g)
{
	printf("{\"message\": \"%s\", \"imsi\": \"%s\"",
	       osmo_gsup_message_type_name(g->message_type), g->imsi);
	if (OSMO_GSUP_IS_MSGT_ERROR(g->message_type))
		printf(", \"cause\": %d", (int)g->cause);
	if (g->cn_domain)
		printf(", \"domain\": \"%s\"",
		       g->cn_domain == OSMO_GSUP_CN_DOMAIN_CS ? "cs" : "ps");
	if (g->cancel_type)
		printf(", \"cancel\": \"%s\"",
		       g->cancel_type == OSMO_GSUP_CANCEL_TYPE_UPDATE ? "update" : "withdraw");
	if (g->imei_result)
		printf(", \"imei\": \"%s\"",
		       g->imei_result == OSMO_GSUP_IMEI_RESULT_ACK ? "ack" : "nack");
	if (g->freeze_ptmsi)
		printf(", \"freeze\": true");
	put_digits("msisdn", g->msisdn_enc, g->msisdn_enc_len);
	if (g->message_type == OSMO_GSUP_MSGT_SEND_AUTH_INFO_RESULT)
		put_vectors(g);
	if (g->message_type == OSMO_GSUP_MSGT_INSERT_DATA_REQUEST)
		put_pdps(g);
	printf("}\n");
}

static void reply(const struct osmo_gsup_message *to)
{
	struct osmo_gsup_message g = {.cn_domain = to->cn_domain};

	OSMO_STRLCPY_ARRAY(g.imsi, to->imsi);
	g.message_type = answer == YES ? OSMO_GSUP_TO_MSGT_RESULT(to->message_type)
				       : OSMO_GSUP_TO_MSGT_ERROR(to->message_type);
	if (answer == NO)
		g.cause = GMM_CAUSE_IMSI_UNKNOWN;
	osmo_gsup_client_enc_send(client, &g);
}

static int on_message(struct osmo_gsup_client *c, struct msgb *msg)
{
	struct osmo_gsup_message g;

	(void)c;
	if (osmo_gsup_decode(msgb_l2(msg), msgb_l2len(msg), &g) != 0) {
		printf("{\"message\": \"undecodable\"}\n");
	} else {
		say(&g);
		if (OSMO_GSUP_IS_MSGT_REQUEST(g.message_type) && answer != NEVER)
			reply(&g);
	}
	msgb_free(msg);
	return 0;
}

static bool on_link(struct osmo_gsup_client *c, bool up)
{
	(void)c;
	printf("{\"message\": \"%s\"}\n", up ? "up" : "down");
	return true;
}

/* --- what is asked --- */

static enum osmo_gsup_cn_domain domain_of(const char *text)
{
	return strcmp(text, "cs") == 0 ? OSMO_GSUP_CN_DOMAIN_CS : OSMO_GSUP_CN_DOMAIN_PS;
}

static void send_raw(const char *hex)
{
	struct msgb *msg = osmo_gsup_client_msgb_alloc();
	int n = osmo_hexparse(hex, msg->data, (int)msgb_tailroom(msg));

	if (n > 0)
		msgb_put(msg, (unsigned int)n);
	osmo_gsup_client_send(client, msg);
}

static void ask_auth(struct osmo_gsup_message *g, char **word, int n, uint8_t rand[16],
		     uint8_t auts[14])
{
	g->message_type = OSMO_GSUP_MSGT_SEND_AUTH_INFO_REQUEST;
	g->cn_domain = domain_of(word[2]);
	if (n < 5)
		return;
	osmo_hexparse(word[3], rand, 16);
	osmo_hexparse(word[4], auts, 14);
	g->rand = rand;
	g->auts = auts;
}

static void ask_location(struct osmo_gsup_message *g, char **word, int n)
{
	g->message_type = OSMO_GSUP_MSGT_UPDATE_LOCATION_REQUEST;
	g->cn_domain = domain_of(word[2]);
	for (int i = 3; i < n && g->supported_rat_types_len < 8; i++)
		g->supported_rat_types[g->supported_rat_types_len++] =
		    (enum osmo_rat_type)strtoul(word[i], NULL, 10);
}

static void obey(char *line)
{
	struct osmo_gsup_message g = {0};
	uint8_t rand[16], auts[14], imei[12];
	char *word[8], *at = NULL;
	int n = 0;

	for (char *w = strtok_r(line, " \n", &at); w && n < 8; w = strtok_r(NULL, " \n", &at))
		word[n++] = w;
	if (n == 2 && strcmp(word[0], "answer") == 0) {
		answer = strcmp(word[1], "yes") == 0  ? YES
			 : strcmp(word[1], "no") == 0 ? NO
						      : NEVER;
		return;
	}
	if (n == 2 && strcmp(word[0], "raw") == 0) {
		send_raw(word[1]);
		return;
	}
	if (n < 3)
		return;
	OSMO_STRLCPY_ARRAY(g.imsi, word[1]);
	if (strcmp(word[0], "sai") == 0) {
		ask_auth(&g, word, n, rand, auts);
	} else if (strcmp(word[0], "ul") == 0) {
		ask_location(&g, word, n);
	} else if (strcmp(word[0], "purge") == 0) {
		g.message_type = OSMO_GSUP_MSGT_PURGE_MS_REQUEST;
		g.cn_domain = domain_of(word[2]);
	} else {
		g.message_type = OSMO_GSUP_MSGT_CHECK_IMEI_REQUEST;
		g.imei_enc = imei;
		g.imei_enc_len = (size_t)gsm48_encode_bcd_number(imei, sizeof imei, 0, word[2]);
	}
	osmo_gsup_client_enc_send(client, &g);
}

static int on_input(struct osmo_fd *fd, unsigned int what)
{
	static char line[4096];
	static size_t n;
	ssize_t got = read(fd->fd, line + n, sizeof line - 1 - n);
	char *end;

	(void)what;
	if (got <= 0)
		exit(0);
	n += (size_t)got;
	line[n] = 0;
	while ((end = strchr(line, '\n'))) {
		*end++ = 0;
		obey(line);
		n -= (size_t)(end - line);
		memmove(line, end, n + 1);
	}
	return 0;
}

static const struct log_info logs = {.num_cat = 0};

int main(int argc, char **argv)
{
	struct ipaccess_unit who = {0};
	struct osmo_gsup_client_config conf = {
	    .ipa_dev = &who, .read_cb = on_message, .up_down_cb = on_link};
	struct osmo_fd in;

	if (argc != 4)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	osmo_init_logging2(talloc_named_const(NULL, 0, "logging"), &logs);
	who.unit_name = who.serno = argv[3];
	who.swversion = who.equipvers = who.location1 = who.location2 = who.unit_name;
	conf.ip_addr = argv[1];
	conf.tcp_port = (unsigned int)strtoul(argv[2], NULL, 10);
	client = osmo_gsup_client_create3(talloc_named_const(NULL, 0, "client"), &conf);
	osmo_fd_setup(&in, 0, OSMO_FD_READ, on_input, NULL, 0);
	if (!client || osmo_fd_register(&in) != 0)
		return 1;
	for (;;)
		osmo_select_main(0);
}
