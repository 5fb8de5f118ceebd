"""The requests of an MME as Open5GS sends them (facts of its captures), for any node."""
from diameter import S13, plmn, vsai
from merlon import HOME


def air(imsi, visited="00101", vectors=1, resync=None, **other):
    info = [("Number-Of-Requested-Vectors", vectors), ("Immediate-Response-Preferred", 1)]
    if resync:
        info.append(("Re-Synchronization-Info", resync))
    return _with([("Auth-Session-State", 1), ("Destination-Realm", HOME), ("User-Name", imsi),
                  ("Requested-EUTRAN-Authentication-Info", info), ("Visited-PLMN-Id", plmn(visited)), vsai()],
                 other)


def ulr(imsi, visited="00101", imei="35390000000001", flags=34, rat=1004, **other):
    device = [("IMEI", imei), ("Software-Version", "01")]
    return _with([vsai(), ("Auth-Session-State", 1), ("Destination-Realm", HOME), ("User-Name", imsi),
                  ("Terminal-Information", device), ("RAT-Type", rat), ("ULR-Flags", flags),
                  ("Visited-PLMN-Id", plmn(visited))], other)


def pur(imsi, **other):
    return _with([vsai(), ("Auth-Session-State", 1), ("Destination-Realm", HOME), ("User-Name", imsi),
                  ("PUR-Flags", 1)], other)


def nor(imsi, **other):
    return _with([vsai(), ("Auth-Session-State", 1), ("Destination-Realm", HOME), ("User-Name", imsi),
                  ("NOR-Flags", 0)], other)


def ecr(imei, imsi=None, **other):
    user = [("User-Name", imsi)] if imsi else []
    return _with([vsai(S13), ("Auth-Session-State", 1), ("Destination-Realm", HOME),
                  ("Terminal-Information", [("IMEI", imei), ("Software-Version", "01")])] + user, other)


def _with(avps, other):
    """`other` by AVP name with _ for -: replaces, or adds; None takes away."""
    for name, value in other.items():
        name = name.replace("_", "-")
        avps = [a for a in avps if a[0] != name] + ([(name, value)] if value is not None else [])
    return avps
