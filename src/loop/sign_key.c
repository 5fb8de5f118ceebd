/* A key for OpenSSL whose private half is elsewhere: a provider of key management for RSA, RSA-PSS, EC and
 * Ed25519, and one signature algorithm that sends the whole content to the signer. Everything public is
 * left to OpenSSL's own provider: each of our keys wraps one of its. */
#include "loop/sign.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/provider.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>

#define OURS	   "provider=merlon"
#define THEIRS	   "provider=default"
#define PARAM_SPKI "merlon-spki"
#define PARAM_LINE "merlon-line"
#define SIGNER	   "MERLON-SIGNER"

struct key {
	enum sign_key kind;
	EVP_PKEY *public;
	struct sign_line *line; /* NULL: a key of somebody else's, here to be compared */
	uint8_t id[SIGN_KEY_ID];
};

struct signing {
	const struct key *key;
	enum sign_padding padding;
	const char *digest;
};

static const char *const names[] = { [SIGN_KEY_EC] = "EC", [SIGN_KEY_ED25519] = "ED25519",
				     [SIGN_KEY_RSA] = "RSA", [SIGN_KEY_RSAPSS] = "RSA-PSS" };

/* OpenSSL wants its table of functions without their types. */
#define ROW(id, function) { id, (void (*)(void))(function) }

/* --- key management ----------------------------------------------------------------------------- */

static void *key_new(enum sign_key kind)
{
	struct key *k = calloc(1, sizeof *k);

	if (k)
		k->kind = kind;
	return k;
}

static void *new_ec(void *provider)
{
	(void)provider;
	return key_new(SIGN_KEY_EC);
}

static void *new_ed25519(void *provider)
{
	(void)provider;
	return key_new(SIGN_KEY_ED25519);
}

static void *new_rsa(void *provider)
{
	(void)provider;
	return key_new(SIGN_KEY_RSA);
}

static void *new_rsapss(void *provider)
{
	(void)provider;
	return key_new(SIGN_KEY_RSAPSS);
}

static void key_free(void *data)
{
	struct key *k = data;

	if (!k)
		return;
	EVP_PKEY_free(k->public);
	free(k);
}

static int key_has(const void *data, int selection)
{
	const struct key *k = data;

	return k->public && (k->line || !(selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY));
}

static int key_match(const void *a, const void *b, int selection)
{
	const struct key *x = a, *y = b;

	(void)selection;
	return x->public && y->public && EVP_PKEY_eq(x->public, y->public) == 1;
}

static int key_get(void *data, OSSL_PARAM params[])
{
	const struct key *k = data;

	return k->public && EVP_PKEY_get_params(k->public, params);
}

static const OSSL_PARAM *key_gettable(void *provider)
{
	static const OSSL_PARAM list[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)provider;
	return list;
}

/* One of ours: the SubjectPublicKeyInfo and the line. */
static bool import_own(struct key *k, const OSSL_PARAM *spki, const OSSL_PARAM *line)
{
	const unsigned char *der = spki->data;
	size_t n = spki->data_size;

	if (line->data_size != sizeof k->line)
		return false;
	memcpy(&k->line, line->data, sizeof k->line);
	sign_key_id((struct view){ der, n }, k->id);
	k->public = d2i_PUBKEY_ex(NULL, &der, (long)n, NULL, THEIRS);
	return k->public && EVP_PKEY_is_a(k->public, names[k->kind]);
}

/* A certificate's, which OpenSSL compares with ours. */
static bool import_public(struct key *k, const OSSL_PARAM params[])
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, names[k->kind], THEIRS);
	OSSL_PARAM *copy = OSSL_PARAM_dup(params);
	bool ok = c && copy && EVP_PKEY_fromdata_init(c) == 1 &&
		  EVP_PKEY_fromdata(c, &k->public, EVP_PKEY_PUBLIC_KEY, copy) == 1;

	OSSL_PARAM_free(copy);
	EVP_PKEY_CTX_free(c);
	return ok;
}

static int key_import(void *data, int selection, const OSSL_PARAM params[])
{
	const OSSL_PARAM *spki = OSSL_PARAM_locate_const(params, PARAM_SPKI);
	const OSSL_PARAM *line = OSSL_PARAM_locate_const(params, PARAM_LINE);
	struct key *k = data;

	(void)selection;
	EVP_PKEY_free(k->public);
	k->public = NULL;
	return spki && line ? import_own(k, spki, line) : import_public(k, params);
}

