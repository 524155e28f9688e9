"""EIP-1559 transactions as OpenCustody builds them: protocol/README.md, "Request". RLP read, and written again to see that it has one form."""

from curve import keccak256, secp256k1_recover
from forms import amount, checksum, dump, match, need


def items(data):
    """The strings (and, of the access list, the list) in an RLP list that is all of `data`."""
    content, end, is_list = item(data, 0)
    need(is_list and end == len(data), "not one list")
    found, at = [], 0
    while at < len(content):
        one, at, is_list = item(content, at)
        found.append([] if is_list and one == b"" else one)
        need(not is_list or one == b"", "an access list")
    return found


def item(data, at):
    need(at < len(data), "cut")
    first = data[at]
    if first < 0x80:
        return data[at : at + 1], at + 1, False
    base = 0x80 if first < 0xC0 else 0xC0
    begin = at + 1
    length = first - base
    if length > 55:
        begin += length - 55
        length = int.from_bytes(data[at + 1 : begin], "big")
    need(begin + length <= len(data), "cut")
    return data[begin : begin + length], begin + length, base == 0xC0


def encode(value):
    def head(length, base):
        if length <= 55:
            return bytes([base + length])
        size = length.to_bytes((length.bit_length() + 7) // 8, "big")
        return bytes([base + 55 + len(size)]) + size

    if isinstance(value, list):
        content = b"".join(encode(one) for one in value)
        return head(len(content), 0xC0) + content
    return value if len(value) == 1 and value[0] < 0x80 else head(len(value), 0x80) + value


def decode(payload):
    """What the bytes do, read from the bytes; README.md, "Request"."""
    need(len(payload["sign"]) == 1, "not one transaction")
    raw, network, token = bytes.fromhex(match("([0-9a-f]{2})+", payload["sign"][0])), payload["network"], payload["token"]
    need(raw[0] == 2, "another type")
    fields = items(raw[1:])
    need(len(fields) == 9 and fields[8] == [] and raw == b"\x02" + encode(fields), "not canonical, or signed already")
    need(all(field == b"" or field[0] for field in fields[:5] + fields[6:7]), "a number with a leading zero")
    chain, nonce, _, fee, gas, value = (int.from_bytes(fields[at], "big") for at in (0, 1, 2, 3, 4, 6))
    to, data = fields[5], fields[7]
    need(f"eip155:{chain}" == network["id"] and len(to) == 20, "for another network, or to nobody")
    decimals, symbol, moved = network["decimals"], network["symbol"], value
    if token is not None:
        is_transfer = len(data) == 68 and data[:16] == bytes.fromhex("a9059cbb") + bytes(12) and value == 0
        need(is_transfer and checksum(to.hex()) == token["contract"], "no transfer of that token")
        to, moved, decimals, symbol = data[16:36], int.from_bytes(data[36:], "big"), token["decimals"], token["symbol"]
    else:
        need(data == b"", "it carries data")
    need(moved > 0, "it moves nothing")
    fees = f"{amount(gas * fee, network['decimals'])} {network['symbol']}"
    return {"amount": amount(moved, decimals), "asset": symbol, "to": checksum(to.hex()), "maxFee": fees, "nonce": nonce}


def send_parts(payload, done):
    need(dump(payload["effect"]) == dump(done), "its bytes do something else than it says")
    return (
        f"SEND {done['amount']} {done['asset']} TO {done['to']} ON {payload['network']['name']}"
        f" FROM {payload['vault']['name']}; max fee {done['maxFee']}"
    )


def gas_of(unsigned):
    fields = items(unsigned[1:])
    gas = {"limit": fields[4], "maxFeePerGas": fields[3], "maxPriorityFeePerGas": fields[2]}
    return {name: str(int.from_bytes(value, "big")) for name, value in gas.items()}


def check_signed(raw, unsigned, public_key):
    """The hash of `raw`, which is exactly `unsigned` with a signature of that key."""
    need(raw[:1] == b"\x02", "another type")
    fields = items(raw[1:])
    need(len(fields) == 12 and items(unsigned[1:]) == fields[:9], "other bytes than were approved")
    need(raw == b"\x02" + encode(fields) and fields[9] in (b"", b"\x01"), "not in its one form")
    r, s = (int.from_bytes(field, "big") for field in fields[10:])
    key = secp256k1_recover(keccak256(unsigned), r, s, 1 if fields[9] else 0)
    need(key is not None and key.hex() == public_key, "not signed by the vault's key")
    return f"0x{keccak256(raw).hex()}"
