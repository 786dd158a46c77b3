"""ss: the real one, once what is said to run really runs; without one, `ss -ltn` from the kernel's table."""

import os
import sys

import model
import runtime

REAL = ("/usr/bin/ss", "/bin/ss", "/usr/sbin/ss")
TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
LISTENING = "0A"
HEAD = ("State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port")


def main(argv: list[str]) -> int:
    try:
        runtime.look()
    except runtime.RuntimeDownError as error:
        print(f"ss: {error}", file=sys.stderr)
    for place in REAL:
        if os.access(place, os.X_OK):
            os.execv(place, ["ss", *argv])  # noqa: S606 - this process becomes the real tool
    signs = {sign for word in argv if word.startswith("-") and word[1:2] != "-" for sign in word[1:]}
    if not {"l", "t"} <= signs or signs - set("ltnH46") or any(not word.startswith("-") for word in argv):
        model.not_simulated("ss", argv)
    rows = [row for place in TABLES for row in _rows(place)]
    shown = rows if "H" in signs else [HEAD, *rows]
    widths = [max(len(row[at]) for row in shown) for at in range(len(HEAD))] if shown else []
    for row in shown:
        print(" ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _rows(place: str) -> list[tuple[str, ...]]:
    try:
        with open(place, encoding="ascii") as file:
            lines = [line.split() for line in file.readlines()[1:]]
    except FileNotFoundError:
        return []
    return [("LISTEN", "0", "128", _shown(line[1]), _any(line[2])) for line in lines if line[3] == LISTENING]


def _shown(text: str) -> str:
    """Return an address of the kernel's table, which is in the machine's own order of bytes."""
    address, _, port = text.partition(":")
    packed = b"".join(bytes.fromhex(address[at : at + 8])[::-1] for at in range(0, len(address), 8))
    from _socket import AF_INET, AF_INET6, inet_ntop

    plain = inet_ntop(AF_INET if len(packed) == 4 else AF_INET6, packed)
    return f"{plain if len(packed) == 4 else f'[{plain}]'}:{int(port, 16)}"


def _any(text: str) -> str:
    return ("0.0.0.0" if len(text) < 16 else "[::]") + ":*"  # noqa: S104  (what it prints)
