"""The log: protocol/README.md, "Log", "Checkpoint" and "Verifying a checkpoint"; RFC 6962, written down as it is defined."""

import base64
import re

from curve import p256_verifies
from forms import Refused, length, point_of, sha256

SIZE_MAX = 2**40
SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")


def leaf_hash(data):
    return sha256(b"\x00" + data)


def node_hash(left, right):
    return sha256(b"\x01" + left + right)


def root_of(leaves):
    """MTH of a list of leaf hashes."""
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    split = split_of(len(leaves))
    return node_hash(root_of(leaves[:split]), root_of(leaves[split:]))


def split_of(size):
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def is_included(leaf, index, size, path, root):
    """Walks the tree down as RFC 6962, section 2.1.1 does, and then up along the path."""
    if not 0 <= index < size <= SIZE_MAX:
        return False
    turns = []
    while size > 1:
        split = split_of(size)
        turns.append(index < split)
        index, size = (index, split) if index < split else (index - split, size - split)
    if len(turns) != len(path):
        return False
    for is_left, sibling in zip(reversed(turns), path):
        leaf = node_hash(leaf, sibling) if is_left else node_hash(sibling, leaf)
    return leaf == root


def is_consistent(first, first_root, size, root, path):
    """Rebuilds both roots as SUBPROOF of RFC 6962, section 2.1.2 takes them apart."""
    if not 0 <= first <= size <= SIZE_MAX:
        return False
    if first == 0:
        return path == [] and first_root == sha256(b"")
    rest = list(path)

    def roots(begin, end, is_whole):
        if begin == end:
            whole = first_root if is_whole else rest.pop(0)
            return whole, whole
        split = split_of(end)
        if begin <= split:
            before, after = roots(begin, split, is_whole)
            return before, node_hash(after, rest.pop(0))
        before, after = roots(begin - split, end - split, False)
        left = rest.pop(0)
        return node_hash(left, before), node_hash(left, after)

    try:
        return roots(first, size, True) == (first_root, root) and rest == []
    except IndexError:
        return False


def _step(number, holds, what):
    if not holds:
        refused = Refused(what)
        refused.step = number
        raise refused


def open_checkpoint(note, origin, key):
    """Size and root of a checkpoint. The steps are those of the specification; a refusal has its number as `step`."""
    text, empty, rest = note.partition("\n\n")
    lines = text.split("\n")
    signatures = rest.split("\n")
    _step(1, length(note) <= 4096 and empty and len(lines) == 3, "malformed")
    _step(2, lines[0] == origin, "of another log")
    size, root = lines[1], _base64(lines[2])
    is_size = re.fullmatch("0|[1-9][0-9]{0,12}", size, re.ASCII) and int(size) <= SIZE_MAX
    _step(3, is_size and root is not None and len(root) == 32, "size or root malformed")
    _step(1, signatures.pop() == "" and 1 <= len(signatures) <= 16, "malformed")
    x, y = point_of(key)
    key_id = sha256(SPKI + b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big"))[:4]
    candidates = []
    for line in signatures:
        parts = re.fullmatch("\u2014 ([^\\s+]+) ([A-Za-z0-9+/]+={0,2})", line)
        data = _base64(parts[2]) if parts else None
        _step(1, data is not None and len(data) >= 5, "malformed")
        if parts[1] == origin and data[:4] == key_id:
            candidates.append(data[4:])
    _step(4, candidates, "signed by no key that is known here")
    pair = _der(candidates[0])
    signed = sha256((text + "\n").encode())
    _step(4, pair is not None and p256_verifies(x, y, signed, *pair), "its signature does not verify")
    return int(size), root.hex()


def _base64(text):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return data if base64.b64encode(data).decode() == text else None


def _der(data):
    """r and s of a DER signature in its one spelling, or None."""
    if len(data) < 8 or data[0] != 0x30 or data[1] != len(data) - 2 or data[2] != 2:
        return None
    split = 4 + data[3]
    if split + 2 > len(data) or data[split] != 2 or split + 2 + data[split + 1] != len(data):
        return None
    numbers = []
    for part in (data[4:split], data[split + 2 :]):
        if not part or part[0] >= 0x80 or (len(part) > 1 and part[0] == 0 and part[1] < 0x80):
            return None
        numbers.append(int.from_bytes(part, "big"))
    return tuple(numbers)
