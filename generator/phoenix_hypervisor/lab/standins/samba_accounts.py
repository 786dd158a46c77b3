"""Samba's own accounts (its passdb) in the model's "samba_users": NT hash, flags, time of the last change."""

import model

EMPTY_LANMAN = "X" * 32


def md4(data: bytes) -> bytes:
    """Return the MD4 digest (RFC 1320); hashlib offers it only where OpenSSL's legacy provider is loaded."""
    mask = 0xFFFFFFFF
    padded = data + b"\x80" + bytes((55 - len(data)) % 64) + (8 * len(data)).to_bytes(8, "little")
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    for start in range(0, len(padded), 64):
        block = [int.from_bytes(padded[start + i : start + i + 4], "little") for i in range(0, 64, 4)]
        a, b, c, d = state
        for step in range(48):
            index, shift = _step(step)
            mixed = (_round(step // 16, b, c, d) + a + block[index]) & mask
            a, b, c, d = d, (mixed << shift | mixed >> (32 - shift)) & mask, b, c
        state = [(old + new) & mask for old, new in zip(state, (a, b, c, d), strict=True)]
    return b"".join(word.to_bytes(4, "little") for word in state)


def _step(step: int) -> tuple[int, int]:
    """Return which word of the block a step takes and by how much it rotates."""
    number, at = divmod(step, 16)
    if number == 0:
        return at, (3, 7, 11, 19)[at % 4]
    if number == 1:
        return at // 4 + at % 4 * 4, (3, 5, 9, 13)[at % 4]
    return (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15)[at], (3, 9, 11, 15)[at % 4]


def _round(number: int, x: int, y: int, z: int) -> int:
    if number == 0:
        return x & y | ~x & z
    if number == 1:
        return (x & y | x & z | y & z) + 0x5A827999
    return (x ^ y ^ z) + 0x6ED9EBA1


def nt_hash(password: str) -> str:
    """Return the hash that Samba keeps of a password."""
    return md4(password.encode("utf-16-le")).hex().upper()


def users(state: model.Model) -> dict[str, dict[str, str]]:
    return model.section(state, "samba_users")


def flags_of(record: dict[str, str]) -> str:
    return f"[{record['flags']:<11}]"


def store(state: model.Model, name: str, password: str) -> None:
    """Set a user's password, and make the account if there is none."""
    import time

    found = users(state)
    if name not in found:
        # Relative ids are never used twice, not even after a deletion.
        state["samba_next_rid"] = int(state.get("samba_next_rid", 1000)) + 1
        found[name] = {"rid": str(state["samba_next_rid"] - 1), "flags": "U"}
    found[name].update(nt=nt_hash(password), changed=str(int(time.time())))


def enable(record: dict[str, str], on: bool) -> None:
    """Set or clear the flag D (disabled), which stands first."""
    record["flags"] = ("" if on else "D") + record["flags"].replace("D", "")


def domain_sid(host: str) -> str:
    """Return a SID that stays the same for a host name."""
    import zlib

    parts = (zlib.crc32(f"{salt}{host}".encode()) for salt in "abc")
    return "S-1-5-21-" + "-".join(map(str, parts))
