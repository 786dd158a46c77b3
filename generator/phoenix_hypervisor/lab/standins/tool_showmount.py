"""showmount -e: what an NFS server offers."""

import sys

import model
import units
from exports_table import Log, address_of, exported


def main(argv: list[str]) -> int:
    flags = [word for word in argv if word.startswith("-")]
    hosts = [word for word in argv if not word.startswith("-")] or [
        str(model.read().get("hostname", "localhost"))
    ]
    if (
        not set(flags) & {"-e", "--exports"}
        or set(flags) - {"-e", "--exports", "--no-headers"}
        or len(hosts) > 1
    ):
        model.not_simulated("showmount", argv)
    own = hosts[0] == model.read().get("hostname")
    if not own and address_of(hosts[0]) is None:
        print("clnt_create: RPC: Unknown host", file=sys.stderr)
        return 1
    if not units.active(model.read(), "nfs-server"):
        print("clnt_create: RPC: Program not registered", file=sys.stderr)
        return 1
    if "--no-headers" not in flags:
        print(f"Export list for {hosts[0]}:")
    offered: dict[str, list[str]] = {}
    for export in exported(Log()):
        offered.setdefault(export.path, []).append(export.client)
    width = max(map(len, offered), default=0)
    for path, clients in offered.items():
        # One client that is everybody hides the others.
        print(f"{path:<{width}} {'*' if '*' in clients else ','.join(c or '(everyone)' for c in clients)}")
    return 0
