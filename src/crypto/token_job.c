/* The child's half: PKCS#11 2.40 as the module speaks it. The library is loaded by p11-kit, from the path
 * that the URI names, whatever else is configured in the system. */
#include "crypto/token_in.h"

#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>
#include <stdio.h>

#define SLOTS 32
#define NONCE 12
#define TAG 16
#define HEAD 3
#define KEY_N 32
#define FOUND 8

struct token {
	P11KitUri *uri;
	CK_FUNCTION_LIST *f;
	CK_SESSION_HANDLE session;
	char *why;
};

/* The names of what an operator can do something about; the rest by number. */
static const struct code {
	CK_RV rv;
	const char *text;
} codes[] = {
    {CKR_PIN_INCORRECT, "the PIN is wrong"},
    {CKR_PIN_LOCKED, "the PIN is locked"},
    {CKR_PIN_INVALID, "the PIN is wrong"},
    {CKR_PIN_LEN_RANGE, "the PIN is wrong"},
    {CKR_PIN_EXPIRED, "the PIN has expired"},
    {CKR_TOKEN_NOT_PRESENT, "there is no token"},
    {CKR_TOKEN_NOT_RECOGNIZED, "there is no token"},
    {CKR_DEVICE_ERROR, "the device has failed"},
    {CKR_DEVICE_REMOVED, "the device was removed"},
    {CKR_MECHANISM_INVALID, "it does not know AES-GCM"},
    {CKR_TOKEN_WRITE_PROTECTED, "the token is write-protected"},
    {CKR_USER_PIN_NOT_INITIALIZED, "it has no user PIN yet"},
};

static enum err fails(const struct token *t, enum err err, const char *what, CK_RV rv)
{
	char number[32];
	const char *text = number;

	snprintf(number, sizeof number, "error 0x%lx", rv);
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		if (codes[i].rv == rv)
			text = codes[i].text;
	}
	snprintf(t->why, 256, "PKCS#11: %.120s: %s", what, text);
	return err;
}

static enum err refuse(const struct token *t, enum err err, const char *text)
{
	snprintf(t->why, 256, "PKCS#11: %.240s", text);
	return err;
}

/* The only token that the URI fits. */
static enum err find_slot(const struct token *t, CK_SLOT_ID *slot, CK_TOKEN_INFO *info)
{
	CK_SLOT_ID slots[SLOTS];
	CK_ULONG n = SLOTS;
	CK_RV rv = t->f->C_GetSlotList(CK_TRUE, slots, &n);
	size_t found = 0;

	if (rv != CKR_OK)
		return fails(t, ERR_IO, "cannot list tokens", rv);
	for (CK_ULONG i = 0; i < n; i++) {
		CK_TOKEN_INFO one;

		if (t->f->C_GetTokenInfo(slots[i], &one) != CKR_OK ||
		    !p11_kit_uri_match_token_info(t->uri, &one))
			continue;
		*slot = slots[i];
		*info = one;
		found++;
	}
	if (found == 1)
		return ERR_OK;
	return refuse(t, ERR_KEY,
		      found ? "more than one token is meant: say token= or serial="
			    : "there is no such token (token=, serial=)");
}

/* The token counts wrong PINs: what would lock it is not risked. */
static enum err log_in(struct token *t, const struct token_key *key, const CK_TOKEN_INFO *info)
{
	const char *source = key->pin[0] ? key->pin : p11_kit_uri_get_pin_source(t->uri);
	struct token_pin pin = {0};
	enum err err;
	CK_RV rv;

