"""Closed shapes: protocol/README.md, "Values" and "Names". Each value here is a function that refuses what is not of it."""

import re

from forms import checksum, length, match, need, number, seconds, shape, un64


def record(**members):
    def check(value):
        shape(value, " ".join(members))
        for name, one in members.items():
            one(value[name])

    return check


def rows(one, most=None, least=0):
    def check(value):
        need(type(value) is list and least <= len(value) and (most is None or len(value) <= most), "not such a list")
        for each in value:
            one(each)

    return check


def maybe(one):
    return lambda value: None if value is None else one(value)


def exactly(*values):
    return lambda value: need(any(type(value) is type(one) and value == one for one in values), f"not one of {values}")


def text(most, least=0, pattern=r"[\s\S]*"):
    return lambda value: need(least <= length(match(pattern, value)) <= most, "too long or too short")


def word(pattern):
    return lambda value: match(pattern, value)


def whole(least=0, most=2**53 - 1):
    return lambda value: number(value, least, most)


def bits(size):
    """base64url of so many bytes."""
    return lambda value: need(len(un64(value)) == size, "another length")


def all_of(one, *checks):
    def check(value):
        one(value)
        for holds in checks:
            need(holds(value), "it does not hold together")

    return check


def is_unique(values):
    return len(set(values)) == len(values)


def fold(name):
    """The form under which two names are the same to a hurried eye."""
    return re.sub("[1i]", "l", name.lower().replace("0", "o"))


def are_distinct(names):
    return is_unique([fold(name) for name in names])


def is_name(value):
    like = re.sub("[il]", "1", value.lower().replace("o", "0"))
    return not (
        re.match("0x[0-9a-f]{6}", like)
        or re.match("bc1|tb1|bcrt1|ltc1|addr1|cosmos1", value, re.I)
        or re.fullmatch("[A-Fa-f0-9]{16,}", value)
        or re.fullmatch("[1-9A-HJ-NP-Za-km-z]{24,}", value)
    )


def is_free(value):
    return value.lower() not in "to on from as by all device browser key role".split()


ONE, FLAG, COUNT, ORDINAL, TIME = exactly(1), exactly(True, False), whole(), whole(1), seconds
MINUTE = all_of(TIME, lambda at: at % 60 == 0)
HEX, ID, THUMB, JTI = word("[0-9a-f]{64}"), word("[0-9A-HJKMNP-TV-Z]{16}"), bits(32), bits(16)
NAME = all_of(word("[A-Za-z][A-Za-z0-9._-]{0,23}"), is_name, is_free)
SYMBOL = all_of(word("[A-Za-z][A-Za-z0-9]{0,10}"), is_free)
DECIMAL = text(90, pattern=r"(0|[1-9][0-9]*)(\.[0-9]+)?")
ADDRESS = all_of(word("0x[0-9a-fA-F]{40}"), lambda value: checksum(value[2:].lower()) == value)
NETWORK_ID, DECIMALS, VENDOR = word("eip155:[1-9][0-9]{0,15}"), whole(0, 36), exactly("Ledger", "Trezor")
JWK = record(kty=exactly("EC"), crv=exactly("P-256"), x=bits(32), y=bits(32))
HEAD = record(size=whole(0, 2**40), root=HEX)
REFERENCE = record(n=ORDINAL, digest=HEX)
ROLE = exactly("initiator", "approver", "admin", "auditor")
IN_ORDER = "initiator approver admin auditor".split()
ROLES = all_of(rows(ROLE), lambda roles: roles == [role for role in IN_ORDER if role in roles])
DEMAND = record(vendor=VENDOR, atLeast=ORDINAL)
DEMANDS = all_of(rows(DEMAND), lambda demands: is_unique([one["vendor"] for one in demands]))
DEVICE = record(address=ADDRESS, vendor=VENDOR, model=NAME)


def asked(demands):
    return sum(one["atLeast"] for one in demands)
