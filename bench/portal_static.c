/* The bare HTTP library with one answer of the size that the API gives: what the portal is measured against.
 *   portal_static PORT CHAIN KEY FILE-OF-THE-ANSWER */
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char answer[1 << 16];
static size_t answer_n;

static enum MHD_Result reply(void *ctx, struct MHD_Connection *c, const char *url, const char *method,
			     const char *version, const char *upload, size_t *upload_n, void **seen)
{
	static int once;
	struct MHD_Response *r;
	enum MHD_Result done;

	(void)ctx;
	(void)url;
	(void)method;
	(void)version;
	(void)upload;
	(void)upload_n;
	if (!*seen) {
		*seen = &once;
		return MHD_YES;
	}
	r = MHD_create_response_from_buffer(answer_n, answer, MHD_RESPMEM_PERSISTENT);
	MHD_add_response_header(r, "Content-Type", "application/json");
	done = MHD_queue_response(c, 200, r);
	MHD_destroy_response(r);
	return done;
}

static char *text_of(const char *path)
{
	char *t = calloc(1, 1 << 16);
	FILE *f = fopen(path, "re");

	if (f && t && fread(t, 1, (1 << 16) - 1, f) > 0) {
		fclose(f);
		return t;
	}
	fprintf(stderr, "%s: cannot be read\n", path);
	exit(2);
}

int main(int argc, char **argv)
{
	struct MHD_Daemon *d;
	char *text;

	if (argc != 5)
		return 2;
	text = text_of(argv[4]);
	answer_n = strlen(text);
	memcpy(answer, text, answer_n);
	d = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TLS, (uint16_t)atoi(argv[1]), NULL, NULL, reply,
			     NULL, MHD_OPTION_HTTPS_MEM_CERT, text_of(argv[2]), MHD_OPTION_HTTPS_MEM_KEY,
			     text_of(argv[3]), MHD_OPTION_HTTPS_PRIORITIES, "NORMAL:-VERS-ALL:+VERS-TLS1.3",
			     MHD_OPTION_END);
	if (!d)
		return 1;
	while (getppid() != 1)
		sleep(1);
	return 0;
}
