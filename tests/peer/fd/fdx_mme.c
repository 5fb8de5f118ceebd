/* A freeDiameter extension that plays a visited network's MME, or an HSS, on command.
 *
 * LoadExtension = "fdx_mme.fdx" : "/path/of/a.sock"; one client connects there and writes lines:
 *
 *   send TAG COMMAND AVPS   send a request; TAG (a number) marks what comes back
 *   answer TAG COMMAND AVPS what to answer to this command from now on; no AVPS: do not answer
 *   peers                   name the peers and their states
 *
 * COMMAND is AIR, ULR, PUR, NOR, ECR, CLR, IDR, DSR or RSR. AVPS are words: Name=value, where
 * 0x1f2e is a value in hex, and Name{ ... } for a group. Session-Id, Origin-Host and Origin-Realm
 * are added where a request names none. Back come JSON lines:
 *
 *   {"event":"answer","tag":1,"hex":"01..."}      also "timeout", "set", and "error" with "why"
 *   {"event":"request","hex":"01..."}             a request that was received
 *   {"event":"peer","host":"...","state":"STATE_OPEN"}
 *
 * While nobody is connected it answers without a word. What freeDiameter itself does not accept
 * (dictionary, rules below) never becomes an answer here. */
#include <freeDiameter/extension.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#define VENDOR_3GPP 10415
#define S6A 16777251
#define S13 16777252
#define ANSWER_WAIT_S 6
#define LINE_MAX_BYTES 65536

enum sender { MME, HSS };

static struct command {
	const char *name, *request, *answer;
	uint32_t code, app;
	enum sender sender;
	struct dict_object *model;
	struct items *reply; /* to answer with; NULL: silence */
} commands[] = {
	{ "ULR", "Update-Location-Request", "Update-Location-Answer", 316, S6A, MME, 0, 0 },
	{ "CLR", "Cancel-Location-Request", "Cancel-Location-Answer", 317, S6A, HSS, 0, 0 },
	{ "AIR", "Authentication-Information-Request", "Authentication-Information-Answer", 318, S6A,
	  MME, 0, 0 },
	{ "IDR", "Insert-Subscriber-Data-Request", "Insert-Subscriber-Data-Answer", 319, S6A, HSS, 0,
	  0 },
	{ "DSR", "Delete-Subscriber-Data-Request", "Delete-Subscriber-Data-Answer", 320, S6A, HSS, 0,
	  0 },
	{ "PUR", "Purge-UE-Request", "Purge-UE-Answer", 321, S6A, MME, 0, 0 },
	{ "RSR", "Reset-Request", "Reset-Answer", 322, S6A, HSS, 0, 0 },
	{ "NOR", "Notify-Request", "Notify-Answer", 323, S6A, MME, 0, 0 },
	{ "ECR", "ME-Identity-Check-Request", "ME-Identity-Check-Answer", 324, S13, MME, 0, 0 },
};
#define COMMAND_N (sizeof commands / sizeof *commands)

/* What TS 29.272 7.2 demands of any of these messages, as other freeDiameter users enforce it. */
static const struct {
	const char *avp;
	enum rule_position where;
	bool in_request, in_answer;
} rules[] = {
	{ "Session-Id", RULE_FIXED_HEAD, true, true },
	{ "Auth-Session-State", RULE_REQUIRED, true, true },
	{ "Origin-Host", RULE_REQUIRED, true, true },
	{ "Origin-Realm", RULE_REQUIRED, true, true },
	{ "Destination-Realm", RULE_REQUIRED, true, false },
	{ "Result-Code", RULE_OPTIONAL, false, true },
	{ "Experimental-Result", RULE_OPTIONAL, false, true },
};

static pthread_mutex_t out_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t reply_lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_t server;
static _Atomic int client = -1;
static int listener = -1;
static struct fd_hook_hdl *hook;

static void say(const char *fmt, ...)
{
	int fd = atomic_load(&client);
	char *line;
	va_list ap;

	va_start(ap, fmt);
	int n = vasprintf(&line, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	pthread_mutex_lock(&out_lock);
	for (int at = 0; fd >= 0 && at < n;) {
		ssize_t sent = send(fd, line + at, (size_t)(n - at), MSG_NOSIGNAL);

		if (sent <= 0)
			break;
		at += (int)sent;
	}
	pthread_mutex_unlock(&out_lock);
	free(line);
}

/* The message as bytes: the client reads it with a decoder of its own. */
static void say_message(const char *event, uintptr_t tag, struct msg *msg)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *buf;
	size_t n;

	if (atomic_load(&client) < 0 || fd_msg_bufferize(msg, &buf, &n) != 0)
		return;
	char *hex = malloc(2 * n + 1);

	if (hex) {
		for (size_t i = 0; i < n; i++) {
			hex[2 * i] = digits[buf[i] >> 4];
			hex[2 * i + 1] = digits[buf[i] & 15];
		}
		hex[2 * n] = 0;
		say("{\"event\":\"%s\",\"tag\":%u,\"hex\":\"%s\"}\n", event, (unsigned)tag, hex);
	}
	free(hex);
	free(buf);
}

