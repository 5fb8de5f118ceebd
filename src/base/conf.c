#include "base/conf.h"

#include "base/bcd.h"

#include <stdlib.h>
#include <yaml.h>

struct load {
	const struct conf_row *rows;
	size_t row_n;
	const char *file;
	yaml_document_t *doc;
	uint8_t *out;
	char *why;
};

static enum err fail(const struct load *l, size_t line, const char *key, const char *what,
		     const char *detail)
{
	if (line > 0)
		snprintf(l->why, 256, "%s:%zu: %s %s%s", l->file, line, key, what, detail);
	else
		snprintf(l->why, 256, "%s: %s %s%s", l->file, key, what, detail);
	for (char *c = l->why; *c; c++) { /* one line, whatever a key was made of */
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
	return ERR_CONFIG;
}

static enum err set_number(const struct load *l, const struct conf_row *r, const char *text,
			   size_t line)
{
	char *end, range[64];
	unsigned long x = strtoul(text, &end, 10);

	snprintf(range, sizeof range, "%u to %u%s%s", r->min, r->max, r->unit[0] ? " " : "",
		 r->unit);
	if (text[0] < '0' || text[0] > '9' || *end || x < r->min || x > r->max)
		return fail(l, line, r->key, "must be a number from ", range);
	*(uint32_t *)(void *)(l->out + r->offset) = (uint32_t)x;
	return ERR_OK;
}

static enum err set_choice(const struct load *l, const struct conf_row *r, const char *text,
			   size_t line)
{
	const char *at = r->choices;
	size_t n = strlen(text);

	for (uint32_t i = 0; *at; i++) {
		size_t len = strcspn(at, "|");

		if (len == n && memcmp(at, text, n) == 0) {
			*(uint32_t *)(void *)(l->out + r->offset) = i;
			return ERR_OK;
		}
		at += len + (at[len] == '|');
	}
	return fail(l, line, r->key, "must be one of ", r->choices);
}

static enum err set_bool(const struct load *l, const struct conf_row *r, const char *text,
			 size_t line)
{
	bool yes = strcmp(text, "true") == 0 || strcmp(text, "yes") == 0;

	if (!yes && strcmp(text, "false") != 0 && strcmp(text, "no") != 0)
		return fail(l, line, r->key, "must be true or false", "");
	*(bool *)(l->out + r->offset) = yes;
	return ERR_OK;
}

static enum err set_digits(const struct load *l, const struct conf_row *r, const char *text,
			   size_t line)
{
	uint64_t id = bcd_of(view_of(text));
	char range[64];

	snprintf(range, sizeof range, "%u to %u digits", r->min, r->max);
	if (bcd_n(id) < r->min || bcd_n(id) > r->max)
		return fail(l, line, r->key, "must be ", range);
	*(uint64_t *)(void *)(l->out + r->offset) = id;
	return ERR_OK;
}

static enum err set_text(const struct load *l, const char *key, char *to, const char *text,
			 size_t line)
{
	if (!view_text(view_of(text), to, CONF_TEXT_MAX))
		return fail(l, line, key, "is longer than 255 characters", "");
	return ERR_OK;
}

static enum err add_item(const struct load *l, const struct conf_row *r, const char *text,
			 size_t line)
{
	struct conf_list *list = (struct conf_list *)(void *)(l->out + r->offset);

	if (list->n == CONF_LIST_MAX)
		return fail(l, line, r->key, "has more than 8 items", "");
	return set_text(l, r->key, list->text[list->n++], text, line);
}

static enum err set_scalar(const struct load *l, const struct conf_row *r, const char *text,
			   size_t line)
{
	switch (r->kind) {
	case CONF_TEXT:
		return set_text(l, r->key, (char *)l->out + r->offset, text, line);
	case CONF_NUMBER:
		return set_number(l, r, text, line);
	case CONF_BOOL:
		return set_bool(l, r, text, line);
	case CONF_CHOICE:
		return set_choice(l, r, text, line);
	case CONF_DIGITS:
		return set_digits(l, r, text, line);
	case CONF_LIST:
		return add_item(l, r, text, line);
	}
	return ERR_CONFIG;
}

static enum err set_preset(const struct load *l, const struct conf_row *r)
{
	char item[CONF_TEXT_MAX];
	const char *at = r->preset;
	enum err err = ERR_OK;

	if (r->kind != CONF_LIST)
		return r->preset[0] || r->kind == CONF_TEXT ? set_scalar(l, r, r->preset, 0)
							    : ERR_OK;
	while (*at && !err) {
		size_t len = strcspn(at, ",");

		if (!view_text((struct view){(const uint8_t *)at, len}, item, sizeof item))
			return ERR_CONFIG;
		err = add_item(l, r, item, 0);
		at += len + (at[len] == ',');
		at += strspn(at, " ");
	}
	return err;
}

static const struct conf_row *find_row(const struct load *l, const char *key)
{
	for (size_t i = 0; i < l->row_n; i++) {
		if (strcmp(l->rows[i].key, key) == 0)
			return &l->rows[i];
	}
	return NULL;
}

static bool is_room(const struct load *l, const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < l->row_n; i++) {
		if (strncmp(l->rows[i].key, key, n) == 0 && l->rows[i].key[n] == '.')
			return true;
	}
	return false;
}

static enum err set_node(const struct load *l, const struct conf_row *r, const yaml_node_t *v)
{
	size_t line = v->start_mark.line + 1;
	enum err err = ERR_OK;

