/* Telling systemd how a service fares: the datagrams of sd_notify(3). */
#pragma once

/* "READY=1", "STOPPING=1". Nothing happens where nobody asked for it (NOTIFY_SOCKET). */
void notify_systemd(const char *state);
