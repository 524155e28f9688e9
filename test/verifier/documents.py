"""
The shapes of the documents: protocol/README.md, "People" and "Policy", with what must hold within each. A bridge's URL is judged loosely:
nothing in a proof rests on it.
"""

from forms import dump, length
from shapes import ADDRESS, DECIMAL, DECIMALS, DEMANDS, DEVICE, JWK, NAME, NETWORK_ID, ONE, ORDINAL, ROLES, SYMBOL
from shapes import all_of, are_distinct, asked, exactly, fold, is_unique, maybe, record, rows, text, whole, word

MEMBER = record(
    name=NAME, roles=all_of(ROLES, bool), extensions=rows(JWK, 8), files=rows(JWK, 8), devices=rows(DEVICE, 8)
)
PEOPLE = all_of(
    record(v=ONE, n=ORDINAL, members=rows(MEMBER, 200), former=rows(record(name=NAME, address=ADDRESS), 1000)),
    lambda people: are_distinct([one["name"] for one in people["members"]]),
    lambda people: is_unique([dump(key) for one in people["members"] for key in one["extensions"] + one["files"]]),
    lambda people: is_unique(
        [one["address"] for one in [*people["former"], *(d for m in people["members"] for d in m["devices"])]]
    ),
    lambda people: sum(len(one["extensions"]) for one in people["members"]) <= 256,
)
NAMES, SOME = rows(NAME, 64, 1), whole(1, 64)
MINUTES = whole(1, 60 * 24 * 30)
NETWORK = record(id=NETWORK_ID, name=NAME, symbol=SYMBOL, decimals=DECIMALS)
VAULT = record(name=NAME, id=word("[0-9a-f]{32}"), publicKey=word("[0-9a-f]{130}"))
RULE = record(
    vault=NAME,
    network=NETWORK_ID,
    approvers=NAME,
    threshold=SOME,
    vendors=DEMANDS,
    destinations=exactly("any", "book"),
    maxFee=DECIMAL,
    expiresAfter=MINUTES,
)
RECOVERY = all_of(
    record(people=NAMES, threshold=SOME, delay=whole(24, 24 * 90)),
    lambda one: is_unique(one["people"]) and len(one["people"]) >= one["threshold"],
)
GOVERNANCE = all_of(
    record(threshold=SOME, vendors=DEMANDS, expiresAfter=MINUTES, recovery=maybe(RECOVERY)),
    lambda one: asked(one["vendors"]) <= one["threshold"],
)


def names_of(policy):
    return [one["name"] for part in ("networks", "vaults", "addressBook") for one in policy[part]]


def members_of(policy, name):
    return next((group["members"] for group in policy["groups"] if group["name"] == name), [])


def _is_whole(policy):
    networks, names = [one["id"] for one in policy["networks"]], [one["name"] for one in policy["vaults"]]
    assets = [f"{one['id']} {fold(one['symbol'])}" for one in policy["networks"]]
    assets += [f"{one['network']} {fold(one['symbol'])}" for one in policy["tokens"]]
    once = [
        networks,
        assets,
        [one["id"] for one in policy["vaults"]],
        [one["publicKey"] for one in policy["vaults"]],
        [(one["network"], one["contract"]) for one in policy["tokens"]],
        [(one["network"], one["address"]) for one in policy["addressBook"]],
        [one["name"] for one in policy["groups"]],
        *(one["members"] for one in policy["groups"]),
        [(one["vault"], one["network"]) for one in policy["rules"]],
    ]
    return (
        are_distinct(names_of(policy))
        and all(is_unique(values) for values in once)
        and all(one["network"] in networks for part in ("rules", "tokens", "addressBook") for one in policy[part])
        and all(one["vault"] in names and asked(one["vendors"]) <= one["threshold"] for one in policy["rules"])
        and all(len(members_of(policy, one["approvers"])) >= one["threshold"] for one in policy["rules"])
        and length(dump(policy)) <= 24_576
    )


POLICY = all_of(
    record(
        v=ONE,
        bridge=text(256, pattern=r"(wss://[^/?#@\s]+|ws://127\.0\.0\.1(:[0-9]+)?)/[^?#\s]*"),
        contact=text(120, pattern=r"[\x21-\x7e]([\x20-\x7e]{0,118}[\x21-\x7e])?"),
        networks=rows(NETWORK),
        tokens=rows(record(network=NETWORK_ID, contract=ADDRESS, symbol=SYMBOL, decimals=DECIMALS)),
        vaults=rows(VAULT),
        addressBook=rows(record(name=NAME, network=NETWORK_ID, address=ADDRESS)),
        groups=rows(record(name=NAME, members=NAMES)),
        rules=rows(RULE),
        governance=GOVERNANCE,
    ),
    _is_whole,
)