static struct command *find_command(const char *name)
{
	for (size_t i = 0; name && i < COMMAND_N; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

static struct dict_object *find_avp(const char *name)
{
	struct dict_avp_request in_3gpp = { .avp_vendor = VENDOR_3GPP, .avp_name = (char *)name };
	struct dict_object *model = NULL;

	fd_dict_search(fd_g_config->cnf_dict, DICT_AVP, AVP_BY_NAME, name, &model, 0);
	if (!model)
		fd_dict_search(fd_g_config->cnf_dict, DICT_AVP, AVP_BY_NAME_AND_VENDOR, &in_3gpp,
			       &model, 0);
	return model;
}

/* AVPS, read once: so that answering costs no look-up by name. */
struct item {
	struct dict_object *model; /* NULL: the end of a group */
	bool group;
	union avp_value value;
};

struct items {
	struct item *item;
	size_t n;
	char *text; /* what the values point into */
	bool origin, session, error; /* names an Origin-Host, a Session-Id; begins with a Result-Code 3xxx */
};

static void free_items(struct items *x)
{
	if (x) {
		free(x->item);
		free(x->text);
	}
	free(x);
}

static void from_hex(union avp_value *v)
{
	uint8_t *to = v->os.data;
	const char *from = (const char *)v->os.data + 2;

	for (v->os.len = 0; sscanf(from, "%2hhx", to) == 1; from += 2, to++)
		v->os.len++;
}

/* The value of a word stands where it was written, a hexadecimal one in place of its digits. */
static bool read_value(struct item *i, enum dict_avp_basetype type, char *text)
{
	switch (type) {
	case AVP_TYPE_OCTETSTRING:
		i->value.os.data = (uint8_t *)text;
		i->value.os.len = strlen(text);
		if (strncmp(text, "0x", 2) == 0)
			from_hex(&i->value);
		return true;
	case AVP_TYPE_INTEGER32:
	case AVP_TYPE_UNSIGNED32:
		i->value.u32 = (uint32_t)strtoul(text, NULL, 0);
		return true;
	case AVP_TYPE_INTEGER64:
	case AVP_TYPE_UNSIGNED64:
		i->value.u64 = strtoull(text, NULL, 0);
		return true;
	default:
		return false;
	}
}

static bool read_word(struct item *i, char *w)
{
	size_t n = strcspn(w, "={");
	bool group = w[n] == '{';
	struct dict_avp_data data;

	if (strcmp(w, "}") == 0)
		return true;
	if (w[n] == 0)
		return false;
	w[n] = 0;
	i->model = find_avp(w);
	i->group = group;
	if (!i->model || fd_dict_getval(i->model, &data) != 0)
		return false;
	if (group)
		return data.avp_basetype == AVP_TYPE_GROUPED;
	return read_value(i, data.avp_basetype, w + n + 1);
}

/* NULL and the word that was wrong, or items to be freed. */
static struct items *read_items(const char *words, const char **wrong)
{
	struct items *x = calloc(1, sizeof *x);
	char *save = NULL;

	*wrong = "memory";
	if (!x || !(x->text = strdup(words)) || !(x->item = calloc(strlen(words) + 1, sizeof *x->item))) {
		free_items(x);
		return NULL;
	}
	x->origin = strstr(words, "Origin-Host=");
	x->session = strstr(words, "Session-Id=");
	x->error = strncmp(words, "Result-Code=3", 13) == 0;
	for (char *w = strtok_r(x->text, " \n", &save); w; w = strtok_r(NULL, " \n", &save)) {
		if (!read_word(&x->item[x->n++], w)) {
			say("{\"event\":\"error\",\"tag\":0,\"why\":\"%s\"}\n", w);
			*wrong = "AVPS";
			free_items(x);
			return NULL;
		}
	}
	*wrong = NULL;
	return x;
}

static bool add_items(struct msg *msg, const struct items *x)
{
	msg_or_avp *open[16] = { msg };
	size_t depth = 0;

	for (const struct item *i = x->item; i < x->item + x->n; i++) {
		union avp_value value = i->value;
		struct avp *avp;

		if (!i->model) {
			depth -= depth > 0;
			continue;
		}
		if (fd_msg_avp_new(i->model, 0, &avp) != 0 ||
		    (!i->group && fd_msg_avp_setvalue(avp, &value) != 0) ||
		    fd_msg_avp_add(open[depth], MSG_BRW_LAST_CHILD, avp) != 0)
			return false;
		if (i->group && depth + 1 < sizeof open / sizeof *open)
			open[++depth] = avp;
	}
	return true;
}

static void take_answer(void *tag, struct msg **msg)
{
	say_message("answer", (uintptr_t)tag, *msg);
	fd_msg_free(*msg);
	*msg = NULL;
}

static void no_answer(void *tag, DiamId_t peer, size_t peer_n, struct msg **msg)
{
	(void)peer, (void)peer_n, (void)msg;
	say("{\"event\":\"timeout\",\"tag\":%u}\n", (unsigned)(uintptr_t)tag);
}

static const char *build_request(struct command *c, const struct items *x, struct msg **msg)
{
	if (fd_msg_new(c->model, MSGFL_ALLOC_ETEID, msg) != 0)
		return "command";
	if (!x->session && fd_msg_new_session(*msg, (os0_t) "peer", 4) != 0)
		return "session";
	if (!x->origin && fd_msg_add_origin(*msg, 0) != 0)
		return "origin";
	return add_items(*msg, x) ? NULL : "AVPS";
}

static void send_request(char *line)
{
	char *save = NULL;
	uintptr_t tag = strtoul(strtok_r(line, " ", &save) ?: "0", NULL, 0);
	struct command *c = find_command(strtok_r(NULL, " \n", &save));
	const char *wrong = "command";
	struct items *x = c ? read_items(save, &wrong) : NULL;
	struct msg *msg = NULL;
	struct timespec until;

	if (x)
		wrong = build_request(c, x, &msg);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ANSWER_WAIT_S;
	if (!wrong && fd_msg_send_timeout(&msg, take_answer, (void *)tag, no_answer, &until) != 0)
		wrong = "send";
	if (wrong)
		say("{\"event\":\"error\",\"tag\":%u,\"why\":\"%s\"}\n", (unsigned)tag, wrong);
	if (msg)
		fd_msg_free(msg);
	free_items(x);
}

/* Under the lock: the reply stays as it is meanwhile. NULL: silence. */
static void answer(struct msg **msg, const struct items *x)
{
	struct msg_hdr *hdr;

	if (!x) {
		fd_msg_free(*msg);
		*msg = NULL;
		return;
	}
	if (fd_msg_new_answer_from_req(fd_g_config->cnf_dict, msg, 0) != 0 || fd_msg_hdr(*msg, &hdr) != 0)
		return;
	if (x->error)
		hdr->msg_flags |= CMD_FLAG_ERROR;
	if ((x->origin || fd_msg_add_origin(*msg, 0) == 0) && add_items(*msg, x))
		fd_msg_send(msg, NULL, NULL);
}

static int take_request(struct msg **msg, struct avp *avp, struct session *session, void *ctx,
			enum disp_action *action)
{
	struct command *c = ctx;

	(void)avp, (void)session;
	*action = DISP_ACT_CONT;
	say_message("request", 0, *msg);
	pthread_rwlock_rdlock(&reply_lock);
	answer(msg, c->reply);
	pthread_rwlock_unlock(&reply_lock);
	return 0;
}

static void set_reply(char *line)
{
	char *save = NULL;
	unsigned long tag = strtoul(strtok_r(line, " ", &save) ?: "0", NULL, 0);
	struct command *c = find_command(strtok_r(NULL, " \n", &save));
	const char *wrong = c ? NULL : "command";
	struct items *x = c && save && save[strspn(save, " \n")] ? read_items(save, &wrong) : NULL, *old;

	if (wrong) {
		say("{\"event\":\"error\",\"tag\":%lu,\"why\":\"%s\"}\n", tag, wrong);
		return;
	}
	pthread_rwlock_wrlock(&reply_lock);
	old = c->reply;
	c->reply = x;
	pthread_rwlock_unlock(&reply_lock);
	free_items(old);
	say("{\"event\":\"set\",\"tag\":%lu}\n", tag);
}

static void say_peer(struct peer_hdr *peer)
{
	int state = fd_peer_get_state(peer);

	say("{\"event\":\"peer\",\"host\":\"%.*s\",\"state\":\"%s\"}\n", (int)peer->info.pi_diamidlen,
	    peer->info.pi_diamid, state >= 0 ? peer_state_str[state] : "");
}

static void say_peers(void)
{
	pthread_rwlock_rdlock(&fd_g_peers_rw);
	for (struct fd_list *li = fd_g_peers.next; li != &fd_g_peers; li = li->next)
		say_peer((struct peer_hdr *)li->o);
	pthread_rwlock_unlock(&fd_g_peers_rw);
}

static void obey(char *line)
{
	if (strncmp(line, "send ", 5) == 0)
		send_request(line + 5);
	else if (strncmp(line, "answer ", 7) == 0)
		set_reply(line + 7);
	else
		say_peers();
}

static void *serve(void *arg)
{
	char *line = malloc(LINE_MAX_BYTES);

	(void)arg;
	for (int fd; line && (fd = accept(listener, NULL, NULL)) >= 0;) {
		FILE *in = fdopen(dup(fd), "r");

		atomic_store(&client, fd);
		say_peers();
		while (in && fgets(line, LINE_MAX_BYTES, in))
			obey(line);
		atomic_store(&client, -1);
		if (in)
			fclose(in);
		close(fd);
	}
	free(line);
	return NULL;
}

static void peer_opened(enum fd_hook_type type, struct msg *msg, struct peer_hdr *peer, void *other,
			struct fd_hook_permsgdata *pmd, void *ctx)
{
	(void)type, (void)msg, (void)other, (void)pmd, (void)ctx;
	if (peer)
		say("{\"event\":\"peer\",\"host\":\"%.*s\",\"state\":\"STATE_OPEN\"}\n",
		    (int)peer->info.pi_diamidlen, peer->info.pi_diamid);
}

static int add_rules(struct dict_object *command, bool request)
{
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		struct dict_rule_data rule = { find_avp(rules[i].avp), rules[i].where, 0, -1, 1 };

		if (!(request ? rules[i].in_request : rules[i].in_answer))
			continue;
		if (rule.rule_position == RULE_FIXED_HEAD)
			rule.rule_order = 1;
		CHECK_FCT(fd_dict_new(fd_g_config->cnf_dict, DICT_RULE, &rule, command, NULL));
	}
	return 0;
}

static int add_command(struct command *c, struct dict_object *app)
{
	const uint8_t mask = CMD_FLAG_REQUEST | CMD_FLAG_PROXIABLE;
	struct dict_cmd_data ask = { c->code, (char *)c->request, mask, mask };
	struct dict_cmd_data answer = { c->code, (char *)c->answer, mask, CMD_FLAG_PROXIABLE };
	struct dict_object *answer_model;
	struct disp_when when = { .app = app };
	const char *wrong;

	CHECK_FCT(fd_dict_new(fd_g_config->cnf_dict, DICT_COMMAND, &ask, app, &c->model));
	CHECK_FCT(fd_dict_new(fd_g_config->cnf_dict, DICT_COMMAND, &answer, app, &answer_model));
	CHECK_FCT(add_rules(c->model, true));
	CHECK_FCT(add_rules(answer_model, false));
	c->reply = read_items("Result-Code=2001 Auth-Session-State=1", &wrong);
	when.command = c->model;
	return fd_disp_register(take_request, DISP_HOW_CC, &when, c, NULL);
}

static int add_application(uint32_t id, const char *name, struct dict_object *vendor)
{
	struct dict_application_data data = { id, (char *)name };
	struct dict_object *app;

	CHECK_FCT(fd_dict_new(fd_g_config->cnf_dict, DICT_APPLICATION, &data, vendor, &app));
	for (size_t i = 0; i < COMMAND_N; i++) {
		if (commands[i].app == id)
			CHECK_FCT(add_command(&commands[i], app));
	}
	return fd_disp_app_support(app, vendor, 1, 0);
}

static int entry(char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct dict_object *vendor;
	vendor_id_t id = VENDOR_3GPP;

	if (!path || strlen(path) >= sizeof at.sun_path)
		return EINVAL;
	memcpy(at.sun_path, path, strlen(path) + 1);
	CHECK_FCT(fd_dict_search(fd_g_config->cnf_dict, DICT_VENDOR, VENDOR_BY_ID, &id, &vendor,
				 ENOENT));
	CHECK_FCT(add_application(S6A, "3GPP S6a", vendor));
	CHECK_FCT(add_application(S13, "3GPP S13", vendor));
	CHECK_FCT(fd_hook_register(HOOK_MASK(HOOK_PEER_CONNECT_SUCCESS), peer_opened, NULL, NULL,
				   &hook));
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof at) != 0 ||
	    listen(listener, 1) != 0)
		return errno;
	return pthread_create(&server, NULL, serve, NULL);
}

void fd_ext_fini(void)
{
	int fd = atomic_load(&client);

	fd_hook_unregister(hook);
	shutdown(listener, SHUT_RDWR);
	if (fd >= 0)
		shutdown(fd, SHUT_RDWR);
	pthread_join(server, NULL);
	close(listener);
}

EXTENSION_ENTRY("fdx_mme", entry, "dict_dcca_3gpp");
