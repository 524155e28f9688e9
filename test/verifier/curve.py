"""Short Weierstrass curves, ECDSA and keccak-256, with Python's standard library alone. Slow, not constant-time, and only for verifying."""

from functools import lru_cache


class Curve:
    """y^2 = x^3 + ax + b over the integers modulo p, with a base point g of order n."""

    def __init__(self, p, a, b, n, gx, gy):
        self.p, self.a, self.b, self.n, self.g = p, a, b, n, (gx, gy)

    def has(self, point):
        x, y = point
        return 0 <= x < self.p and 0 <= y < self.p and (y * y - (x * x * x + self.a * x + self.b)) % self.p == 0

    def _double(self, point):
        x, y, z = point
        p = self.p
        if y == 0:
            return (0, 1, 0)
        s = 4 * x * y * y % p
        m = (3 * x * x + self.a * pow(z, 4, p)) % p
        nx = (m * m - 2 * s) % p
        return (nx, (m * (s - nx) - 8 * pow(y, 4, p)) % p, 2 * y * z % p)

    def _add(self, one, other):
        if one[2] == 0:
            return other
        if other[2] == 0:
            return one
        p = self.p
        (x1, y1, z1), (x2, y2, z2) = one, other
        u1, u2 = x1 * z2 * z2 % p, x2 * z1 * z1 % p
        s1, s2 = y1 * pow(z2, 3, p) % p, y2 * pow(z1, 3, p) % p
        if u1 == u2:
            return self._double(one) if s1 == s2 else (0, 1, 0)
        h, r = (u2 - u1) % p, (s2 - s1) % p
        h2 = h * h % p
        h3, v = h * h2 % p, u1 * h2 % p
        x = (r * r - h3 - 2 * v) % p
        return (x, (r * (v - x) - s1 * h3) % p, h * z1 * z2 % p)

    def sum(self, k, one, m, other):
        """k * one + m * other in affine coordinates; None for the point at infinity."""
        a, b = (*one, 1), (*other, 1)
        both, total = self._add(a, b), (0, 1, 0)
        for bit in range(max(k.bit_length(), m.bit_length()) - 1, -1, -1):
            total = self._double(total)
            bits = (k >> bit & 1, m >> bit & 1)
            if bits != (0, 0):
                total = self._add(total, {(1, 0): a, (0, 1): b, (1, 1): both}[bits])
        x, y, z = total
        if z == 0:
            return None
        inverse = pow(z, -1, self.p)
        return (x * inverse**2 % self.p, y * inverse**3 % self.p)

    def verify(self, point, digest, r, s):
        if not (self.has(point) and 0 < r < self.n and 0 < s < self.n):
            return False
        w = pow(s, -1, self.n)
        found = self.sum(int.from_bytes(digest, "big") * w % self.n, self.g, r * w % self.n, point)
        return found is not None and found[0] % self.n == r

    def recover(self, digest, r, s, odd):
        """The public key that signed; None where there is none, or s is in the upper half."""
        if not (0 < r < self.n and 0 < s <= self.n // 2):
            return None
        y = pow(r**3 + self.a * r + self.b, (self.p + 1) // 4, self.p)
        if y % 2 != odd:
            y = self.p - y
        if not self.has((r, y)):
            return None
        w = pow(r, -1, self.n)
        return self.sum(-int.from_bytes(digest, "big") * w % self.n, self.g, s * w % self.n, (r, y))


P256 = Curve(
    2**256 - 2**224 + 2**192 + 2**96 - 1,
    -3,
    0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
SECP256K1 = Curve(
    2**256 - 2**32 - 977,
    0,
    7,
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)


@lru_cache(maxsize=100_000)
def p256_verifies(x, y, digest, r, s):
    return P256.verify((x, y), digest, r, s)


@lru_cache(maxsize=100_000)
def secp256k1_recover(digest, r, s, odd):
    """The 65 bytes of the uncompressed public key, or None."""
    point = SECP256K1.recover(digest, r, s, odd)
    return None if point is None else b"\x04" + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")


def _round_constants():
    """FIPS 202, section 3.2.5."""
    constants, register = [], 1
    for _ in range(24):
        constant = 0
        for j in range(7):
            constant |= (register & 1) << (2**j - 1)
            register <<= 1
            if register & 0x100:
                register ^= 0x171
        constants.append(constant)
    return constants


_CONSTANTS = _round_constants()
_MASK = 2**64 - 1


def _permute(lanes):
    for constant in _CONSTANTS:
        c = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        d = [c[x - 1] ^ (c[(x + 1) % 5] << 1 | c[(x + 1) % 5] >> 63) & _MASK for x in range(5)]
        lanes = [lane ^ d[at % 5] for at, lane in enumerate(lanes)]
        x, y, moved, turned = 1, 0, lanes[1], list(lanes)
        for t in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            shift = (t + 1) * (t + 2) // 2 % 64
            turned[x + 5 * y], moved = (moved << shift | moved >> (64 - shift)) & _MASK, lanes[x + 5 * y]
        lanes = [
            turned[at] ^ ~turned[at - at % 5 + (at + 1) % 5] & turned[at - at % 5 + (at + 2) % 5] for at in range(25)
        ]
        lanes[0] ^= constant
    return lanes


@lru_cache(maxsize=10_000)
def keccak256(data):
    """As Ethereum uses it: the padding of Keccak, not of SHA-3."""
    rate = 136
    padded = bytearray(data) + b"\x01" + b"\x00" * (rate - 1 - len(data) % rate)
    padded[-1] |= 0x80
    lanes = [0] * 25
    for begin in range(0, len(padded), rate):
        for at in range(rate // 8):
            lanes[at] ^= int.from_bytes(padded[begin + 8 * at : begin + 8 * at + 8], "little")
        lanes = _permute(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])
