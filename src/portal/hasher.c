#include "portal/hasher.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define JOBS 32
#define MEM_BYTES ((size_t)19 << 20)
#define TURNS 2

struct job {
	uint64_t tag;
	char password[PASSWORD_MAX + 1], hash[HASH_ROOM];
	bool compare, fits;
};

struct hasher {
	struct secret32 pepper;
	pthread_t thread;
	bool started, stop;
	int fd;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job job[JOBS]; /* out..work done, work..in wait */
	uint32_t in, work, out;
};

struct hasher *hasher_new(const struct secret32 *pepper)
{
	struct hasher *h = secret_new(sizeof *h);

	if (!h || sodium_init() < 0)
		return NULL;
	h->pepper = *pepper;
	h->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->wake, NULL);
	return h;
}

/* What Argon2 is given: never the password itself. */
static void peppered(const struct hasher *h, const char *password, char to[2 * 32 + 1])
{
	uint8_t mac[32];
	crypto_auth_hmacsha256_state s;

	crypto_auth_hmacsha256_init(&s, h->pepper.b, sizeof h->pepper.b);
	crypto_auth_hmacsha256_update(&s, (const uint8_t *)password, strlen(password));
	crypto_auth_hmacsha256_final(&s, mac);
	sodium_bin2hex(to, 2 * 32 + 1, mac, sizeof mac);
	secret_wipe(mac, sizeof mac);
}

static void carry_out(const struct hasher *h, struct job *j)
{
	char text[2 * 32 + 1];

	peppered(h, j->password, text);
	if (j->compare && j->hash[0] == '$') {
		j->fits = crypto_pwhash_str_verify(j->hash, text, strlen(text)) == 0;
	} else {
		j->fits = !j->compare;
		if (crypto_pwhash_str_alg(j->hash, text, strlen(text), TURNS, MEM_BYTES,
					  crypto_pwhash_ALG_ARGON2ID13) != 0)
			j->fits = false;
	}
	secret_wipe(text, sizeof text);
	secret_wipe(j->password, sizeof j->password);
}

static void *work(void *ctx)
{
	struct hasher *h = ctx;
	const uint64_t one = 1;

	pthread_mutex_lock(&h->lock);
	while (!h->stop) {
		struct job *j = &h->job[h->work % JOBS];

		if (h->work == h->in) {
			pthread_cond_wait(&h->wake, &h->lock);
			continue;
		}
		pthread_mutex_unlock(&h->lock);
		carry_out(h, j); /* between work and in: nobody else touches it */
		pthread_mutex_lock(&h->lock);
		h->work++;
		if (write(h->fd, &one, sizeof one) != sizeof one)
			continue; /* it is readable already */
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

bool hasher_start(struct hasher *h)
{
	h->started = pthread_create(&h->thread, NULL, work, h) == 0;
	return h->started;
}

void hasher_free(struct hasher *h)
{
	if (!h)
		return;
	pthread_mutex_lock(&h->lock);
	h->stop = true;
	pthread_cond_signal(&h->wake);
	pthread_mutex_unlock(&h->lock);
	if (h->started)
		pthread_join(h->thread, NULL);
	if (h->fd >= 0)
		close(h->fd);
	secret_free(h);
}

int hasher_fd(const struct hasher *h)
{
	return h->fd;
}

bool hasher_ask(struct hasher *h, const char *password, const char *hash, uint64_t tag)
{
	struct job *j;
	bool room;

	pthread_mutex_lock(&h->lock);
	room = h->in - h->out < JOBS;
	if (room) {
		j = &h->job[h->in++ % JOBS];
		*j = (struct job){.tag = tag, .compare = hash != NULL};
		snprintf(j->password, sizeof j->password, "%s", password);
		snprintf(j->hash, sizeof j->hash, "%s", hash ? hash : "");
		pthread_cond_signal(&h->wake);
	}
	pthread_mutex_unlock(&h->lock);
	return room;
}

bool hasher_take(struct hasher *h, struct hasher_done *to)
{
	struct job *j;
	bool found;

	pthread_mutex_lock(&h->lock);
	found = h->out != h->work;
	if (found) {
		j = &h->job[h->out++ % JOBS];
		*to = (struct hasher_done){.tag = j->tag, .fits = j->fits};
		snprintf(to->text, sizeof to->text, "%s", j->compare ? "" : j->hash);
		secret_wipe(j, sizeof *j);
	}
	pthread_mutex_unlock(&h->lock);
	return found;
}
