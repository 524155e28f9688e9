"""
The shapes of requests, messages, the log's entries and the proof: protocol/README.md, "Request" to "Proof". What a shape alone cannot say
(who decides, whose key) is asked where it is used.
"""

from documents import NAMES, NETWORK, PEOPLE, POLICY
from forms import length, load, need, shape
from shapes import ADDRESS, COUNT, DECIMAL, DECIMALS, DEMANDS, DEVICE, FLAG, HEAD, HEX, ID, JTI, JWK, MINUTE, NAME, NETWORK_ID
from shapes import ONE, ORDINAL, REFERENCE, ROLE, ROLES, SYMBOL, THUMB, TIME, VENDOR
from shapes import all_of, asked, exactly, is_unique, maybe, record, rows, text, whole, word

def removal(value):
    need(type(value) is dict, "no removal")
    fields = {
        "person": {},
        "role": {"role": ROLE},
        "browser": {"key": THUMB},
        "file": {"key": THUMB},
        "device": {"address": ADDRESS},
    }
    what = value.get("what")
    exactly(*fields)(what)
    record(what=exactly(what), **fields[what])(value)


ACCOUNTS = all_of(
    rows(record(vault=NAME, network=NETWORK_ID, nonce=COUNT), 200),
    lambda accounts: is_unique([(one["vault"], one["network"]) for one in accounts]),
)
CHANGES = {
    "FOUND": record(people=PEOPLE, policy=POLICY),
    "ENROLL": all_of(
        record(name=NAME, roles=ROLES, extension=maybe(JWK), file=maybe(JWK), device=maybe(DEVICE)),
        lambda one: one["roles"] or one["extension"] or one["file"] or one["device"],
    ),
    "REMOVE": record(name=NAME, removal=removal),
    "POLICY": record(policy=POLICY),
    "ROTATE": record(to=JWK),
    "UNFREEZE": record(vault=maybe(NAME)),
    "RESTORE": record(log=HEAD, seen=maybe(HEAD), nonces=ACCOUNTS),
    "DRILL": record(vault=NAME),
}
RECOVERABLE = ["ENROLL", "REMOVE", "POLICY", "ROTATE"]
QUORUM = all_of(
    record(threshold=ORDINAL, people=NAMES, vendors=DEMANDS),
    lambda one: is_unique(one["people"]) and asked(one["vendors"]) <= one["threshold"] <= len(one["people"]),
)
EFFECT = record(
    amount=DECIMAL,
    asset=SYMBOL,
    to=ADDRESS,
    maxFee=text(102, pattern=r"(0|[1-9][0-9]*)(\.[0-9]+)? [A-Za-z][A-Za-z0-9]{0,10}"),
    nonce=COUNT,
)
CLAIMS = {"v": ONE, "iss": THUMB, "aud": rows(text(512, 1), 256, 1), "jti": JTI, "iat": TIME, "exp": TIME}
TAIL = {"policy": REFERENCE, "people": REFERENCE, "statement": text(1024)}


def request(value):
    need(type(value) is dict, "no request")
    verb = value.get("verb")
    exactly("SEND", *CHANGES)(verb)
    claims = {**CLAIMS, "exp": MINUTE, "request": ID, "verb": exactly(verb)}
    if verb == "SEND":
        record(
            **claims,
            vault=record(id=word("[0-9a-f]{32}"), name=NAME, publicKey=word("[0-9a-f]{130}")),
            network=NETWORK,
            token=maybe(record(contract=ADDRESS, symbol=SYMBOL, decimals=DECIMALS)),
            payee=maybe(NAME),
            sign=rows(text(32_768, pattern="([0-9a-f]{2})+"), 1, 1),
            effect=EFFECT,
            initiator=NAME,
            quorum=QUORUM,
            **TAIL,
        )(value)
    else:
        motion = {"change": CHANGES[verb], "initiator": maybe(NAME), "quorum": QUORUM, "notBefore": maybe(MINUTE)}
        record(**claims, **motion, **TAIL)(value)
        before = value["notBefore"]
        need(before is None or (verb in RECOVERABLE and before < value["exp"]), "no recovery")
    initiator = value["initiator"]
    need((initiator is None) == (verb == "FOUND") and initiator not in value["quorum"]["people"], "no such initiator")


