/* Everybody else, by the ways edge has to them, and what all share: memory, threads, sockets. */
#include "compromise/compromise.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define FD_MAX 4096

static char gained[128];

/* --- sockets -------------------------------------------------------------------------------------- */

static const char *new_socket(int family, int type, int protocol)
{
	return TRY(SYS_socket, family, type, protocol) < 0 ? NULL : "has the socket";
}

static const char *to_keeper(void)
{
	return new_socket(AF_UNIX, SOCK_STREAM, 0);
}

static const char *unix_datagrams(void)
{
	return new_socket(AF_UNIX, SOCK_DGRAM, 0);
}

static const char *netlink(void)
{
	return new_socket(AF_NETLINK, SOCK_RAW, 0);
}

static const char *packets(void)
{
	return new_socket(AF_PACKET, SOCK_RAW, 0x300);
}

static const char *raw_ip(void)
{
	return new_socket(AF_INET, SOCK_RAW, 255);
}

static const char *udp(void)
{
	return new_socket(AF_INET, SOCK_DGRAM, 0);
}

static const char *vsock(void)
{
	return new_socket(40, SOCK_STREAM, 0);
}

static const char *kernel_crypto(void)
{
	return new_socket(38, SOCK_SEQPACKET, 0);
}

static const char *multipath(void)
{
	return new_socket(AF_INET, SOCK_STREAM, 262);
}

static const char *pair(void)
{
	int two[2];

	return TRY(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, two) < 0 ? NULL : "has a pair of sockets";
}

static long dial(uint32_t address, uint16_t port, int *fd)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };

	to.sin_addr.s_addr = htonl(address);
	*fd = (int)TRY(SYS_socket, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	return TRY(SYS_connect, *fd, &to, sizeof to);
}

/* What landlock forbids is EACCES; anything else got as far as the network. */
static const char *no_way(uint32_t address, uint16_t port)
{
	int fd;
	long r = dial(address, port, &fd);
	int error = errno;

	close(fd);
	errno = error;
	return r < 0 && error == EACCES ? NULL : "could connect";
}

static const char *to_watch(void)
{
	return no_way(INADDR_LOOPBACK, target.http_port);
}

static const char *to_the_world(void)
{
	return no_way(0xc0000201, 443);
}

static const char *to_a_shell(void)
{
	return no_way(INADDR_LOOPBACK, 22);
}

static const char *serve_itself(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(4444) };
	int fd = (int)TRY(SYS_socket, AF_INET, SOCK_STREAM, 0);
	long bound = TRY(SYS_bind, fd, &at, sizeof at), listening = TRY(SYS_listen, fd, 1);
	int error = errno;

	close(fd);
	errno = error;
	return bound < 0 && listening < 0 ? NULL : "could listen";
}

/* --- the signer ------------------------------------------------------------------------------------ */

static uint8_t signature[SIGN_SIGNATURE_MAX];

static enum err sign(const void *p, size_t n, uint16_t scheme)
{
	struct sign_request r = { .key = { target.key_id, SIGN_KEY_ID }, .scheme = scheme,
				  .content = { p, n } };

	return sign_ask(target.line, &r, signature, &n);
}

static const char *refused(enum err err)
{
	errno = EPERM;
	return err == ERR_REFUSED ? NULL : err == ERR_OK ? "was signed" : "the signer does not answer";
}

static const char *sign_text(void)
{
	return refused(sign("pay the bearer", 14, 0x0403));
}

static const char *sign_hash(void)
{
	return refused(sign(gained, 32, 0x0403));
}

static const char *sign_certificate(void)
{
	static const uint8_t tbs[300] = { 0x30, 0x82, 0x01, 0x28, 0xa0, 0x03, 0x02, 0x01, 0x02 };

	return refused(sign(tbs, sizeof tbs, 0x0403));
}

static const char *sign_too_many(void)
{
	uint8_t content[130];
	int n = 0;

	memset(content, ' ', 64);
	memcpy(content + 64, "TLS 1.3, server CertificateVerify", 34);
	memset(content + 98, 1, 32);
	for (int i = 0; i < 5000; i++)
		n += sign(content, sizeof content, 0x0403) == ERR_OK;
	snprintf(gained, sizeof gained, "%d of 5000 at once were signed", n);
	fprintf(stderr, "attack: %s\n", gained);
	errno = EPERM;
	return n > 3000 ? gained : NULL;
}

/* --- junk by the lines that are there ---------------------------------------------------------------- */

static int kind_of(int fd, int what)
{
	int value = -1;
	socklen_t n = sizeof value;

	return getsockopt(fd, SOL_SOCKET, what, &value, &n) == 0 ? value : -1;
}

