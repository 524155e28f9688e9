"""
Verifies OpenCustody checkpoints and proofs with Python's standard library alone: other code than the product's, written from
protocol/README.md. `verify.py proof FILE --hsm FINGERPRINT` prints a line a step and ends with 0 or 1. vectors.py runs all vectors.
"""

import pathlib
import sys

from charter import apply_act, apply_motion, check_approval, check_quorum, require_quorum
from charter import can_decide, keys_of, motion_parts, references
from documents import members_of
from envelope import claims_of, open_jws, peek
from forms import Refused, dump, load, need, sha256_hex, statement, thumbprint, un64, units
from log import is_included, leaf_hash, open_checkpoint
from messages import PROOF, PROOF_MAX, read_entry
from transaction import check_signed, decode, gas_of, send_parts

STEPS = "form charter checkpoint identity log request policy proposal answers outcome transaction".split()
CLOCK_BACK, ACT_TIME = 60, 300


def form(state, file, _):
    need(len(file) <= PROOF_MAX and file.endswith(b"\n"), "too long, or no line feed at its end")
    proof = load(file.decode()[:-1])
    PROOF(proof)
    state["proof"] = proof


def charter(state, _, __):
    charters = []
    for jws in state["proof"]["acts"]:
        charters.append(apply_act(charters[-1] if charters else None, jws, state["proof"]["founder"]))
    state["charters"] = charters
    state["signer"] = charters[-1]["hsm"] if charters else state["proof"]["founder"]


def checkpoint(state, _, __):
    proof = state["proof"]
    need(proof["checkpoint"].count("\n") == 5, "other signatures than the HSM's")
    origin = f"opencustody/log/{thumbprint(proof['founder'])}"
    state["size"], state["root"] = open_checkpoint(proof["checkpoint"], origin, state["signer"])


def identity(state, _, fingerprint):
    proof = state["proof"]
    signers = [un64(thumbprint(key)).hex() for key in (proof["founder"], state["signer"])]
    # Whose the request is, is looked at only where it must be: it is not verified yet.
    is_pinned = fingerprint in signers or fingerprint == un64(claims_of(proof["request"])["iss"]).hex()
    need(is_pinned, "another HSM's fingerprint")


def log(state, _, __):
    entries = {}
    for name, kind in (("proposed", "proposal"), ("issued", "request"), ("entry", "state"), ("act", "act")):
        proved = state["proof"][name]
        if proved is None:
            entries[name] = None
            continue
        path = [bytes.fromhex(hashed) for hashed in proved["path"]]
        leaf = leaf_hash(proved["text"].encode())
        need(is_included(leaf, proved["index"], state["size"], path, bytes.fromhex(state["root"])), f"{name} is not in the log")
        entries[name] = read_entry(proved["text"])
        need(entries[name]["kind"] == kind, f"{name} is of another kind")
    need(len({entry["request"] for entry in entries.values() if entry}) == 1, "about different requests")
    need(entries["issued"]["digest"] == entries["entry"]["digest"], "about different bytes")
    places = [state["proof"][name]["index"] for name in ("proposed", "issued", "entry")]
    need(places == sorted(set(places)), "in another order")
    proposed, issued, told = (entries[name]["at"] for name in ("proposed", "issued", "entry"))
    need(issued >= proposed - CLOCK_BACK and told >= issued - CLOCK_BACK, "older than what comes before")
    state.update(entries=entries, receipt=entries["entry"])


def request(state, _, __):
    proof, receipt = state["proof"], state["receipt"]
    claimed = claims_of(proof["request"])
    known = [proof["founder"], *(one["hsm"] for one in state["charters"])]
    if claimed.get("verb") == "ROTATE":
        known.append(claimed["change"]["to"])
    payload, text = open_jws(proof["request"], "request", {thumbprint(key): key for key in known}, claimed["aud"][0], claimed["iat"])
    digest, until = sha256_hex(text), None
    need(payload["request"] == receipt["request"] and digest == receipt["digest"], "the log is about another request")
    verb = payload["verb"]
    is_next = verb == "ROTATE" and payload["iss"] == thumbprint(payload["change"]["to"])
    if verb == "FOUND":
        need(payload["iss"] == thumbprint(proof["founder"]), "asked for by another identity")
        made = references(apply_motion(verb, payload["change"], None))
        need({kind: payload[kind] for kind in ("policy", "people")} == made, "other documents than it makes")
        before, people = None, payload["change"]["people"]
    else:
        said = {kind: payload[kind] for kind in ("policy", "people")}
        fit = [references(one) == said and (is_next or thumbprint(one["hsm"]) == payload["iss"]) for one in state["charters"]]
        need(True in fit, "under documents or an identity that the acts do not give")
        first = fit.index(True)
        before = state["charters"][first]
        people = before["people"]
        need(payload["iat"] >= before["at"] - CLOCK_BACK, "older than its documents")
        until = next((one["at"] for one, fits in zip(state["charters"][first:], fit[first:]) if not fits), None)
    parts = send_parts(payload, decode(payload)) if verb == "SEND" else motion_parts(payload)
    line = statement(payload, parts, digest)
    state.update(payload=payload, digest=digest, before=before, people=people, line=line, until=until)