# --- messages ---


def motion(value):
    shape(value, "verb change")
    exactly(*(verb for verb in CHANGES if verb != "FOUND"))(value["verb"])
    CHANGES[value["verb"]](value["change"])


ABOUT, QUANTITY = {"request": ID, "digest": HEX}, word("0|[1-9][0-9]{0,77}")
REASON = exactly("wrong-destination", "wrong-amount", "not-expected", "suspicious", "other")
GAS = record(limit=QUANTITY, maxFeePerGas=QUANTITY, maxPriorityFeePerGas=QUANTITY)
MESSAGES = {
    "request": request,
    "act": record(
        **CLAIMS,
        n=ORDINAL,
        previous=maybe(HEX),
        request=text(65_536),
        approvals=rows(text(4096), 64, 1),
        policy=REFERENCE,
        people=REFERENCE,
    ),
    "approval": record(
        **{**CLAIMS, "aud": rows(THUMB, 1, 1)},
        **ABOUT,
        address=ADDRESS,
        signature=word("0x[0-9a-f]{128}1[bc]"),
        log=maybe(HEAD),
    ),
    "rejection": record(**CLAIMS, **ABOUT, reason=REASON),
    "withdrawal": record(**CLAIMS, **ABOUT),
    "cancellation": record(**CLAIMS, request=ID),
    "proposal": record(
        **CLAIMS, vault=NAME, network=NETWORK_ID, asset=text(42), amount=DECIMAL, to=ADDRESS, gas=GAS
    ),
    "motion": record(**CLAIMS, motion=motion, recovery=FLAG),
    "vouch": record(**CLAIMS, name=NAME, words=text(100, pattern="[a-z-]+( [a-z-]+){5}"), recovery=FLAG),
}

# --- the log and the proof ---

STATE = exactly(*"proposed pending approved signed enacted rejected cancelled expired void failed".split())
TX = word("0x[0-9a-f]{64}")
RECORD = record(
    kind=exactly("approval", "rejection", "withdrawal", "cancellation"),
    person=NAME,
    of=JTI,
    at=TIME,
    vendor=maybe(VENDOR),
    address=maybe(ADDRESS),
    reason=maybe(REASON),
)
ENTRIES = {
    "proposal": {"request": ID, "person": maybe(NAME), "of": maybe(HEX)},
    "request": {"request": ID, "digest": HEX},
    "state": {"request": ID, "digest": HEX, "n": ORDINAL, "state": STATE, "records": rows(RECORD), "hash": maybe(TX)},
    "released": {"request": ID, "hash": TX},
    "act": {"n": ORDINAL, "verb": exactly(*CHANGES), "request": ID, "head": HEX},
    "freeze": {"vault": maybe(NAME), "by": maybe(NAME), "of": maybe(JTI)},
}
ENTRY_MAX = 24_576
JWS = text(131_072, pattern=r"[\w-]+\.[\w-]+\.[\w-]+")
PROVED = record(index=whole(0, 2**40), text=text(ENTRY_MAX), path=rows(HEX, 42))
PROOF = record(
    v=ONE,
    kind=exactly("OpenCustody proof"),
    founder=JWK,
    acts=rows(JWS),
    proposal=maybe(JWS),
    request=JWS,
    messages=rows(JWS, 160),
    proposed=PROVED,
    issued=PROVED,
    entry=PROVED,
    act=maybe(PROVED),
    checkpoint=text(4096),
    signed=maybe(text(65_536, pattern="0x([0-9a-f]{2})+")),
)
PROOF_MAX = 2**26


def read_entry(line):
    """An entry of the log in its one spelling."""
    need(length(line) <= ENTRY_MAX, "no entry")
    entry = load(line)
    need(type(entry) is dict, "no entry")
    kind = entry.get("kind")
    exactly(*ENTRIES)(kind)
    record(v=ONE, kind=exactly(kind), at=TIME, **ENTRIES[kind])(entry)
    return entry
