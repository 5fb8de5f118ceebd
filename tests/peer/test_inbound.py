"""The other direction: our own MME serves a partner's subscribers, and only their home may speak of them."""
import pytest
from ask import air, pur, ulr
from diameter import S6A, Client, vsai
from merlon import HOME, OWN_MME, realm

ROAMER = iter(f"00101900000{i:04d}" for i in range(1000))


@pytest.fixture(scope="module")
def mme(merlon):
    n = Client(merlon.port, f"mme-in.{HOME}", HOME, address=OWN_MME)
    yield n
    n.close()


@pytest.fixture(scope="module")
def other_mme(merlon):
    n = Client(merlon.port, f"mme-other.{HOME}", HOME, address=OWN_MME)
    yield n
    n.close()


@pytest.fixture(scope="module")
def hss(merlon):
    n = Client(merlon.port, f"hss-in.{realm('00101')}", realm("00101"))
    n.replies["ULR"] = [("Result-Code", 2001), ("ULA-Flags", 1)]
    yield n
    n.close()


@pytest.fixture
def roamer(mme, hss):
    """A subscriber of 001-01 that our MME has registered at home."""
    imsi = next(ROAMER)
    to = dict(Destination_Realm=hss.realm, Destination_Host=hss.host)
    assert mme.request("ULR", ulr(imsi, visited="99970", **to)).result == 2001
    return imsi


def about(imsi, mme, **other):
    return [vsai(S6A), ("Auth-Session-State", 1), ("Destination-Realm", HOME), ("Destination-Host", mme.host),
            ("User-Name", imsi)] + [(k.replace("_", "-"), v) for k, v in other.items()]


CLR, IDR, DSR = dict(Cancellation_Type=2), dict(Subscription_Data=[("Subscriber-Status", 0)]), dict(DSR_Flags=2)


def test_our_own_mme_registers_our_own_subscriber(mme, sim):
    imsi = sim()
    assert mme.request("AIR", air(imsi, visited="99970")).result == 2001
    assert mme.request("ULR", ulr(imsi, visited="99970")).result == 2001
    assert mme.request("PUR", pur(imsi)).result == 2001


@pytest.mark.parametrize("command,what", [("IDR", IDR), ("DSR", DSR), ("CLR", CLR)])
def test_the_home_may_speak_of_its_subscriber_here(mme, hss, roamer, command, what):
    """R-5.6.1.k"""
    answer = hss.request(command, about(roamer, mme, **what))
    assert answer is not None and answer.result == 2001, answer.get("Error-Message")
    assert mme.expect(command, roamer)["Origin-Host"] == hss.host


def test_after_the_cancellation_he_is_unknown_here(mme, hss, roamer):
    """R-5.6.1.k: a second CLR is not passed on."""
    assert hss.request("CLR", about(roamer, mme, **CLR)).result == 2001
    assert hss.request("IDR", about(roamer, mme, **IDR)).result == -5001
    assert mme.expect("IDR", roamer, timeout=0.3) is None


def test_another_network_may_not(merlon, mme, roamer, node):
    """R-5.6.1.k: FS.19 category 2."""
    n, mark = node("00102"), merlon.mark()
    assert n.request("CLR", about(roamer, mme, **CLR)).result == 5003
    merlon.event(mark, event="edge.refused", check="category.home_only", clause="R-5.6.1.k", network="00102")
    assert mme.expect("CLR", roamer, timeout=0.3) is None


def test_only_the_mme_that_serves_him_may_be_named(merlon, hss, other_mme, roamer):
    """R-5.6.1.g"""
    mark = merlon.mark()
    assert hss.request("CLR", about(roamer, other_mme, **CLR)).result == 3002
    merlon.event(mark, event="edge.refused", check="partner.dest_internal", clause="R-5.6.1.g")
    assert other_mme.expect("CLR", roamer, timeout=0.3) is None


def test_one_who_is_not_here_is_unknown_whatever_node_is_named(merlon, hss, mme):
    """R-5.6.1.k: so the names of our nodes cannot be tried out."""
    imsi, mark = next(ROAMER), merlon.mark()
    for host in (mme.host, f"no-such-mme.{HOME}"):
        body = [a for a in about(imsi, mme, **CLR) if a[0] != "Destination-Host"] + [("Destination-Host", host)]
        assert hss.request("CLR", body).result == -5001
    merlon.event(mark, event="edge.refused", check="category.registered_roamer", clause="R-5.6.1.k")


def test_our_mme_may_not_be_imitated_from_elsewhere(merlon, hss, mme, sim):
    """R-5.6.1.h: a partner's node that writes our MME's name into a request about our subscriber."""
    body = air(sim(), visited="99970", Origin_Host=mme.host, Origin_Realm=HOME)
    assert hss.request("AIR", body).result == 5003
