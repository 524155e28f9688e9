"""Runs log.json, charter.json and proof.json of protocol/vectors against this verifier: `vectors.py FOLDER`. Names each on which it disagrees."""

import json
import pathlib
import sys

from charter import apply_act, references
from forms import Refused, dump, thumbprint
from log import is_consistent, is_included, leaf_hash, open_checkpoint, root_of
from messages import read_entry
from verify import STEPS, verify_proof


class Count:
    def __init__(self):
        self.wrong, self.all = [], 0

    def agree(self, what, holds):
        self.all += 1
        if not holds:
            self.wrong.append(what)


def refusal(work, *arguments):
    """What a piece of work refuses its arguments with, or None."""
    try:
        work(*arguments)
    except (Refused, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        return error
    return None


def run_logs(logs, count):
    leaves = [leaf_hash(line.encode()) for line in logs["lines"]]
    for at, root in enumerate(logs["roots"]):
        count.agree(f"root of {at}", root_of(leaves[:at]).hex() == root)
    for line in logs["lines"]:
        count.agree(line, refusal(read_entry, line) is None)
    for one in logs["notEntries"]:
        count.agree(f"no entry: {one['what']}", refusal(read_entry, one["text"]) is not None)
    of = bytes.fromhex
    for name, meant in (("inclusion", True), ("notIncluded", False)):
        for one in logs[name]:
            path = [of(hashed) for hashed in one["path"]]
            found = is_included(of(one["leaf"]), one["index"], one["size"], path, of(one["root"]))
            count.agree(f"{name}: {one}", found == meant)
    for name, meant in (("consistency", True), ("notConsistent", False)):
        for one in logs[name]:
            path = [of(hashed) for hashed in one["path"]]
            found = is_consistent(one["from"], of(one["fromRoot"]), one["size"], of(one["root"]), path)
            count.agree(f"{name}: {one}", found == meant)
    for one in logs["checkpoints"]:
        found = open_checkpoint(one["note"], logs["origin"], logs["key"])
        count.agree(f"checkpoint {one['what']}", found == (one["size"], one["root"]))
    for one in logs["refused"]:
        refused = refusal(open_checkpoint, one["note"], logs["origin"], logs["key"])
        count.agree(f"checkpoint: {one['what']}: {refused}", getattr(refused, "step", 0) == one["step"])


def run_charters(charters, count):
    chains = []
    for name in ("rotatedByTheOld", "rotatedByTheNew"):
        chain = [None]
        for one in charters[name]:
            after = apply_act(chain[-1], one["jws"], charters["hsm"])
            found = {name: after[name] for name in ("n", "head", "spent")}
            count.agree(f"act: {one['what']}", {**found, "hsm": thumbprint(after["hsm"]), **references(after)} == one["after"])
            chain.append(after)
        chains.append(chain)
    for one in charters["refused"]:
        refused = refusal(apply_act, chains[0][one["after"]], one["jws"], charters["hsm"])
        count.agree(f"act: {one['what']}", refused is not None)


def run_proofs(proofs, count):
    files = {one["what"]: one["file"] for one in proofs["valid"]}
    for what, file in files.items():
        taken, why = verify_proof(file.encode(), proofs["fingerprint"])
        count.agree(f"proof: {what}: {taken[-1]}: {why}", why is None and taken == STEPS)
    for one in proofs["refused"]:
        file = files[one["of"]]
        if "with" in one:
            file = dump({**json.loads(file), **one["with"]}) + "\n"
        if "from" in one:
            file = file.replace(one["from"], one["to"], 1)
        taken, why = verify_proof(file.encode(), one.get("fingerprint", proofs["fingerprint"]))
        found = f"proof: {one['what']}: {taken[-1]}: {why}, and not {one['step']}"
        count.agree(found, why is not None and taken[-1] == one["step"])


def main(folder):
    count = Count()
    for name, run in (("log", run_logs), ("charter", run_charters), ("proof", run_proofs)):
        run(json.loads((pathlib.Path(folder) / f"{name}.json").read_text("utf8")), count)
    for what in count.wrong:
        print(f"disagrees: {what}")
    print(f"{count.all} vectors, {len(count.wrong)} disagreements")
    return 1 if count.wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