static const OSSL_PARAM *key_import_types(int selection)
{
	static const OSSL_PARAM list[] = {
		OSSL_PARAM_octet_string(PARAM_SPKI, NULL, 0),
		OSSL_PARAM_octet_string(PARAM_LINE, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)selection;
	return list;
}

/* Whoever asks for the private half as well, to sign by other means, gets nothing. */
static int key_export(void *data, int selection, OSSL_CALLBACK *call, void *arg)
{
	const struct key *k = data;
	OSSL_PARAM *params = NULL;
	int ok = 0;

	if (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY || !k->public)
		return 0;
	if (EVP_PKEY_todata(k->public, EVP_PKEY_PUBLIC_KEY, &params) == 1)
		ok = call(params, arg);
	OSSL_PARAM_free(params);
	return ok;
}

static const char *key_operation(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? SIGNER : NULL;
}

#define KEY_ROWS(name)                                                         \
	static const OSSL_DISPATCH name##_rows[] = {                           \
		ROW(OSSL_FUNC_KEYMGMT_NEW, new_##name),                        \
		ROW(OSSL_FUNC_KEYMGMT_FREE, key_free),                         \
		ROW(OSSL_FUNC_KEYMGMT_HAS, key_has),                           \
		ROW(OSSL_FUNC_KEYMGMT_MATCH, key_match),                       \
		ROW(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get),                    \
		ROW(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable),          \
		ROW(OSSL_FUNC_KEYMGMT_IMPORT, key_import),                     \
		ROW(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_import_types),         \
		ROW(OSSL_FUNC_KEYMGMT_EXPORT, key_export),                     \
		ROW(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_import_types),         \
		ROW(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, key_operation),    \
		{ 0, NULL },                                                   \
	};
KEY_ROWS(ec)
KEY_ROWS(ed25519)
KEY_ROWS(rsa)
KEY_ROWS(rsapss)

static const OSSL_ALGORITHM keys[] = {
	{ "EC:id-ecPublicKey:1.2.840.10045.2.1", OURS, ec_rows, NULL },
	{ "ED25519:1.3.101.112", OURS, ed25519_rows, NULL },
	{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", OURS, rsa_rows, NULL },
	{ "RSA-PSS:RSASSA-PSS:1.2.840.113549.1.1.10", OURS, rsapss_rows, NULL },
	{ NULL, NULL, NULL, NULL },
};

/* --- signatures ---------------------------------------------------------------------------------- */

static void *signing_new(void *provider, const char *properties)
{
	(void)provider;
	(void)properties;
	return calloc(1, sizeof(struct signing));
}

static void *signing_dup(void *data)
{
	struct signing *copy = malloc(sizeof *copy);

	if (copy)
		*copy = *(struct signing *)data;
	return copy;
}

static int signing_set(void *data, const OSSL_PARAM params[])
{
	const OSSL_PARAM *p = params ? OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE) : NULL;
	struct signing *s = data;
	const char *text;
	int mode = 0;

	if (!p) /* the length of a salt is the digest's in TLS, whatever is said */
		return 1;
	if (p->data_type == OSSL_PARAM_UTF8_STRING) {
		if (!OSSL_PARAM_get_utf8_string_ptr(p, &text))
			return 0;
		mode = strcmp(text, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0 ? 6 /* RSA_PKCS1_PSS_PADDING */ : 1;
	} else if (!OSSL_PARAM_get_int(p, &mode)) {
		return 0;
	}
	if (mode != 6 && (mode != 1 || s->key->kind != SIGN_KEY_RSA))
		return 0;
	s->padding = mode == 6 ? SIGN_PAD_PSS : SIGN_PAD_PKCS1;
	return 1;
}

static const OSSL_PARAM *signing_settable(void *data, void *provider)
{
	static const OSSL_PARAM list[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)data;
	(void)provider;
	return list;
}

static const char *digest_of(const char *name)
{
	static const char *const known[] = { "SHA256", "SHA384", "SHA512" };

	if (!name || !name[0])
		return "";
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		const EVP_MD *md = EVP_get_digestbyname(known[i]);

		if (md && (EVP_MD_is_a(md, name) || strcmp(name, known[i]) == 0))
			return known[i];
	}
	return NULL;
}

static int signing_init(void *data, const char *digest, void *key, const OSSL_PARAM params[])
{
	static const enum sign_padding usual[] = { [SIGN_KEY_EC] = SIGN_PAD_NONE,
						   [SIGN_KEY_ED25519] = SIGN_PAD_NONE,
						   [SIGN_KEY_RSA] = SIGN_PAD_PKCS1,
						   [SIGN_KEY_RSAPSS] = SIGN_PAD_PSS };
	struct signing *s = data;

	if (key)
		s->key = key;
	if (!s->key || !s->key->line)
		return 0;
	s->digest = digest_of(digest);
	s->padding = usual[s->key->kind];
	return s->digest && sign_scheme_of(s->key->kind, s->padding, s->digest) && signing_set(s, params);
}

static int sign_content(void *data, unsigned char *to, size_t *n, size_t cap, const unsigned char *content,
			size_t content_n)
{
	const struct signing *s = data;
	const struct sign_scheme *scheme = sign_scheme_of(s->key->kind, s->padding, s->digest);
	struct sign_request r = { .key = { s->key->id, SIGN_KEY_ID }, .content = { content, content_n } };
	uint8_t signature[SIGN_SIGNATURE_MAX];
	int max = EVP_PKEY_get_size(s->key->public);

	*n = max > 0 ? (size_t)max : 0;
	if (!to)
		return max > 0;
	if (!scheme)
		return 0;
	r.scheme = scheme->code;
	if (sign_ask(s->key->line, &r, signature, n) != ERR_OK || *n > cap)
		return 0;
	memcpy(to, signature, *n);
	return 1;
}

static const OSSL_DISPATCH signing_rows[] = {
	ROW(OSSL_FUNC_SIGNATURE_NEWCTX, signing_new),
	ROW(OSSL_FUNC_SIGNATURE_FREECTX, free),
	ROW(OSSL_FUNC_SIGNATURE_DUPCTX, signing_dup),
	ROW(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, signing_init),
	ROW(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, sign_content),
	ROW(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, signing_set),
	ROW(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, signing_settable),
	{ 0, NULL },
};

static const OSSL_ALGORITHM signatures[] = {
	{ SIGNER, OURS, signing_rows, NULL },
	{ NULL, NULL, NULL, NULL },
};

/* --- the provider --------------------------------------------------------------------------------- */

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache)
{
	(void)provider;
	*no_cache = 0;
	if (operation == OSSL_OP_KEYMGMT)
		return keys;
	return operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

static int provide(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
		   void **provider)
{
	static const OSSL_DISPATCH rows[] = { ROW(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query), { 0, NULL } };

	(void)in;
	*out = rows;
	*provider = (void *)(uintptr_t)handle;
	return 1;
}

/* A library context for ours alone: in OpenSSL's own, 3.0 would now and then take our key management where
 * it means its own, for it remembers what it last found by a name. */
static OSSL_LIB_CTX *apart;

static void set_up(void)
{
	OSSL_LIB_CTX *c = OSSL_LIB_CTX_new();

	if (c && OSSL_PROVIDER_add_builtin(c, "merlon", provide) == 1 && OSSL_PROVIDER_load(c, "merlon"))
		apart = c;
}

void sign_key_id(struct view spki, uint8_t id[SIGN_KEY_ID])
{
	uint8_t hash[EVP_MAX_MD_SIZE] = { 0 };

	EVP_Digest(spki.p, spki.n, hash, NULL, EVP_sha256(), NULL);
	memcpy(id, hash, SIGN_KEY_ID);
}

static EVP_PKEY *wrap(const char *name, struct view spki, struct sign_line *line)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(apart, name, OURS);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(PARAM_SPKI, (void *)(uintptr_t)spki.p, spki.n),
		OSSL_PARAM_construct_octet_string(PARAM_LINE, &line, sizeof line),
		OSSL_PARAM_END,
	};
	EVP_PKEY *k = NULL;

	if (c && EVP_PKEY_fromdata_init(c) == 1)
		(void)EVP_PKEY_fromdata(c, &k, EVP_PKEY_KEYPAIR, params);
	EVP_PKEY_CTX_free(c);
	return k;
}

EVP_PKEY *sign_key(struct view spki, struct sign_line *line)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const unsigned char *der = spki.p;
	EVP_PKEY *public, *k = NULL;

	pthread_once(&once, set_up);
	public = apart ? d2i_PUBKEY_ex(NULL, &der, (long)spki.n, NULL, THEIRS) : NULL;
	for (size_t i = 0; public && !k && i < sizeof names / sizeof *names; i++) {
		if (EVP_PKEY_is_a(public, names[i]))
			k = wrap(names[i], spki, line);
	}
	EVP_PKEY_free(public);
	return k;
}
