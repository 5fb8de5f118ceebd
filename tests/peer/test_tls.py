"""Who a partner's node is, its certificate says: R-5.6.1.h. (freeDiameter over TLS: test_procedures.py.)"""
import os
import ssl

import pytest
from ask import air
from diameter import Client, poll
from fd import Authority
from merlon import realm


def dial(merlon, host, ca, cert=None, **limits):
    context = ssl.create_default_context(cafile=ca)
    context.check_hostname = False
    if cert:
        context.load_cert_chain(*cert)
    for name, value in limits.items():
        setattr(context, name, value)
    return Client(merlon.tls_port, host, realm("00101"), tls=context)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_node_with_its_certificate_is_served(merlon, authority, sim, version):
    host = f"tls-{version.name.lower().replace('_', '-')}.{realm('00101')}"
    n = dial(merlon, host, authority.ca, authority.issue(host), minimum_version=version, maximum_version=version)
    assert n.cea.result == 2001 and n.request("AIR", air(sim())).result == 2001
    n.close()


def test_a_certificate_that_names_another_host_is_not_enough(merlon, authority):
    """R-5.6.1.h"""
    host, mark = f"tls-liar.{realm('00101')}", merlon.mark()
    n = dial(merlon, host, authority.ca, authority.issue(f"mme.{realm('00102')}"))
    assert n.cea is not None and n.cea.result == 3010
    merlon.event(mark, event="edge.peer_refused", clause="R-5.6.1.h", origin_host=host)
    n.close()


@pytest.mark.parametrize("what", ["none", "of another CA"])
def test_without_a_certificate_of_our_cas_there_is_no_diameter(merlon, authority, work, what):
    """R-5.6.1.h: the handshake ends it, before a byte of Diameter is read."""
    host, cert = f"tls-nobody.{realm('00101')}", None
    if what != "none":
        where = os.path.join(work, "ca-other")
        os.makedirs(where)
        cert = Authority(where).issue(host)
    try:
        n = dial(merlon, host, authority.ca, cert)
    except (ssl.SSLError, OSError):
        return
    assert n.cea is None and n.closed.wait(5)


def test_a_network_that_must_use_tls_is_not_served_in_clear(merlon, authority):
    """R-5.6.1.h: clear_ok=no."""
    merlon.set("network", "00104", realm=realm("00104"), addresses="127.0.0.0/8", trust="trusted", clear_ok="no")

    def refused():
        n = Client(merlon.port, f"mme.{realm('00104')}", realm("00104"))
        n.close()
        return n.cea.result == 5017
    poll(refused, 5, "5017 in clear TCP")