	if (!source)
		return refuse(t, ERR_REFUSED, "no PIN: say pin-source=FILE");
	if (info->flags & CKF_USER_PIN_LOCKED)
		return refuse(t, ERR_REFUSED,
			      "the token's PIN is locked: its security officer must set a new one");
	if (info->flags & CKF_USER_PIN_FINAL_TRY)
		return refuse(t, ERR_REFUSED, "one more wrong PIN would lock the token: log in once by hand");
	err = token_pin_load(source, key->refused, &pin, t->why);
	if (err)
		return err;
	rv = t->f->C_Login(t->session, CKU_USER, (CK_UTF8CHAR *)pin.text, pin.n);
	if (rv == CKR_PIN_INCORRECT || rv == CKR_PIN_INVALID || rv == CKR_PIN_LEN_RANGE ||
	    rv == CKR_PIN_LOCKED) {
		token_pin_refused(key->refused, &pin);
		err = fails(t, ERR_REFUSED, "the token refuses the PIN", rv);
	} else if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN) {
		err = fails(t, ERR_IO, "cannot log in", rv);
	} else {
		token_pin_taken(key->refused);
	}
	secret_wipe(&pin, sizeof pin);
	return err;
}

static enum err load(struct token *t)
{
	const char *path = p11_kit_uri_get_module_path(t->uri);
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
	CK_RV rv;

	t->f = path ? p11_kit_module_load(path, P11_KIT_MODULE_UNMANAGED) : NULL;
	if (!t->f) {
		snprintf(t->why, 256, "PKCS#11: cannot load %.200s", path ? path : "no library");
		return ERR_IO;
	}
	rv = t->f->C_Initialize(&args);
	return rv == CKR_OK ? ERR_OK : fails(t, ERR_IO, "the token's library does not start", rv);
}

static enum err open_token(struct token *t, const struct token_key *key, bool writes)
{
	CK_TOKEN_INFO info = {0};
	CK_SLOT_ID slot = 0;
	enum err err;
	CK_RV rv;

	t->uri = p11_kit_uri_new();
	if (!t->uri || p11_kit_uri_parse(key->uri, P11_KIT_URI_FOR_ANY, t->uri) != P11_KIT_URI_OK)
		return refuse(t, ERR_CONFIG, "not a PKCS#11 URI");
	err = load(t);
	if (!err)
		err = find_slot(t, &slot, &info);
	if (err)
		return err;
	rv = t->f->C_OpenSession(slot, CKF_SERIAL_SESSION | (writes ? CKF_RW_SESSION : 0), NULL, NULL,
				 &t->session);
	if (rv != CKR_OK)
		return fails(t, ERR_IO, "cannot open a session", rv);
	return log_in(t, key, &info);
}

/* AES keys of the URI's name, and of this CKA_ID when it is not empty. */
static enum err find_keys(const struct token *t, struct view id, CK_OBJECT_HANDLE found[FOUND], CK_ULONG *n)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_ATTRIBUTE want[5] = {{CKA_CLASS, &class, sizeof class}, {CKA_KEY_TYPE, &type, sizeof type}};
	const CK_ATTRIBUTE *name = p11_kit_uri_get_attribute(t->uri, CKA_LABEL);
	const CK_ATTRIBUTE *which = p11_kit_uri_get_attribute(t->uri, CKA_ID);
	CK_ULONG want_n = 2;
	uint8_t room[TOKEN_ID_MAX];
	CK_RV rv;

	if (name)
		want[want_n++] = *name;
	if (id.n > 0) {
		memcpy(room, id.p, id.n);
		want[want_n++] = (CK_ATTRIBUTE){CKA_ID, room, id.n};
	} else if (which) {
		want[want_n++] = *which;
	}
	rv = t->f->C_FindObjectsInit(t->session, want, want_n);
	if (rv == CKR_OK)
		rv = t->f->C_FindObjects(t->session, found, FOUND, n);
	(void)t->f->C_FindObjectsFinal(t->session);
	return rv == CKR_OK ? ERR_OK : fails(t, ERR_IO, "cannot look for the key", rv);
}

