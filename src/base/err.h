/* What can go wrong. Zero is success; the rest are rows of err.tab. */
#pragma once
#include <stdint.h>

#define MUST_USE __attribute__((warn_unused_result))

enum err {
#define ERR(id, text) ERR_##id,
#include "base/err.tab"
#undef ERR
	ERR_COUNT
};

/* The text of an error, for the log. Never NULL. */
const char *err_text(enum err e);
