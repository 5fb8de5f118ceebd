/* Transports that this build has not: asked for, they are refused with a clear line. */
#include "loop/inside.h"

static enum err none(struct conn *c)
{
	c->why = "transport not in this build";
	return ERR_IO;
}

bool sctp_kernel_has(void)
{
	return false;
}

enum err sctp_kernel_listen(struct loop *l, const struct endpoint *e, const struct listener *like,
			    char why[256])
{
	(void)l;
	(void)like;
	return loop_why(why, e, "SCTP is not in this build", 0);
}

enum err sctp_kernel_dial(struct conn *c, const struct endpoint *e)
{
	(void)e;
	return none(c);
}

enum err sctp_usr_listen(struct loop *l, const struct endpoint *e, const struct listener *like,
			 char why[256])
{
	return sctp_kernel_listen(l, e, like, why);
}

enum err sctp_usr_dial(struct conn *c, const struct endpoint *e)
{
	return sctp_kernel_dial(c, e);
}

void sctp_usr_unlisten(struct listener *s)
{
	(void)s;
}

void sctp_usr_free(struct loop *l)
{
	(void)l;
}