/* A master key whose value could be taken off the token is none. Also its length and id. */
static enum err look_at(const struct token *t, CK_OBJECT_HANDLE key, uint8_t id[TOKEN_ID_MAX], size_t *id_n)
{
	CK_BBOOL sensitive = CK_FALSE, extractable = CK_TRUE;
	CK_ULONG len = 0;
	CK_ATTRIBUTE a[] = {{CKA_SENSITIVE, &sensitive, sizeof sensitive},
			    {CKA_EXTRACTABLE, &extractable, sizeof extractable},
			    {CKA_VALUE_LEN, &len, sizeof len},
			    {CKA_ID, id, TOKEN_ID_MAX}};
	CK_RV rv = t->f->C_GetAttributeValue(t->session, key, a, 4);

	if (rv != CKR_OK || a[3].ulValueLen > TOKEN_ID_MAX)
		return fails(t, ERR_KEY, "cannot read what the key is", rv);
	*id_n = a[3].ulValueLen;
	if (len != KEY_N)
		return refuse(t, ERR_KEY, "the key must be one of AES-256");
	if (!sensitive || extractable)
		return refuse(t, ERR_KEY, "the key must be sensitive and not extractable");
	return ERR_OK;
}

static enum err make_key(const struct token *t, CK_OBJECT_HANDLE *key)
{
	CK_MECHANISM how = {CKM_AES_KEY_GEN, NULL, 0};
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_ULONG len = KEY_N;
	uint8_t id[16];
	const CK_ATTRIBUTE *name = p11_kit_uri_get_attribute(t->uri, CKA_LABEL);
	CK_ATTRIBUTE a[] = {{CKA_TOKEN, &yes, sizeof yes},
			    {CKA_PRIVATE, &yes, sizeof yes},
			    {CKA_SENSITIVE, &yes, sizeof yes},
			    {CKA_EXTRACTABLE, &no, sizeof no},
			    {CKA_ENCRYPT, &yes, sizeof yes},
			    {CKA_DECRYPT, &yes, sizeof yes},
			    {CKA_VALUE_LEN, &len, sizeof len},
			    {CKA_ID, id, sizeof id},
			    {CKA_LABEL, name->pValue, name->ulValueLen}};
	CK_RV rv;

	if (random_bytes(id, sizeof id))
		return refuse(t, ERR_IO, "no random numbers to be had");
	rv = t->f->C_GenerateKey(t->session, &how, a, sizeof a / sizeof *a, key);
	return rv == CKR_OK ? ERR_OK : fails(t, ERR_IO, "cannot make a key", rv);
}

static enum err key_to_wrap(const struct token *t, enum token_which which, CK_OBJECT_HANDLE *key)
{
	CK_OBJECT_HANDLE found[FOUND];
	CK_ULONG n = 0;
	enum err err = which == TOKEN_NEW ? ERR_OK : find_keys(t, (struct view){NULL, 0}, found, &n);

	if (err)
		return err;
	if (n > 1)
		return refuse(t, ERR_KEY, "the token has more than one key of that name: say id= too");
	if (n == 0)
		return make_key(t, key);
	*key = found[0];
	return ERR_OK;
}

static CK_MECHANISM gcm(CK_GCM_PARAMS *p, uint8_t *nonce, struct view aad, uint8_t *room)
{
	memcpy(room, aad.p, aad.n);
	*p = (CK_GCM_PARAMS){nonce, NONCE, NONCE * 8, room, aad.n, TAG * 8};
	return (CK_MECHANISM){CKM_AES_GCM, p, sizeof *p};
}

static enum err wrap(const struct token *t, const struct token_job *job, struct token_reply *r)
{
	uint8_t nonce[NONCE], id[TOKEN_ID_MAX], aad[64], in[KEY_N], out[KEY_N + TAG];
	struct wr w = {.p = r->out, .cap = sizeof r->out};
	CK_ULONG n = sizeof out;
	CK_OBJECT_HANDLE key;
	CK_GCM_PARAMS params;
	CK_MECHANISM how = gcm(&params, nonce, job->aad, aad);
	size_t id_n = 0;
	enum err err = key_to_wrap(t, job->which, &key);
	CK_RV rv;

