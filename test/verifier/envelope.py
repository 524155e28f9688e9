"""Signed messages: protocol/README.md, "Envelopes"."""

import json

from curve import p256_verifies
from forms import Refused, load, match, need, point_of, sha256, shape, un64
from messages import MESSAGES
from shapes import TIME


def peek(jws):
    """Header and payload, unverified: only to choose what to verify it by."""
    parts = jws.split(".")
    need(len(parts) == 3, "no compact JWS")
    try:
        return tuple(json.loads(un64(part).decode()) for part in parts[:2])
    except ValueError as error:
        raise Refused("no compact JWS") from error


def open_jws(jws, name, keys, audience, now):
    """A message of this type under one of `keys` (thumbprint to JWK). Returns its payload and the payload's exact text."""
    header, payload, signature = (un64(part) for part in match(r"[\w-]+\.[\w-]+\.[\w-]+", jws).split("."))
    head = shape(load(header.decode()), "alg typ kid")
    need(head["alg"] == "ES256" and head["typ"] == f"oc-{name}+jws", f"not of type {name}")
    need(head["kid"] in keys, "of a key that is not known here")
    need(len(signature) == 64, "no ES256 signature")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    signed = sha256(jws.rsplit(".", 1)[0].encode())
    need(p256_verifies(*point_of(keys[head["kid"]]), signed, r, s), "its signature does not verify")
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        raise Refused("not UTF-8") from error
    claims = load(text)
    MESSAGES[name](claims)
    need(claims["iss"] == head["kid"], "not of its issuer")
    need(audience in claims["aud"], "meant for somebody else")
    need(claims["iat"] <= now + 120, "from the future")
    need(claims["exp"] > now and claims["exp"] > claims["iat"], "expired")
    return claims, text


def claims_of(jws):
    """What a message says of itself, unverified."""
    claims = peek(jws)[1]
    need(type(claims) is dict and type(claims.get("iss")) is str and type(claims.get("aud")) is list, "malformed")
    need(claims["aud"] and all(type(one) is str for one in claims["aud"]), "malformed")
    TIME(claims.get("iat"))
    return claims
