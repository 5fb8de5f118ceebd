/* Base64 (RFC 4648 4) and its form for URLs and names (5). Pure. */
#pragma once
#include "base/bytes.h"

/* With padding. */
void base64_put(struct wr *w, struct view v);
/* For URLs, without padding (RFC 7515 2). */
void base64url_put(struct wr *w, struct view v);
/* Either alphabet by `url`; padding may be left out, and else must fit. ERR_VALUE: no such text, or bits
 * set that no octet has (one text for one value). ERR_FULL. Appends to `w`. */
enum err MUST_USE base64_get(struct view text, bool url, struct wr *w);
