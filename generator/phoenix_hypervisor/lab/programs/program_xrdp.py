"""xrdp: the first two messages of a remote desktop ([MS-RDPBCGR] 1.3.1.1), as xrdp 0.9 answers; no session.

It offers TLS where it may read the machine's key: when it was started, its user `xrdp` was in the group
`ssl-cert`, by /etc/group or by its unit's SupplementaryGroups=. That is how its package leaves it: not.
"""

import _thread
import os
import re
import socket
import sys

import web

SETTINGS = "/etc/xrdp/xrdp.ini"
DROP_INS = "/etc/systemd/system/xrdp.service.d"
REQUEST, CONFIRM = 0xE0, 0xD0
ASKS, GRANTS, REFUSES = 1, 2, 3
PLAIN, TLS = 0, 1
TLS_REQUIRED, NO_CERTIFICATE = 1, 3
LONGEST = 30.0


def main(argv: list[str]) -> int:
    if argv in (["-v"], ["--version"]):
        print("xrdp 0.9.24\n  A Remote Desktop Protocol Server.")
        return 0
    if argv not in (["--nodaemon"], ["-n"]):
        print(f"xrdp: not simulated: {' '.join(argv)}", file=sys.stderr)
        return 70
    settings = _settings()
    readable = may_read_key()
    if not readable:
        print("[ERROR] Cannot read private key file /etc/xrdp/key.pem: Permission denied", flush=True)
    port = settings.get("port", "3389")
    if not port.isdecimal():
        print(f"xrdp: not simulated: port={port}", file=sys.stderr)
        return 70
    try:
        taken = web.listen("0.0.0.0", int(port))  # noqa: S104  (as it does)
    except OSError as error:
        print(f"[ERROR] xrdp_listen: cannot listen on port {port}: {error.strerror}", file=sys.stderr)
        return 1
    print(f"[INFO ] listening to port {port} on 0.0.0.0", flush=True)
    web.ready()
    layer = settings.get("security_layer", "negotiate")
    while True:
        connection, _ = taken.accept()
        _thread.start_new_thread(_converse, (connection, layer, readable))


def may_read_key() -> bool:
    """Tell whether a program that is started now as the user `xrdp` is in the group `ssl-cert`."""
    found = re.search(r"^ssl-cert:[^:]*:[^:]*:(.*)$", _text("/etc/group"), re.MULTILINE)
    members = found[1].split(",") if found else []
    names = sorted(os.listdir(DROP_INS)) if os.path.isdir(DROP_INS) else []
    text = "\n".join(_text(f"{DROP_INS}/{name}") for name in names if name.endswith(".conf"))
    more = " ".join(re.findall(r"^\s*SupplementaryGroups\s*=(.*)$", text, re.MULTILINE))
    return "xrdp" in members or "ssl-cert" in more.split()


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def _settings() -> dict[str, str]:
    """Return the settings in [Globals]."""
    part = _text(SETTINGS).partition("[Globals]")[2].partition("\n[")[0]
    pairs = (line.partition("=") for line in part.splitlines() if "=" in line and line[0] not in "#;")
    return {key.strip(): value.strip() for key, _, value in pairs}


def _converse(connection: socket.socket, layer: str, readable: bool) -> None:
    try:
        connection.settimeout(LONGEST)
        stream = connection.makefile("rb")
        head = stream.read(4)
        if len(head) < 4 or head[0] != 3:
            return
        rest = stream.read(max(0, int.from_bytes(head[2:4], "big") - 4))
        if len(rest) >= 7 and rest[1] == REQUEST:
            connection.sendall(answer(_wanted(rest[7:]), layer, readable))
        # what comes then is TLS, and a session: not simulated
    except OSError:
        return  # whoever asked has gone
    finally:
        connection.close()


def _wanted(data: bytes) -> int | None:
    """Return the protocols that a client asks for, behind its cookie; None where it does not negotiate."""
    if data.startswith(b"Cookie:"):
        data = data.partition(b"\r\n")[2]
    return int.from_bytes(data[4:8], "little") if len(data) >= 8 and data[0] == ASKS else None


def answer(wanted: int | None, layer: str, readable: bool) -> bytes:
    """Return the Connection Confirm for who asks for these protocols."""
    able = wanted is not None and bool(wanted & TLS)
    if wanted is None:
        negotiated = b""
    elif layer == "tls" and not (able and readable):
        negotiated = _part(REFUSES, 0, NO_CERTIFICATE if able else TLS_REQUIRED)
    else:
        negotiated = _part(GRANTS, 1, TLS if able and readable and layer != "rdp" else PLAIN)
    length = 7 + len(negotiated)
    head = bytes([3, 0, 0, 4 + length, length - 1, CONFIRM, 0, 0, 0x12, 0x34, 0])
    return head + negotiated


def _part(kind: int, flags: int, number: int) -> bytes:
    return bytes([kind, flags, 8, 0]) + number.to_bytes(4, "little")