def policy(state, _, __):
    payload, before = state["payload"], state["before"]
    if payload["verb"] != "SEND":
        check_quorum(payload, before)
        apply_motion(payload["verb"], payload["change"], before)
        return
    rules, people = before["policy"], before["people"]
    vault, network, token, effect = payload["vault"], payload["network"], payload["token"], payload["effect"]
    rule = next((one for one in rules["rules"] if (one["vault"], one["network"]) == (vault["name"], network["id"])), None)
    need(rule is not None and vault in rules["vaults"] and network in rules["networks"], "another vault, network or rule")
    need(token is None or {"network": network["id"], **token} in rules["tokens"], "another token")
    payees = [one["name"] for one in rules["addressBook"] if (one["network"], one["address"]) == (network["id"], effect["to"])]
    need(payload["payee"] == (payees[0] if payees else None) and (payees or rule["destinations"] == "any"), "another payee")
    need(units(effect["maxFee"].split(" ")[0]) <= units(rule["maxFee"]), "a fee above the rule's")
    able = [n for n in members_of(rules, rule["approvers"]) if n != payload["initiator"] and can_decide(people, n, "approver")]
    need(payload["quorum"] == {"threshold": rule["threshold"], "people": able, "vendors": rule["vendors"]}, "another quorum")
    need(payload["exp"] == -(-(payload["iat"] + rule["expiresAfter"] * 60) // 60) * 60, "another expiry")
    need(any(m["name"] == payload["initiator"] and "initiator" in m["roles"] for m in people["members"]), "an initiator who is none")


def proposal(state, _, __):
    jws, payload, entry = state["proof"]["proposal"], state["payload"], state["entries"]["proposed"]
    need(entry["of"] == (sha256_hex(jws) if jws else None) and entry["person"] == payload["initiator"], "another than the log names")
    need((jws is None) == (payload["verb"] == "FOUND"), "a proposal where none belongs, or none where one does")
    if jws is None:
        return
    name = peek(jws)[0]["typ"][3:-4]
    files = {kid: key for kid, (owner, key) in keys_of(state["people"], "files").items() if owner == payload["initiator"]}
    kinds = {"SEND": ["proposal"], "ENROLL": ["motion", "vouch"]}.get(payload["verb"], ["motion"])
    need(name in kinds, "a proposal of another kind")
    said, _ = open_jws(jws, name, files, payload["iss"], peek(jws)[1]["iat"])
    is_recovery = payload.get("notBefore") is not None
    if name == "motion":
        meant = {"motion": {"verb": payload["verb"], "change": payload["change"]}, "recovery": is_recovery}
        need({name: said[name] for name in meant} == meant, "a proposal of another change")
    elif name == "vouch":
        need((said["name"], said["recovery"]) == (payload["change"]["name"], is_recovery), "a word for somebody else")
    else:
        effect = payload["effect"]
        meant = [payload["vault"]["name"], payload["network"]["id"], effect["asset"], effect["to"]]
        need([said[name] for name in ("vault", "network", "asset", "to")] == meant, "a proposal of something else")
        need(units(said["amount"]) == units(effect["amount"]), "a proposal of another amount")
        need(said["gas"] == gas_of(bytes.fromhex(payload["sign"][0])), "a proposal of other gas")


def answers(state, _, __):
    payload, people, receipt, messages = state["payload"], state["people"], state["receipt"], state["proof"]["messages"]
    records = receipt["records"]
    need(len(records) == len(messages) == len({record["of"] for record in records}), "not one message for each record")
    approvers = []
    for record, jws in zip(records, messages):
        kind, person = record["kind"], record["person"]
        need(record["at"] <= receipt["at"] + CLOCK_BACK, "a record from after its state")
        need(record["at"] >= payload["iat"] - CLOCK_BACK, "a record from before its request")
        keys = keys_of(people, "files" if kind == "cancellation" else "extensions")
        own = {kid: key for kid, (owner, key) in keys.items() if owner == person}
        now = record["at"] if kind == "approval" else peek(jws)[1]["iat"]
        said, _ = open_jws(jws, kind, own, payload["iss"], now)
        same = said["jti"] == record["of"] and said["request"] == payload["request"] and said.get("digest", state["digest"]) == state["digest"]
        need(same, f"the {kind} by {person} is another one")
        facts = {"vendor": None, "address": None, "reason": said.get("reason")}
        if kind == "approval":
            need(record["at"] < payload["exp"], "an approval after the end")
            one = check_approval(said, payload, state["digest"], state["line"], people)
            need(all(other["name"] != person for other in approvers), f"{person} twice")
            approvers.append(one)
            facts.update(vendor=one["vendor"], address=one["address"])
        elif kind == "rejection":
            is_own = payload["verb"] == "REMOVE" and payload["change"]["name"] == person
            is_admin = any(m["name"] == person and "admin" in m["roles"] for m in people["members"])
            decides = person in payload["quorum"]["people"] or (is_admin and payload.get("notBefore") is not None)
            need(decides and not is_own, f"{person} may not reject this")
        elif kind == "cancellation":
            need(person == payload["initiator"], "a cancellation by somebody else")
        need({name: record[name] for name in facts} == facts, f"the {kind} by {person} is recorded otherwise")
    stopped = [record["person"] for record in records if record["kind"] != "approval"]
    state["approvers"] = [one for one in approvers if one["name"] not in stopped]


def outcome(state, _, __):
    payload, receipt, act = state["payload"], state["receipt"], state["entries"]["act"]
    ended, kinds = receipt["state"], [record["kind"] for record in receipt["records"]]
    need(ended != "proposed", "never asked for")
    if ended in ("approved", "signed", "enacted"):
        require_quorum(payload["quorum"], state["approvers"])
        is_late = state["until"] is not None and receipt["at"] > state["until"] + ACT_TIME
        need(act is not None or not is_late, "under documents or an identity that had been replaced")
    need(ended not in ("signed", "enacted") or (payload["verb"] == "SEND") == (ended == "signed"), "it has another end")
    # A rejection or a cancellation ends its request: one of them, at the end, or none.
    stops = [kind for kind in kinds if kind in ("rejection", "cancellation")]
    end = {"rejected": ["rejection"], "cancelled": ["cancellation"]}.get(ended, [])
    need(stops == end and kinds[len(kinds) - len(end) :] == end, "a stop that did not end it, or none")
    need(ended != "signed" or receipt["at"] <= payload["exp"], "signed after its time")
    need(ended != "expired" or receipt["at"] >= payload["exp"], "expired before its time")
    need((receipt["hash"] is not None) == (ended == "signed"), "a hash of what was not signed, or none")
    need((act is not None) == (ended == "enacted" and payload["verb"] != "DRILL"), "an act of what is none, or none")
    if act is not None:
        charters = state["charters"]
        need(act["n"] <= len(charters) and act["verb"] == payload["verb"], "another act")
        made = charters[act["n"] - 1]
        need(made["head"] == act["head"] and made["request"] == dump(payload), "another act")


def transaction(state, _, __):
    signed, hashed, payload = state["proof"]["signed"], state["receipt"]["hash"], state["payload"]
    if signed is None and hashed is None:
        return
    need(signed is not None and payload["verb"] == "SEND", "the signed transaction is missing")
    found = check_signed(bytes.fromhex(signed[2:]), bytes.fromhex(payload["sign"][0]), payload["vault"]["publicKey"])
    need(found == hashed, "the log names another transaction")


def verify_proof(file, fingerprint):
    """The steps that were taken, and what is wrong with the last one, or None."""
    state, taken = {}, []
    for name in STEPS:
        taken.append(name)
        try:
            globals()[name](state, file, fingerprint)
        except Refused as refused:
            return taken, str(refused)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
            # Not of the form that the step expects: refused like anything else that is not understood.
            return taken, f"malformed: {error!r}"
    return taken, None


def main(arguments):
    match arguments:
        case ["proof", file, "--hsm", fingerprint]:
            taken, why = verify_proof(pathlib.Path(file).read_bytes(), fingerprint)
            for name in taken:
                print(f"{name}: {'ok' if why is None or name != taken[-1] else why}")
            return 0 if why is None else 1
        case _:
            print(__doc__.strip(), file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
