#include "edge/admit.h"

#define SUCCESS 2001
#define UNKNOWN_PEER 3010
#define NO_COMMON_SECURITY 5017

static bool address_listed(const struct network_row *n, struct view address)
{
	for (size_t i = 0; i < sizeof n->address / sizeof *n->address; i++) {
		if (n->address[i][0] && address_within(address, view_of(n->address[i])))
			return true;
	}
	return false;
}

/* A certificate speaks for a host if it names it, or a domain that the network's record trusts. */
static bool cert_speaks_for(const struct network_row *n, const struct dia_link *link,
			    struct view host)
{
	for (size_t i = 0; i < link->cert_name_n; i++) {
		struct view name = link->cert_names[i];

		if (view_eq_case(name, host))
			return true;
		if (n->cert_name[0] && view_under(name, view_of(n->cert_name)))
			return true;
	}
	return false;
}

static struct dia_admit refuse(uint32_t result, const char *text, const char **why)
{
	*why = text;
	return (struct dia_admit){.result = result};
}

static bool own_address(const struct edge_conf *conf, struct view address)
{
	for (size_t i = 0; i < conf->own_n; i++) {
		if (address_within(address, conf->own[i]))
			return true;
	}
	return false;
}

static struct dia_admit admit_partner(bool clear, const struct network_row *n,
				      const struct dia_link *link, struct view host,
				      const char **why)
{
	if (link->secure) {
		if (!cert_speaks_for(n, link, host))
			return refuse(UNKNOWN_PEER, "its certificate does not name the Origin-Host",
				      why);
	} else {
		if (!clear || !n->clear_ok)
			return refuse(NO_COMMON_SECURITY, "this network must use TLS", why);
		if (!address_listed(n, link->address))
			return refuse(UNKNOWN_PEER, "its address is not one of the network's", why);
	}
	return (struct dia_admit){SUCCESS, DIA_PARTNER, n->plmn};
}

struct dia_admit admit_peer(const struct edge_conf *conf, bool clear, const struct book *book,
			    const struct dia_link *link, const struct msg *ce, const char **why)
{
	struct view host = tab_get(ce, AVP_ORIGIN_HOST), realm = tab_get(ce, AVP_ORIGIN_REALM);
	const struct network_row *n;

	if (link->outbound) /* we dialled it: our home */
		return (struct dia_admit){SUCCESS, DIA_HOME, 0};
	if (!view_under(host, realm))
		return refuse(UNKNOWN_PEER, "its Origin-Host is not under its Origin-Realm", why);
	if (view_eq_case(realm, conf->realm)) {
		if (!own_address(conf, link->address))
			return refuse(UNKNOWN_PEER, "it claims our realm from outside", why);
		return (struct dia_admit){SUCCESS, DIA_OWN, 0};
	}
	n = book->network_of_realm(book->ctx, realm);
	if (!n || n->trust == TRUST_OWN)
		return refuse(UNKNOWN_PEER, "its realm has no network record", why);
	return admit_partner(clear, n, link, host, why);
}
