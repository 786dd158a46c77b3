"""A Proxmox API that is not ours: `PYTHON standin_server.py CERTIFICATE KEY`, with the Python of fakepve.

Prints its port once it listens. What is on it is said by JSON on stdin: tokens (id → value), grants, guests,
storages. It ends with its stdin.
"""

import asyncio
import json
import sys

from fakepve import FakePve


async def serve(certificate: str, key: str) -> None:
    said = json.loads(sys.stdin.readline())
    pve = FakePve(host="127.0.0.1", port=0)
    for node in said["nodes"]:
        pve.add_node(node)
    pve.nodes = {name: pve.nodes[name] for name in said["nodes"]}
    pve.apitokens.update(said["tokens"])
    for user, path, *privileges in said["grants"]:
        pve.grant(user, path, *privileges)
    for guest in said["guests"]:
        add = pve.add_ct if guest.pop("type") == "lxc" else pve.add_vm
        add(**guest)
    for name, storage in said["storages"].items():
        pve.storages[name] = {"active": 1, "files": set(), **storage}
    await pve.start(certificate, key)
    print(pve.port, flush=True)  # noqa: T201  (a program of its own)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await pve.stop()


asyncio.run(serve(*sys.argv[1:]))
