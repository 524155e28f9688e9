"""
The charter: protocol/README.md, "People", "Policy", "Governance" and "Verifying an act". Documents are what the acts make of them.
"""

import json

from documents import PEOPLE, members_of, names_of
from envelope import claims_of, open_jws
from forms import dump, fingerprint, load, minute, need, sha256_hex, signer_of, statement, thumbprint
from messages import MESSAGES, RECOVERABLE
from shapes import IN_ORDER, are_distinct

NEVER = 9_999_999_999


def references(documents):
    return {kind: {"n": documents[kind]["n"], "digest": sha256_hex(dump(documents[kind]))} for kind in ("policy", "people")}


def member_of(people, name):
    return next((one for one in people["members"] if one["name"] == name), None)


def keys_of(people, kind):
    """Thumbprint to the person's name and the key. `kind`: extensions or files."""
    return {thumbprint(key): (one["name"], key) for one in people["members"] for key in one[kind]}


def can_decide(people, name, role):
    one = member_of(people, name)
    return one is not None and (role is None or role in one["roles"]) and bool(one["extensions"]) and bool(one["devices"])


def can_meet(people, names, demands):
    def owners(vendor):
        return [n for n in names if any(d["vendor"] == vendor for d in member_of(people, n)["devices"])]

    return all(len(owners(demand["vendor"])) >= demand["atLeast"] for demand in demands)


def may_propose(one):
    return bool(one["files"]) and ("initiator" in one["roles"] or "admin" in one["roles"])


def quorum_for(verb, change, documents, initiator, is_recovery):
    """Threshold, people, vendors, and the delay of a recovery in seconds or None."""
    if verb == "FOUND":
        names = [one["name"] for one in change["people"]["members"] if one["devices"]]
        return {"threshold": len(names), "people": names, "vendors": []}, None
    policy, people = documents["policy"], documents["people"]
    proposer = member_of(people, initiator)
    need(proposer is not None and may_propose(proposer), f"{initiator} may not propose")

    def able(names, role):
        return [name for name in names if name != initiator and can_decide(people, name, role)]

    governance, delay = policy["governance"], None
    if verb == "DRILL":
        rule = next((one for one in policy["rules"] if one["vault"] == change["vault"]), None)
        need(rule is not None and not is_recovery, "no rule for a drill")
        names = able(members_of(policy, rule["approvers"]), "approver")
        threshold, vendors = rule["threshold"], rule["vendors"]
    elif is_recovery:
        recovery = governance["recovery"]
        need(recovery is not None and verb in RECOVERABLE, "no recovery quorum decides this")
        names, threshold, vendors = able(recovery["people"], None), recovery["threshold"], []
        delay = recovery["delay"] * 3600
    else:
        names = able([one["name"] for one in people["members"]], "admin")
        threshold, vendors = governance["threshold"], governance["vendors"]
    need(64 >= len(names) >= threshold and can_meet(people, names, vendors), "the quorum cannot be reached")
    return {"threshold": threshold, "people": names, "vendors": vendors}, delay


def apply_motion(verb, change, documents):
    """The documents afterwards."""
    if verb == "FOUND":
        need(documents is None and change["people"]["n"] == 1, "a founding where none belongs")
        return whole({"people": change["people"], "policy": {"n": 1, **change["policy"]}})
    need(documents is not None, "nothing is founded yet")
    if verb == "POLICY":
        return whole({**documents, "policy": {"n": documents["policy"]["n"] + 1, **change["policy"]}})
    if verb in ("ENROLL", "REMOVE"):
        people = json.loads(dump(documents["people"]))
        people["n"] += 1
        (enroll if verb == "ENROLL" else remove)(people, change)
        PEOPLE(people)
        return whole({**documents, "people": people})
    return documents


def enroll(people, change):
    one = member_of(people, change["name"])
    if one is None:
        one = {"name": change["name"], "roles": [], "extensions": [], "files": [], "devices": []}
        people["members"].append(one)
    before = dump(one)
    one["roles"] = [role for role in IN_ORDER if role in one["roles"] or role in change["roles"]]
    owned = {**keys_of(people, "extensions"), **keys_of(people, "files")}
    for kind, key in (("extensions", change["extension"]), ("files", change["file"])):
        if key is not None:
            need(thumbprint(key) not in owned, "a key of somebody")
            one[kind].append(key)
    device = change["device"]
    if device is not None:
        address = device["address"]
        owners = [m["name"] for m in people["members"] for d in m["devices"] if d["address"] == address]
        owners += [former["name"] for former in people["former"] if former["address"] == address]
        need(all(owner == one["name"] for owner in owners), "another person's device")
        if any(d["address"] == address for d in one["devices"]):
            one["devices"] = [device if d["address"] == address else d for d in one["devices"]]
        else:
            one["devices"].append(device)
        people["former"] = [former for former in people["former"] if former["address"] != address]
    need(dump(one) != before and one["roles"], "nothing would change, or nobody has a role")


