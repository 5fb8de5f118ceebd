#include "wire/ipa.h"

#include "wire/kind.h"

static size_t length(struct view in)
{
	struct rd r = {.left = in};

	return rd_be(&r, 2);
}

static bool known_stream(struct view in)
{
	return in.p[2] == IPA_CCM || in.p[2] == IPA_OSMO;
}

size_t ipa_frame(struct view in)
{
	size_t n;

	if (in.n < IPA_HEAD)
		return 0;
	n = length(in);
	return n == 0 || n > IPA_BODY_MAX || !known_stream(in) ? SIZE_MAX : IPA_HEAD + n;
}

bool ipa_oversize(struct view in)
{
	return in.n >= IPA_HEAD && known_stream(in) && length(in) > IPA_BODY_MAX;
}

enum err ipa_parse(struct view frame, struct ipa *to)
{
	size_t n = ipa_frame(frame);
	struct rd r = {.left = frame};

	if (n != frame.n || n < IPA_HEAD)
		return ERR_HEADER;
	rd_take(&r, 2);
	to->stream = (uint8_t)rd_be(&r, 1);
	to->kind = (uint8_t)rd_be(&r, 1);
	to->body = r.left;
	return r.err;
}

/* A value may end with the NUL of the text it was. */
static struct view text_of(struct view v)
{
	while (v.n > 0 && v.p[v.n - 1] == 0)
		v.n--;
	return v;
}

struct view ipa_name(struct view body)
{
	struct view name = {0}, value;
	struct rd r = {.left = body};

	while (r.left.n > 0 && !r.err) {
		size_t n = rd_be(&r, 2); /* tag and value */
		uint32_t tag = rd_be(&r, 1);

		value = text_of(rd_take(&r, r.err || n < 1 ? SIZE_MAX : n - 1));
		if (tag == IPA_TAG_SERIAL || (tag == IPA_TAG_UNIT_NAME && name.n == 0))
			name = value;
	}
	if (r.err || name.n > IPA_NAME_MAX || !kind_ok(IDENTITY, NULL, name))
		return (struct view){0};
	return name;
}

size_t ipa_begin(struct wr *w, enum ipa_stream stream, uint8_t kind)
{
	size_t start = w->n;

	wr_be(w, 0, 2);
	wr_be(w, stream, 1);
	wr_be(w, kind, 1);
	return start;
}

void ipa_end(struct wr *w, size_t start)
{
	size_t n = w->n - start - IPA_HEAD;

	if (!w->err && n > IPA_BODY_MAX)
		w->err = ERR_FULL;
	wr_at(w, start, n, 2);
}

void ipa_put_id_get(struct wr *w)
{
	size_t start = ipa_begin(w, IPA_CCM, IPA_ID_GET);

	wr_be(w, 1, 1);
	wr_be(w, IPA_TAG_UNIT_NAME, 1);
	wr_be(w, 1, 1);
	wr_be(w, IPA_TAG_SERIAL, 1);
	ipa_end(w, start);
}