	if (r->kind != CONF_LIST) {
		if (v->type != YAML_SCALAR_NODE)
			return fail(l, line, r->key, "must be a single value", "");
		return set_scalar(l, r, (const char *)v->data.scalar.value, line);
	}
	if (v->type != YAML_SEQUENCE_NODE)
		return fail(l, line, r->key, "must be a list: [a, b]", "");
	((struct conf_list *)(void *)(l->out + r->offset))->n = 0;
	for (yaml_node_item_t *i = v->data.sequence.items.start;
	     i < v->data.sequence.items.top && !err; i++) {
		const yaml_node_t *item = yaml_document_get_node(l->doc, *i);

		line = item->start_mark.line + 1;
		err = item->type == YAML_SCALAR_NODE
			  ? add_item(l, r, (const char *)item->data.scalar.value, line)
			  : fail(l, line, r->key, "must be a list of plain values", "");
	}
	return err;
}

/* One level of the mapping; `prefix` is "" or "edge". Two levels are all there are. */
static enum err walk(const struct load *l, const yaml_node_t *map, const char *prefix)
{
	enum err err = ERR_OK;

	for (yaml_node_pair_t *p = map->data.mapping.pairs.start;
	     p < map->data.mapping.pairs.top && !err; p++) {
		const yaml_node_t *k = yaml_document_get_node(l->doc, p->key);
		const yaml_node_t *v = yaml_document_get_node(l->doc, p->value);
		size_t line = k->start_mark.line + 1;
		const struct conf_row *r;
		char key[128];

		if (k->type != YAML_SCALAR_NODE)
			return fail(l, line, "a key", "must be a plain word", "");
		snprintf(key, sizeof key, "%s%s%.60s", prefix, prefix[0] ? "." : "",
			 (const char *)k->data.scalar.value);
		r = find_row(l, key);
		if (r)
			err = set_node(l, r, v);
		else if (v->type == YAML_MAPPING_NODE && is_room(l, key))
			err = walk(l, v, key);
		else
			err = fail(l, line, key, "is not a key of this configuration", "");
	}
	return err;
}

static enum err load_document(const struct load *l)
{
	const yaml_node_t *root = yaml_document_get_root_node(l->doc);

	if (!root)
		return ERR_OK; /* an empty file: all defaults */
	if (root->type != YAML_MAPPING_NODE)
		return fail(l, root->start_mark.line + 1, "the file", "must hold keys and values",
			    "");
	return walk(l, root, "");
}

enum err conf_load(const struct conf_row *rows, size_t n, struct view yaml, const char *file,
		   void *out, char why[256])
{
	yaml_document_t doc;
	struct load l = {rows, n, file, &doc, out, why};
	yaml_parser_t parser;
	enum err err = ERR_OK;

	for (size_t i = 0; i < n && !err; i++)
		err = set_preset(&l, &rows[i]);
	if (err || !yaml_parser_initialize(&parser))
		return ERR_CONFIG;
	yaml_parser_set_input_string(&parser, yaml.p, yaml.n);
	if (!yaml_parser_load(&parser, &doc)) {
		err = fail(&l, parser.problem_mark.line + 1,
			   "not YAML:", parser.problem ? parser.problem : "unreadable", "");
	} else {
		err = load_document(&l);
		yaml_document_delete(&doc);
	}
	yaml_parser_delete(&parser);
	return err;
}

static size_t size_of(const struct conf_row *r)
{
	switch (r->kind) {
	case CONF_TEXT:
		return CONF_TEXT_MAX;
	case CONF_BOOL:
		return sizeof(bool);
	case CONF_LIST:
		return sizeof(struct conf_list);
	case CONF_DIGITS:
		return sizeof(uint64_t);
	case CONF_NUMBER:
	case CONF_CHOICE:
		break;
	}
	return sizeof(uint32_t);
}

const char *conf_needs_restart(const struct conf_row *rows, size_t n, const void *a, const void *b)
{
	for (const struct conf_row *r = rows; r < rows + n; r++) {
		if (!r->reload && memcmp((const uint8_t *)a + r->offset,
					 (const uint8_t *)b + r->offset, size_of(r)) != 0)
			return r->key;
	}
	return NULL;
}

void conf_take(const struct conf_row *rows, size_t n, void *to, const void *from)
{
	for (const struct conf_row *r = rows; r < rows + n; r++) {
		if (r->reload)
			memcpy((uint8_t *)to + r->offset, (const uint8_t *)from + r->offset,
			       size_of(r));
	}
}

void conf_sample(const struct conf_row *rows, size_t n, FILE *to)
{
	const char *room = "";

	for (const struct conf_row *r = rows; r < rows + n; r++) {
		const char *dot = strchr(r->key, '.');
		size_t len = dot ? (size_t)(dot - r->key) : 0;

		if (dot && (strlen(room) < len || strncmp(room, r->key, len + 1) != 0)) {
			fprintf(to, "\n%.*s:\n", (int)len, r->key);
			room = r->key;
		}
		fprintf(to, "%s# %s%s%s%s%s%s\n", dot ? "  " : "", r->help, r->unit[0] ? " [" : "",
			r->unit, r->unit[0] ? "]" : "", r->choices[0] ? ": " : "", r->choices);
		fprintf(to, r->kind == CONF_LIST ? "%s# %s: [%s]\n" : "%s# %s: %s\n",
			dot ? "  " : "", dot ? dot + 1 : r->key, r->preset);
	}
}
