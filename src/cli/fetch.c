#include "cli/fetch.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX (4 * 1024 * 1024)

struct body {
	char *p;
	size_t n;
};

static size_t take(char *bytes, size_t size, size_t count, void *ctx)
{
	struct body *b = ctx;
	size_t n = size * count;
	char *p;

	if (n > BODY_MAX - b->n)
		return 0;
	p = realloc(b->p, b->n + n + 1);
	if (!p)
		return 0;
	memcpy(p + b->n, bytes, n);
	b->p = p;
	b->n += n;
	p[b->n] = 0;
	return n;
}

char *fetch(const char *address, const char *path, char why[256])
{
	struct body b = {NULL, 0};
	CURL *c = curl_easy_init();
	CURLcode code = CURLE_FAILED_INIT;
	char url[512];

	snprintf(url, sizeof url, "http://%.200s%.200s", address, path);
	if (c) {
		curl_easy_setopt(c, CURLOPT_URL, url);
		curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
		curl_easy_setopt(c, CURLOPT_WRITEDATA, &b);
		curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, 3000L);
		curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
		curl_easy_setopt(c, CURLOPT_PROXY, "");
		code = curl_easy_perform(c);
		curl_easy_cleanup(c);
	}
	if (code == CURLE_OK && b.p)
		return b.p;
	free(b.p);
	snprintf(why, 256, "%.200s: %s; is merlon running?", url, curl_easy_strerror(code));
	return NULL;
}