	err = err ? err : look_at(t, key, id, &id_n);
	err = err ? err : random_bytes(nonce, sizeof nonce);
	if (err)
		return err;
	memcpy(in, job->in.p, sizeof in);
	rv = t->f->C_EncryptInit(t->session, &how, key);
	rv = rv == CKR_OK ? t->f->C_Encrypt(t->session, in, sizeof in, out, &n) : rv;
	secret_wipe(in, sizeof in);
	if (rv != CKR_OK || n != sizeof out)
		return fails(t, ERR_IO, "cannot seal the data key", rv);
	wr_be(&w, 'T', 1);
	wr_be(&w, 1, 1);
	wr_be(&w, id_n, 1);
	wr_view(&w, (struct view){id, id_n});
	wr_view(&w, (struct view){nonce, sizeof nonce});
	wr_view(&w, (struct view){out, n});
	r->n = w.n;
	return w.err;
}

/* The key that sealed this: by its id, or, when it has none, the only one of its name. */
static enum err key_of(const struct token *t, struct view in, CK_OBJECT_HANDLE *key, struct view *sealed)
{
	struct rd r = {.left = in};
	CK_OBJECT_HANDLE found[FOUND];
	CK_ULONG n = 0;
	struct view head = rd_take(&r, HEAD), id;
	enum err err;

	if (r.err || head.p[0] != 'T' || head.p[1] != 1 || head.p[2] > TOKEN_ID_MAX)
		return refuse(t, ERR_KEY, "the data key was not sealed by a token");
	id = rd_take(&r, head.p[2]);
	*sealed = r.left;
	if (r.err || sealed->n != NONCE + KEY_N + TAG)
		return refuse(t, ERR_KEY, "the data key was not sealed by a token");
	err = find_keys(t, id, found, &n);
	if (err)
		return err;
	if (n != 1)
		return refuse(t, ERR_KEY, "the token has no key that sealed this vault");
	*key = found[0];
	return ERR_OK;
}

static enum err unwrap(const struct token *t, const struct token_job *job, struct token_reply *r)
{
	uint8_t nonce[NONCE], aad[64], in[KEY_N + TAG];
	CK_GCM_PARAMS params;
	CK_MECHANISM how = gcm(&params, nonce, job->aad, aad);
	CK_ULONG n = sizeof r->out;
	CK_OBJECT_HANDLE key;
	struct view sealed;
	enum err err = key_of(t, job->in, &key, &sealed);
	CK_RV rv;

	if (err)
		return err;
	memcpy(nonce, sealed.p, NONCE);
	memcpy(in, sealed.p + NONCE, sizeof in);
	rv = t->f->C_DecryptInit(t->session, &how, key);
	rv = rv == CKR_OK ? t->f->C_Decrypt(t->session, in, sizeof in, r->out, &n) : rv;
	if (rv != CKR_OK)
		return fails(t, ERR_KEY, "the data key does not open", rv);
	r->n = n;
	return ERR_OK;
}

static enum err destroy(const struct token *t, const struct token_job *job)
{
	CK_OBJECT_HANDLE key;
	struct view sealed;
	enum err err = key_of(t, job->in, &key, &sealed);
	CK_RV rv = err ? CKR_OK : t->f->C_DestroyObject(t->session, key);

	return err || rv == CKR_OK ? err : fails(t, ERR_IO, "cannot destroy the former key", rv);
}

void token_job_do(const struct token_job *job, struct token_reply *reply)
{
	struct token t = {.why = reply->why};

	reply->err = job->aad.n > 64 ? ERR_LENGTH : open_token(&t, job->key, job->op != TOKEN_OP_UNWRAP);
	if (!reply->err && job->op == TOKEN_OP_WRAP)
		reply->err = wrap(&t, job, reply);
	else if (!reply->err && job->op == TOKEN_OP_UNWRAP)
		reply->err = unwrap(&t, job, reply);
	else if (!reply->err)
		reply->err = destroy(&t, job);
	if (t.session) {
		(void)t.f->C_Logout(t.session);
		(void)t.f->C_CloseSession(t.session);
	}
}
