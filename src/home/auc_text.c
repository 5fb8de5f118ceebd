#include "home/auc_text.h"

static const struct {
	struct view ask, answer;
} words[] = {
    [AUC_SIM] = {VIEW_INIT("SIM-REQ-AUTH"), VIEW_INIT("SIM-RESP-AUTH")},
    [AUC_AKA] = {VIEW_INIT("AKA-REQ-AUTH"), VIEW_INIT("AKA-RESP-AUTH")},
    [AUC_AUTS] = {VIEW_INIT("AKA-AUTS"), VIEW_INIT("")},
};
#define WORD_N (sizeof words / sizeof *words)

/* The next word, of characters that show; one space between two. */
static struct view take_word(struct view *left)
{
	struct view word = {left->p, 0};

	while (word.n < left->n && left->p[word.n] > ' ' && left->p[word.n] < 0x7f)
		word.n++;
	*left = (struct view){left->p + word.n, left->n - word.n};
	if (left->n > 1 && left->p[0] == ' ')
		*left = (struct view){left->p + 1, left->n - 1};
	return word;
}

static int nibble(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_hex(struct view *left, uint8_t *to, size_t n)
{
	struct view word = take_word(left);

	if (word.n != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int high = nibble(word.p[2 * i]), low = nibble(word.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		to[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool take_count(struct view *left, uint32_t *n) /* 1..5 */
{
	struct view word = take_word(left);

	*n = word.n == 1 ? (uint32_t)(word.p[0] - '0') : 0;
	return *n >= 1 && *n <= 5;
}

/* What follows the identity. */
static bool take_rest(struct view *left, struct auc_request *q)
{
	switch (q->kind) {
	case AUC_SIM:
		return take_count(left, &q->n);
	case AUC_AUTS:
		return take_hex(left, q->resync + 16, 14) && take_hex(left, q->resync, 16);
	case AUC_AKA:
		break;
	}
	return true;
}

enum err auc_parse(struct view line, struct auc_request *q)
{
	struct view left = line, word;
	size_t kind = 0;

	memset(q, 0, sizeof *q);
	if (line.n > AUC_LINE_MAX)
		return ERR_VALUE;
	word = take_word(&left);
	while (kind < WORD_N && !view_eq(word, words[kind].ask))
		kind++;
	if (kind == WORD_N)
		return ERR_VALUE;
	q->kind = (enum auc_kind)kind;
	q->who = take_word(&left);
	if (q->who.n < 1 || q->who.n > AUC_WHO_MAX || !take_rest(&left, q) || left.n > 0)
		return ERR_VALUE;
	if (q->who.n >= 6 && q->who.n <= 15)
		q->imsi = bcd_of(q->who);
	return ERR_OK;
}

static void put_hex(struct wr *w, const uint8_t *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		uint8_t pair[2] = {(uint8_t)digits[p[i] >> 4], (uint8_t)digits[p[i] & 15]};

		wr_view(w, (struct view){pair, sizeof pair});
	}
}

#define PUT(w, separator, array)                                                                   \
	do {                                                                                       \
		wr_view((w), VIEW(separator));                                                     \
		put_hex((w), (array), sizeof(array));                                              \
	} while (0)

static void put_triplet(struct wr *w, const struct aka_vector *v)
{
	uint8_t sres[4], kc[8];

	aka_geran(v, sres, kc);
	PUT(w, " ", kc);
	PUT(w, ":", sres);
	PUT(w, ":", v->rand);
	secret_wipe(kc, sizeof kc);
	secret_wipe(sres, sizeof sres);
}

static void put_quintuplet(struct wr *w, const struct aka_vector *v)
{
	PUT(w, " ", v->rand);
	PUT(w, " ", v->autn);
	PUT(w, " ", v->ik.b);
	PUT(w, " ", v->ck.b);
	wr_view(w, VIEW(" "));
	put_hex(w, v->xres, v->xres_n);
}

void auc_put(struct wr *w, const struct auc_request *q, const struct auth_result *r)
{
	bool good = r->result == RESULT_OK && r->utran_n > 0 && r->gsm == (q->kind == AUC_SIM);

	wr_view(w, words[q->kind].answer);
	wr_view(w, VIEW(" "));
	wr_view(w, q->who);
	if (!good) {
		wr_view(w, VIEW(" FAILURE"));
		return;
	}
	for (uint32_t i = 0; i < r->utran_n; i++)
		(r->gsm ? put_triplet : put_quintuplet)(w, &r->utran[i]);
}
