"""Spellings and messages: protocol/README.md, "Values", "Envelopes", "Statement". Everything that is not in its one spelling is Refused."""

import base64
import hashlib
import json
import re
import time

from curve import keccak256, secp256k1_recover


class Refused(Exception):
    """What is wrong. The step that it happened in is known to whoever runs the steps."""


def need(holds, what):
    if not holds:
        raise Refused(what)


def sha256(data):
    return hashlib.sha256(data).digest()


def sha256_hex(text):
    return sha256(text.encode() if isinstance(text, str) else text).hex()


def dump(value):
    """As JSON.stringify writes it: of Unicode it escapes halves of a character alone."""
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", written)


def length(text):
    """Characters as everybody counts them here: units of UTF-16."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _no(what):
    raise Refused(f"{what} is no number here")


def load(text):
    """JSON in its one spelling: no white space, no member twice, one form of each number and string."""
    try:
        value = json.loads(text, parse_float=_no, parse_constant=_no)
    except ValueError as error:
        raise Refused("not JSON") from error
    need(dump(value) == text, "not in canonical form")
    return value


def shape(value, members):
    """An object with exactly these members, in this order."""
    need(isinstance(value, dict) and list(value) == members.split(), f"not an object with {members}")
    return value


def number(value, least=0, most=2**53 - 1):
    need(type(value) is int and least <= value <= most, f"{value} is not a number from {least} on")
    return value


def seconds(value):
    return number(value, 1_600_000_000, 9_999_999_999)


def match(pattern, value):
    need(isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) is not None, f"{value!r} is not {pattern}")
    return value


def un64(text):
    """base64url without padding, unused bits zero."""
    match("[A-Za-z0-9_-]+", text)
    need(len(text) % 4 != 1, "no base64url")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    need(to64(data) == text, "no canonical base64url")
    return data


def to64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def point_of(jwk):
    shape(jwk, "kty crv x y")
    need((jwk["kty"], jwk["crv"]) == ("EC", "P-256"), "another kind of key")
    x, y = un64(jwk["x"]), un64(jwk["y"])
    need(len(x) == len(y) == 32, "another length of a key")
    return int.from_bytes(x, "big"), int.from_bytes(y, "big")


def thumbprint(jwk):
    point_of(jwk)
    return to64(sha256(dump({name: jwk[name] for name in ("crv", "kty", "x", "y")}).encode()))


def fingerprint(kid):
    return un64(kid).hex()


def checksum(digits):
    """EIP-55 spelling of 40 lower-case hex digits."""
    found = keccak256(digits.encode()).hex()
    return "0x" + "".join(c.upper() if int(found[at], 16) >= 8 else c for at, c in enumerate(digits))


def signer_of(statement, signature):
    """The address whose device signed the statement (EIP-191)."""
    match("0x[0-9a-f]{128}1[bc]", signature)
    data = bytes.fromhex(signature[2:])
    text = statement.encode()
    digest = keccak256(b"\x19Ethereum Signed Message:\n" + str(len(text)).encode() + text)
    key = secp256k1_recover(digest, int.from_bytes(data[:32], "big"), int.from_bytes(data[32:64], "big"), data[64] - 27)
    need(key is not None, "no signature of a device")
    return checksum(keccak256(key[1:])[12:].hex())


def amount(units, decimals):
    """Exact; at least two decimals where the asset has them, and no further trailing zeros."""
    digits = str(units).rjust(decimals + 1, "0")
    whole, fraction = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
    fraction = fraction.rstrip("0").ljust(min(2, decimals), "0")
    return f"{whole}.{fraction}" if fraction else whole


def units(decimal):
    """Exact decimals as whole numbers of one small unit: to be compared."""
    whole, _, fraction = match(r"(0|[1-9][0-9]*)(\.[0-9]+)?", decimal).partition(".")
    return int(whole + fraction.ljust(100, "0"))


def minute(at):
    need(at % 60 == 0, "not a whole minute")
    return time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(at))


def statement(request, parts, digest):
    """The line that a device shows: the verb's own parts, and what every statement ends with."""
    quorum = request["quorum"]
    line = (
        f"{parts}; needs {quorum['threshold']} of {len(quorum['people'])}; policy {request['policy']['n']}"
        f"; request {request['request']}; expires {minute(request['exp'])}; digest {digest}"
        f"; OpenCustody v1 {fingerprint(request['iss'])[:8]}"
    )
    need(len(line) <= 1024 and re.fullmatch("[ -~]+", line) and "  " not in line, "a statement that no device shows")
    need(line.replace(f"; digest {digest}", "; digest {digest}") == request["statement"], "another statement")
    return line
