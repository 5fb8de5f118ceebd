"""Two workers: whatever worker a connection belongs to, an answer, a request of ours and a partner's request
leave by the right connection. Twelve connections each way: that all fall to one worker is one in 2048."""
import threading

import pytest
from ask import air, ulr
from diameter import Client, S6A, vsai
from merlon import HOME, OWN_MME, realm

MANY = 12


@pytest.fixture
def partners(merlon):
    nodes = [Client(merlon.port, f"w{i}.{realm('00101')}", realm("00101")) for i in range(MANY)]
    yield nodes
    for n in nodes:
        n.close()


@pytest.fixture
def own(merlon):
    nodes = [Client(merlon.port, f"mme{i}.{HOME}", HOME, address=OWN_MME) for i in range(4)]
    yield nodes
    for n in nodes:
        n.close()


def test_every_connection_gets_its_own_answers(partners, sim):
    """All at once, several requests in flight on each: R-5.6.1.g needs the right asker."""
    imsis = [sim() for _ in partners]
    wrong = []

    def ask(n, imsi):
        for _ in range(10):
            answer = n.request("AIR", air(imsi))
            if answer is None or answer.result != 2001 or not answer["Session-Id"].startswith(n.host):
                wrong.append((n.host, answer))
    threads = [threading.Thread(target=ask, args=pair) for pair in zip(partners, imsis)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(30)
    assert not wrong


def test_a_cancel_location_of_ours_goes_to_the_serving_node_alone(merlon, partners, sim):
    imsis = [sim() for _ in partners]
    for n, imsi in zip(partners, imsis):
        assert n.request("ULR", ulr(imsi)).result == 2001
    for imsi in imsis:
        merlon.set("subscription", imsi, life="suspended")
    for n, imsi in zip(partners, imsis):
        clr = n.expect("CLR", imsi)
        assert clr and clr["Destination-Host"] == n.host
    for n, imsi in zip(partners, imsis):
        others = {m["User-Name"] for m in list(n.received.queue) if "User-Name" in m} - {imsi}
        assert not others, f"{n.host} heard of {others}"


def test_a_partners_request_and_our_mmes_leave_by_the_right_connection(partners, own):
    """R-5.6.1.k: our MME registers the partner's subscriber there; the partner's CLR comes back to that MME."""
    for i, hss in enumerate(partners):
        mme, imsi = own[i % len(own)], f"0010177770000{i:02d}"
        hss.replies["ULR"] = [("Result-Code", 2001), ("ULA-Flags", 1)]
        answer = mme.request("ULR", ulr(imsi, visited="99970", Destination_Realm=realm("00101"),
                                        Destination_Host=hss.host))
        assert answer is not None and answer.result == 2001, f"{mme.host} -> {hss.host}: {answer}"
        asked = hss.expect("ULR", imsi)
        assert asked and asked["Origin-Host"] == mme.host
        answer = hss.request("CLR", [vsai(S6A), ("Auth-Session-State", 1), ("Destination-Realm", HOME),
                                     ("Destination-Host", mme.host), ("User-Name", imsi), ("Cancellation-Type", 2)])
        assert answer is not None and answer.result == 2001, f"{hss.host} -> {mme.host}: {answer}"
        assert mme.expect("CLR", imsi)
