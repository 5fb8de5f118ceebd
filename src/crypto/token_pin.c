/* The PIN of a token, from a file that root alone can read. One that was refused is not tried again. */
#include "crypto/secret_file.h"
#include "crypto/token_in.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

/* A PIN has few digits: the hash is slow. It tells of a PIN that is wrong. */
#define OPS crypto_pwhash_OPSLIMIT_INTERACTIVE
#define MEM crypto_pwhash_MEMLIMIT_INTERACTIVE

static enum err refuse(char why[256], const char *path, const char *text)
{
	snprintf(why, 256, "PIN file %.120s: %.110s", path, text);
	return ERR_REFUSED;
}

static const char *read_line(int fd, struct token_pin *pin)
{
	ssize_t n = read(fd, pin->text, sizeof pin->text);

	if (n < 0)
		return "cannot be read";
	while (n > 0 && (pin->text[n - 1] == '\n' || pin->text[n - 1] == '\r'))
		n--;
	if (n == 0 || n > TOKEN_PIN_MAX || memchr(pin->text, '\n', (size_t)n))
		return "must hold the PIN and nothing else";
	pin->text[n] = 0;
	pin->n = (size_t)n;
	return NULL;
}

static bool was_refused(const char *refused, const struct token_pin *pin)
{
	char hash[crypto_pwhash_STRBYTES + 1] = {0};
	int fd = refused[0] ? open(refused, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
	ssize_t n = fd < 0 ? -1 : read(fd, hash, crypto_pwhash_STRBYTES);

	if (fd >= 0)
		close(fd);
	return n > 0 && sodium_init() >= 0 && crypto_pwhash_str_verify(hash, pin->text, pin->n) == 0;
}

enum err token_pin_load(const char *source, const char *refused, struct token_pin *pin, char why[256])
{
	const char *path = strncmp(source, "file:", 5) == 0 ? source + 5 : source, *fault;
	int fd;

	if (strncmp(path, "//", 2) == 0)
		path += 2; /* file:///etc/pin */
	fault = secret_file_open(path, &fd);
	if (!fault) {
		fault = read_line(fd, pin);
		close(fd);
	}
	if (fault)
		return refuse(why, path, fault);
	if (!was_refused(refused, pin))
		return ERR_OK;
	snprintf(
	    why, 256,
	    "PIN file %.70s: the token refused this PIN; it is not tried again. Put the right one there, "
	    "or remove %.70s",
	    path, refused);
	return ERR_REFUSED;
}

void token_pin_refused(const char *refused, const struct token_pin *pin)
{
	char hash[crypto_pwhash_STRBYTES];
	int fd;

	if (!refused[0] || sodium_init() < 0 || crypto_pwhash_str(hash, pin->text, pin->n, OPS, MEM) != 0)
		return;
	fd = open(refused, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	if (write(fd, hash, strlen(hash)) == (ssize_t)strlen(hash))
		(void)fsync(fd);
	close(fd);
}

void token_pin_taken(const char *refused)
{
	if (refused[0])
		unlink(refused);
}
