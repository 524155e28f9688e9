"""Verifies many proofs in one process: each line of standard input is a JSON object with `file` and `hsm`; prints the step that fails, or `ok`."""

import json
import sys

from verify import verify_proof

for line in sys.stdin:
    one = json.loads(line)
    taken, why = verify_proof(one["file"].encode("utf-8", "surrogatepass"), one["hsm"])
    print("ok" if why is None else taken[-1])
