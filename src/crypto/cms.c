#include "crypto/cms.h"

#include "crypto/secret_file.h"

#include <openssl/pem.h> /* first: without it, the next has no PEM */

#include <openssl/cms.h>

#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BITS_LEAST 112 /* security strength of the signing key: RSA-2048, P-224 (NIST SP 800-57) */

struct cms_file {
	CMS_ContentInfo *signed_data;
	BIO *inner; /* what was signed */
	BIO *text;  /* what was in it, in clear */
	char signer[CMS_FINGERPRINT + 1], subject[128];
};

static const char pem_head[] = "-----BEGIN CMS-----";

static bool is_pem(struct view file)
{
	return file.n >= sizeof pem_head - 1 && memcmp(file.p, pem_head, sizeof pem_head - 1) == 0;
}

/* DER: a SEQUENCE with a length of several octets, the first of which no text has. */
bool cms_is(struct view file)
{
	return is_pem(file) || (file.n > 4 && file.p[0] == 0x30 && file.p[1] >= 0x80);
}

static CMS_ContentInfo *read_cms(BIO *from, bool pem)
{
	return pem ? PEM_read_bio_CMS(from, NULL, NULL, NULL) : d2i_CMS_bio(from, NULL);
}

/* One signer; its certificate in the file, in its time, strong enough. NULL, or what is wrong. */
static const char *signer_fault(CMS_ContentInfo *c, uint64_t now, X509 **cert)
{
	STACK_OF(CMS_SignerInfo) *all = CMS_get0_SignerInfos(c);
	STACK_OF(X509) *signers = NULL;
	X509_ALGOR *digest = NULL;
	time_t at = (time_t)now;
	int nid;

	if (!all || sk_CMS_SignerInfo_num(all) != 1)
		return "must have one signer";
	CMS_SignerInfo_get0_algs(sk_CMS_SignerInfo_value(all, 0), NULL, NULL, &digest, NULL);
	nid = digest ? OBJ_obj2nid(digest->algorithm) : NID_undef;
	if (nid != NID_sha256 && nid != NID_sha384 && nid != NID_sha512)
		return "is signed with a digest that is not SHA-256, -384 or -512";
	signers = CMS_get0_signers(c); /* set by the verification */
	*cert = signers && sk_X509_num(signers) == 1 ? sk_X509_value(signers, 0) : NULL;
	sk_X509_free(signers);
	if (!*cert)
		return "does not hold the certificate of who signed";
	if (EVP_PKEY_get_security_bits(X509_get0_pubkey(*cert)) < BITS_LEAST)
		return "is signed with a key that is too short";
	if (X509_cmp_time(X509_get0_notBefore(*cert), &at) >= 0 ||
	    X509_cmp_time(X509_get0_notAfter(*cert), &at) <= 0)
		return "is signed with a certificate that is not in its time";
	return NULL;
}

static bool name_signer(struct cms_file *f, X509 *cert)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	if (X509_digest(cert, EVP_sha256(), hash, &n) != 1 || n * 2 != CMS_FINGERPRINT)
		return false;
	for (unsigned int i = 0; i < n; i++)
		snprintf(f->signer + 2 * i, 3, "%02x", hash[i]);
	X509_NAME_oneline(X509_get_subject_name(cert), f->subject, sizeof f->subject);
	for (char *p = f->subject; *p; p++) {
		if (*p < 0x20 || *p > 0x7e) /* it goes to a terminal and into the journal */
			*p = '?';
	}
	return true;
}

static const char *verify_fault(void)
{
	return ERR_GET_REASON(ERR_peek_last_error()) == CMS_R_SIGNER_CERTIFICATE_NOT_FOUND
		   ? "does not hold the certificate of who signed"
		   : "was altered, or the signature is not its signer's";
}

/* The certificate is looked up by the caller: CMS_verify is to check the signature alone, over all that is
 * inside. */