def remove(people, change):
    one, what = member_of(people, change["name"]), change["removal"]
    need(one is not None, f"nobody is called {change['name']}")
    kind = what["what"]
    if kind == "person":
        people["members"].remove(one)
        people["former"] += [{"name": one["name"], "address": device["address"]} for device in one["devices"]]
    elif kind == "role":
        need(what["role"] in one["roles"] and len(one["roles"]) > 1, "no such role, or no other")
        one["roles"].remove(what["role"])
    elif kind == "device":
        left = [device for device in one["devices"] if device["address"] != what["address"]]
        need(len(left) < len(one["devices"]), "no such device")
        one["devices"] = left
        people["former"].append({"name": one["name"], "address": what["address"]})
    else:
        keys = "extensions" if kind == "browser" else "files"
        left = [key for key in one[keys] if thumbprint(key) != what["key"]]
        need(len(left) < len(one[keys]), "no such key")
        one[keys] = left


def whole(documents):
    """Afterwards no two names are alike, somebody can propose, and others decide."""
    people, governance = documents["people"], documents["policy"]["governance"]
    names = [one["name"] for one in people["members"]]
    need(are_distinct(names_of(documents["policy"]) + names), "two names are alike")
    admins = [name for name in names if can_decide(people, name, "admin")]
    need(len(admins) <= 64, "more admins than a request names")

    def is_open(proposer):
        others = [name for name in admins if name != proposer]
        return len(others) >= governance["threshold"] and can_meet(people, others, governance["vendors"])

    need(any(is_open(one["name"]) for one in people["members"] if may_propose(one)), "nobody could decide any more")
    return documents


def motion_parts(request):
    """The first parts of a governance request's statement."""
    verb, change = request["verb"], request["change"]
    if verb == "FOUND":
        names = [one["name"] for one in change["people"]["members"] if one["devices"]]
        said = f"FOUND {sha256_hex(dump(change))[:32]} BY {' '.join(names)}"
    elif verb == "ENROLL":
        device, extension, file = change["device"], change["extension"], change["file"]
        said = f"ENROLL {change['name']}"
        said += f" DEVICE {device['address']}" if device else ""
        said += f" AS {'+'.join(change['roles'])}" if change["roles"] else ""
        said += f"; browser {fingerprint(thumbprint(extension))[:16]}" if extension else ""
        said += f"; key file {fingerprint(thumbprint(file))[:16]}" if file else ""
        said += f"; {device['vendor']} {device['model']}" if device else ""
    elif verb == "REMOVE":
        what = change["removal"]
        word = {"person": "", "role": " ROLE ", "browser": " BROWSER ", "file": " KEY ", "device": " DEVICE "}[what["what"]]
        said = f"REMOVE {change['name']}{word}"
        said += {"role": lambda: what["role"], "device": lambda: what["address"], "person": lambda: ""}.get(
            what["what"], lambda: fingerprint(what["key"])[:16]
        )()
    elif verb == "POLICY":
        after = {"n": request["policy"]["n"] + 1, **change["policy"]}
        said = f"POLICY {after['n']} {sha256_hex(dump(after))[:32]}; replaces {request['policy']['n']}"
    elif verb == "ROTATE":
        said = f"ROTATE HSM TO {fingerprint(thumbprint(change['to']))[:32]}"
    elif verb == "UNFREEZE":
        said = f"UNFREEZE {change['vault'] or 'ALL'}"
    elif verb == "RESTORE":
        log, seen = change["log"], change["seen"]
        said = f"RESTORE {sha256_hex(dump(change))[:32]} LOG OF {log['size']}"
        said += f"; seen up to {seen['size']}" if seen else "; no gap known"
    else:
        need(verb == "DRILL", "an unknown verb")
        said = f"DRILL {change['vault']}; moves nothing"
    return said if request["notBefore"] is None else f"{said}; recovery not before {minute(request['notBefore'])}"


