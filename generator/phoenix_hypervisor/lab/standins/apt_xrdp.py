"""What xrdp's package brings: its settings, its user, and the group that may read the machine's key."""

import os

import accounts
import model

SETTINGS = """\
[Globals]
ini_version=1
fork=true
port=3389
tcp_nodelay=true
security_layer=negotiate
certificate=
key_file=
ssl_protocols=TLSv1.2, TLSv1.3
max_bpp=32

[Xorg]
name=Xorg
lib=libxup.so
username=ask
password=ask
port=-1
code=20
"""
KEY = "/etc/ssl/private/ssl-cert-snakeoil.key"
CERTIFICATE = "/etc/ssl/certs/ssl-cert-snakeoil.pem"
FILES = {
    "/etc/xrdp/xrdp.ini": SETTINGS,
    KEY: "the lab has no keys\n",
    CERTIFICATE: "the lab has no certificates\n",
}
LINKS = {"/etc/xrdp/key.pem": KEY, "/etc/xrdp/cert.pem": CERTIFICATE}


def installed() -> None:
    """Do what its scripts do: nobody is put into the group `ssl-cert`."""
    for path, text in FILES.items():
        place = model.path(path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        if not os.path.exists(place):
            with open(place, "w", encoding="ascii") as file:
                file.write(text)
    for path, target in LINKS.items():
        if not os.path.lexists(model.path(path)):
            os.symlink(target, model.path(path))
    for number, name in ((118, "ssl-cert"), (119, "xrdp")):
        if accounts.group(name) is None:
            _append("/etc/group", f"{name}:x:{number}:\n")
    if accounts.user("xrdp") is None:
        _append("/etc/passwd", "xrdp:x:119:119::/run/xrdp:/usr/sbin/nologin\n")


def _append(path: str, line: str) -> None:
    with open(model.path(path), "a", encoding="utf-8") as file:
        file.write(line)
