/* Once in a tick of the loop: streams of events whose time has come, or for which something has. */
#pragma once

struct api;

void watching_tick(struct api *a);
