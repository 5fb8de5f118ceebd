#include "base/err.h"

static const char *const texts[ERR_COUNT] = {
#define ERR(id, text) [ERR_##id] = (text),
#include "base/err.tab"
#undef ERR
};

const char *err_text(enum err e)
{
	return e < ERR_COUNT ? texts[e] : "unknown error";
}