static const char *verify(struct cms_file *f, struct view file, uint64_t now)
{
	BIO *in = BIO_new_mem_buf(file.p, (int)file.n);
	const char *fault;
	X509 *cert = NULL;

	f->inner = BIO_new(BIO_s_mem());
	f->signed_data = in && f->inner ? read_cms(in, is_pem(file)) : NULL;
	BIO_free(in);
	if (!f->signed_data)
		return "is no CMS file";
	if (OBJ_obj2nid(CMS_get0_type(f->signed_data)) != NID_pkcs7_signed)
		return "is not signed";
	if (CMS_is_detached(f->signed_data))
		return "does not hold what was signed";
	if (CMS_verify(f->signed_data, NULL, NULL, NULL, f->inner, CMS_BINARY | CMS_NO_SIGNER_CERT_VERIFY) !=
	    1)
		return verify_fault();
	fault = signer_fault(f->signed_data, now, &cert);
	if (!fault && !name_signer(f, cert))
		fault = "has a signer without a name";
	return fault;
}

struct cms_file *cms_verify(struct view file, uint64_t now, char why[256])
{
	struct cms_file *f = calloc(1, sizeof *f);
	const char *fault = !f ? "out of memory" : file.n > INT32_MAX ? "is too long" : verify(f, file, now);

	why[0] = 0;
	ERR_clear_error();
	if (!fault)
		return f;
	snprintf(why, 256, "%s", fault);
	cms_free(f);
	return NULL;
}

const char *cms_signer(const struct cms_file *f)
{
	return f->signer;
}

const char *cms_subject(const struct cms_file *f)
{
	return f->subject;
}

static enum err refuse(char why[256], const char *what, const char *text)
{
	snprintf(why, 256, "%.150s %.90s", what, text);
	return ERR_KEY;
}

static enum err load(const char *key, const char *certificate, EVP_PKEY **k, X509 **c, char why[256])
{
	int fd = -1;
	const char *fault = secret_file_open(key, &fd);
	BIO *in = fault ? NULL : BIO_new_fd(fd, BIO_CLOSE);

	if (fault)
		return refuse(why, key, fault);
	*k = in ? PEM_read_bio_PrivateKey(in, NULL, NULL, (void *)(uintptr_t) "") : NULL;
	BIO_free(in);
	if (!*k)
		return refuse(why, key, "is no private key in PEM, without a password");
	in = BIO_new_file(certificate, "r");
	*c = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
	BIO_free(in);
	if (!*c)
		return refuse(why, certificate, "is no certificate in PEM");
	return X509_check_private_key(*c, *k) == 1 ? ERR_OK
						   : refuse(why, key, "is not the key of the certificate");
}

static const char *decrypt(struct cms_file *f, EVP_PKEY *key, X509 *cert)
{
	const uint8_t *p = NULL;
	long n = BIO_get_mem_data(f->inner, &p);
	CMS_ContentInfo *inner = n > 0 ? read_cms(f->inner, is_pem((struct view){p, (size_t)n})) : NULL;
	const char *fault = NULL;
	int nid = inner ? OBJ_obj2nid(CMS_get0_type(inner)) : NID_undef;

	f->text = BIO_new(BIO_s_mem());
	if (nid != NID_pkcs7_enveloped && nid != NID_id_smime_ct_authEnvelopedData)
		fault = "is signed but not encrypted";
	else if (!f->text || CMS_decrypt(inner, key, cert, NULL, f->text, CMS_BINARY) != 1)
		fault = "is not encrypted for our certificate, or was damaged before it was signed";
	CMS_ContentInfo_free(inner);
	return fault;
}

enum err cms_open(struct cms_file *f, const char *key, const char *certificate, struct view *text,
		  char why[256])
{
	EVP_PKEY *k = NULL;
	X509 *c = NULL;
	enum err err = load(key, certificate, &k, &c, why);
	const char *fault = err ? NULL : decrypt(f, k, c);
	const uint8_t *p = NULL;

	EVP_PKEY_free(k);
	X509_free(c);
	ERR_clear_error();
	if (fault) {
		snprintf(why, 256, "%s", fault);
		err = ERR_KEY;
	}
	if (err)
		return err;
	text->n = (size_t)BIO_get_mem_data(f->text, &p);
	text->p = p;
	return ERR_OK;
}

void cms_free(struct cms_file *f)
{
	uint8_t *p = NULL;
	long n = f && f->text ? BIO_get_mem_data(f->text, &p) : 0;

	if (!f)
		return;
	if (n > 0 && p)
		secret_wipe(p, (size_t)n);
	BIO_free(f->text);
	BIO_free(f->inner);
	CMS_ContentInfo_free(f->signed_data);
	free(f);
}