static void send_with_fd(int fd, const void *p, size_t n)
{
	_Alignas(struct cmsghdr) char rights[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)p, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = rights,
			    .msg_controllen = sizeof rights };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof fd);
	(void)!sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int junk(int type, int rounds)
{
	static uint8_t noise[60000];
	static const size_t sizes[] = { 0, 1, 4, 13, 14, 15, 130, 4096, 60000 };
	int n = 0;

	for (size_t i = 0; i < sizeof noise; i++)
		noise[i] = (uint8_t)(rand_r(&(unsigned int){ (unsigned int)i }) >> 4);
	for (int fd = 3; fd < FD_MAX; fd++) {
		if (kind_of(fd, SO_DOMAIN) != AF_UNIX || kind_of(fd, SO_TYPE) != type)
			continue;
		n++;
		for (int i = 0; i < rounds; i++) {
			size_t size = sizes[(size_t)i % (sizeof sizes / sizeof *sizes)];

			noise[0] = (uint8_t)i;
			(void)!send(fd, noise, size, MSG_DONTWAIT | MSG_NOSIGNAL);
			if (i % 16 == 0)
				send_with_fd(fd, noise, size ? size : 1);
		}
	}
	return n;
}

/* Whether it did harm, the test sees from outside. */
static const char *junk_to_signer_and_supervisor(void)
{
	errno = EPROTO;
	return junk(SOCK_SEQPACKET, 2000) >= 2 ? NULL : "found no lines";
}

static const char *junk_to_watch(void)
{
	errno = EPROTO;
	return junk(SOCK_DGRAM, 5000) >= 1 ? NULL : "found no line";
}

static const char *speak_as_home(void)
{
	static const char *const lines[] = {
		"{\"time\":1.5,\"seq\":1,\"role\":\"home\",\"level\":\"error\","
		"\"event\":\"attack.forged\"}\n",
		"{\"time\":1.5,\"seq\":1,\"role\":\"edge\",\"level\":\"error\",\"event\":\"attack.forged\","
		"\"role\":\"home\"}\n",
	};

	for (int fd = 3; fd < FD_MAX; fd++) {
		for (size_t i = 0; i < 2 && kind_of(fd, SO_TYPE) == SOCK_DGRAM; i++)
			(void)!send(fd, lines[i], strlen(lines[i]), MSG_NOSIGNAL);
	}
	errno = EPROTO;
	return NULL;
}

static const char *junk_to_home(void)
{
	static uint8_t noise[65536];
	int fd[100], n = 0;

	for (size_t i = 0; i < 100; i++)
		n += dial(INADDR_LOOPBACK, target.home_port, &fd[i]) == 0 || errno == EINPROGRESS;
	usleep(100000);
	for (size_t i = 0; i < 100; i++) {
		memset(noise, (int)i, sizeof noise);
		if (i % 2) /* a header of Diameter that promises 16 MiB */
			memcpy(noise, (uint8_t[]){ 1, 0xff, 0xff, 0xfc, 0xc0, 0, 1, 1 }, 8);
		(void)!send(fd[i], noise, i % 3 ? sizeof noise : 3, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	usleep(500000);
	for (size_t i = 0; i < 100; i++)
		close(fd[i]);
	errno = EPROTO;
	return n > 90 ? NULL : "did not reach home";
}

/* --- what all share ------------------------------------------------------------------------------------ */

static pthread_mutex_t hold = PTHREAD_MUTEX_INITIALIZER;

static void *wait_there(void *arg)
{
	pthread_mutex_lock(&hold);
	pthread_mutex_unlock(&hold);
	return arg;
}

static const char *many_threads(void)
{
	static pthread_t t[5000];
	pthread_attr_t small;
	int n = 0, error = 0;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 1 << 20);
	pthread_mutex_lock(&hold);
	while (n < 5000 && !(error = pthread_create(&t[n], &small, wait_there, NULL)))
		n++;
	pthread_mutex_unlock(&hold);
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	errno = error;
	return n < 5000 ? NULL : "5000 threads";
}

static const char *much_memory(void)
{
	const size_t chunk = 1u << 30;
	size_t physical = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE), n = 0;
	void *at[256];
	int error;

	while (n < 256 && n * chunk < physical &&
	       (at[n] = mmap(NULL, chunk, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			     0)) != MAP_FAILED)
		n++;
	error = errno;
	for (size_t i = 0; i < n; i++)
		munmap(at[i], chunk);
	errno = error;
	return n * chunk < physical * 6 / 10 ? NULL : "could have more than half of the machine's memory";
}

const struct attack attacks_on_others[] = {
	{ "a Unix socket, to keeper", to_keeper },
	{ "Unix datagrams", unix_datagrams },
	{ "netlink", netlink },
	{ "packets", packets },
	{ "raw IP", raw_ip },
	{ "UDP", udp },
	{ "vsock", vsock },
	{ "kernel crypto", kernel_crypto },
	{ "multipath TCP", multipath },
	{ "a socket pair", pair },
	{ "connect to watch", to_watch },
	{ "connect out", to_the_world },
	{ "connect to another service of the machine", to_a_shell },
	{ "listen", serve_itself },
	{ "have a text signed", sign_text },
	{ "have a hash signed", sign_hash },
	{ "have a certificate signed", sign_certificate },
	{ "have too many handshakes signed", sign_too_many },
	{ "junk to signer and supervisor", junk_to_signer_and_supervisor },
	{ "junk to watch", junk_to_watch },
	{ "speak as home", speak_as_home },
	{ "junk to home", junk_to_home },
	{ "thousands of threads", many_threads },
	{ "all memory", much_memory },
	{ "find a secret in its memory", scan_own_memory },
	{ NULL, NULL },
};
