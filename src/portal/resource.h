/* Records over the API, whatever they are: what there is to know about an object is in
 * records/model.tab. */
#pragma once
#include "portal/api.h"

void resource_list(struct visit *v);
void resource_make(struct visit *v);
/* The same, with something else to follow. */
void resource_make_then(struct visit *v, void (*then)(struct visit *v, const struct keep *rep));
void resource_show(struct visit *v);
void resource_change(struct visit *v);
void resource_delete(struct visit *v);
void resource_history(struct visit *v);
/* If-Match into the request. False: the visit was answered. */
bool resource_condition(struct visit *v, struct keep *req);