def check_approval(approval, request, digest, line, people):
    """README.md, "Verifying approvals", steps 1 to 5. Returns name, vendor and address."""
    need(approval["request"] == request["request"] and approval["digest"] == digest, "an approval of something else")
    need(approval["exp"] >= request["exp"], "an approval that ends before its request")
    name = keys_of(people, "extensions").get(approval["iss"], (None,))[0]
    need(name is not None and name != request["initiator"], "an approval by nobody, or by the initiator")
    need(name in request["quorum"]["people"] and approval["iss"] in request["aud"], f"{name} does not decide")
    device = next((d for d in member_of(people, name)["devices"] if d["address"] == approval["address"]), None)
    need(device is not None, "not a device of theirs")
    need(signer_of(line, approval["signature"]) == device["address"], "the device signed something else")
    return {"name": name, "vendor": device["vendor"], "address": device["address"]}


def require_quorum(quorum, approvers):
    people = {one["name"]: one for one in approvers}
    need(len(people) >= quorum["threshold"], f"{quorum['threshold']} must approve and {len(people)} did")
    for demand in quorum["vendors"]:
        used = [one for one in people.values() if one["vendor"] == demand["vendor"]]
        need(len(used) >= demand["atLeast"], f"too few on a {demand['vendor']}")


def check_quorum(request, documents):
    """The quorum is the one that the documents give, and a recovery is seen for long enough."""
    is_recovery = request["notBefore"] is not None
    quorum, delay = quorum_for(request["verb"], request["change"], documents, request["initiator"], is_recovery)
    need(request["quorum"] == quorum, "another quorum than the policy gives")
    need(delay is None or request["notBefore"] >= request["iat"] + delay, "a recovery without its delay")


def apply_act(charter, jws, founder):
    """README.md, "Verifying an act". `charter`: n, head, hsm, policy, people, spent; None before the founding."""
    current = charter["hsm"] if charter else founder
    claimed = claims_of(jws)
    # 1 to 3. Who signed it, its place, its request.
    request = load(claimed["request"])
    MESSAGES["request"](request)
    need(request["verb"] != "SEND", "a transfer is no act")
    verb, change = request["verb"], request["change"]
    by = change["to"] if verb == "ROTATE" and claimed["iss"] != thumbprint(current) else current
    act, text = open_jws(jws, "act", {thumbprint(by): by}, claimed["iss"], NEVER - 1)
    need(act["n"] == (charter["n"] if charter else 0) + 1, "not the next act")
    need(act["previous"] == (charter["head"] if charter else None), "after another act")
    need(request["iss"] == act["iss"] and verb != "DRILL", "of another identity, or a drill")
    need((verb == "FOUND") == (charter is None) == (request["initiator"] is None), "a founding where none belongs")
    need(verb != "ROTATE" or thumbprint(change["to"]) != thumbprint(current), "a rotation to the same identity")
    need(charter is None or request["request"] not in charter["spent"], "carried out before")
    before = charter or apply_motion(verb, change, None)
    need({kind: request[kind] for kind in ("policy", "people")} == references(before), "under other documents")
    # 4 and 5. Its quorum, its time.
    check_quorum(request, charter)
    begins = max(request["iat"], request["notBefore"] or 0)
    need(begins <= act["iat"] < request["exp"], "at another time")
    # 6. Its approvals.
    digest = sha256_hex(act["request"])
    line = statement(request, motion_parts(request), digest)
    keys = {kid: key for kid, (_, key) in {**keys_of(before["people"], "files"), **keys_of(before["people"], "extensions")}.items()}
    approvers = []
    for approval in act["approvals"]:
        opened, _ = open_jws(approval, "approval", keys, request["iss"], act["iat"])
        one = check_approval(opened, request, digest, line, before["people"])
        need(all(other["name"] != one["name"] for other in approvers), f"{one['name']} twice")
        approvers.append(one)
    require_quorum(request["quorum"], approvers)
    # 7. What it makes.
    after = apply_motion(verb, change, charter)
    need({kind: act[kind] for kind in ("policy", "people")} == references(after), "makes other documents than it says")
    is_changed = charter is None or references(after) != references(charter)
    return {
        "n": act["n"],
        "head": sha256_hex(text),
        "hsm": change["to"] if verb == "ROTATE" else current,
        "policy": after["policy"],
        "people": after["people"],
        "spent": [] if is_changed else [*charter["spent"], request["request"]],
        "request": act["request"],
        "at": act["iat"],
    }
