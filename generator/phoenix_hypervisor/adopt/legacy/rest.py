"""What is not taken over: what means nothing any more, what there is no kind for, what nobody knows."""

from __future__ import annotations

from ...config.tree import Path
from ...errors import Problem
from ...secrets import Secret
from . import machines
from .estate import Estate, each
from .ledger import REFUSED, Part
from .source import CONTAINERS, HYPERVISOR, spelled

_UNREAD = "declared, and read by no script"
_OBSOLETE: dict[tuple[str, ...], str] = {
    ("version",): _UNREAD,
    ("author",): _UNREAD,
    ("core_paths",): "paths of the predecessor's own files",
    ("network", "external_registry_url"): _UNREAD,
    ("network", "portainer_server_port"): _UNREAD,
    ("network", "nfs_server"): "the node itself, whose address is said already",
    ("network", "portainer_server_ip"): "guests are called by name",
    ("network", "portainer_agent_port"): "it was looked up in another file, and never found",
    ("network", "default_subnet"): _UNREAD,
    ("network", "fallback_dns"): _UNREAD,
    ("docker",): "the scripts had images of their own",
    ("mount_point_base",): "ZFS mounts a dataset at its own name",
    ("proxmox_defaults",): _UNREAD,
    ("tests",): "`phoenix verify` looks at what is declared",
    ("behavior",): _UNREAD,
    ("nvidia_driver",): "not installed",
}
_NOT_YET = {
    ("portainer_api",): "not yet: there is no kind for Portainer",
    ("dns_server",): "not yet: there is no kind for a DNS server",
    ("step_ca",): "not yet: there is no kind for a certificate authority",
    ("shared_zfs_volumes",): "not yet: a volume that several guests write",
    ("domain_name",): "needs `network.interfaces.address`",
}
_ROOT_OF_CONTAINERS = {
    "$schema": "`phoenix schema` makes the schemas",
    "nvidia_driver_version": "said in the node's file already",
    "nvidia_repo_url": "the node's driver is the guests' driver",
    "nvidia_runfile_url": "said in the node's file already",
}
KNOWN = {
    *(path[0] for path in (*_OBSOLETE, *_NOT_YET)),
    *("users", "timezone", "network", "nfs", "samba", "zfs", "proxmox_storage_ids", "shared_volumes"),
    *("firewall", "lxc_configs", "vms", "docker_stacks", "vm_defaults", *_ROOT_OF_CONTAINERS),
}


def settle(estate: Estate) -> None:
    """Say of every leaf that nothing was said of what becomes of it."""
    for root in estate.of(HYPERVISOR):
        for table, say in ((_OBSOLETE, Part.obsolete), (_NOT_YET, Part.refused)):
            for path, why in table.items():
                if part := root.get(*path):
                    say(part, why)
    for root in (*estate.of(CONTAINERS), *estate.stacks()):
        for key, part in root.each():
            if key in _ROOT_OF_CONTAINERS:
                part.obsolete(_ROOT_OF_CONTAINERS[key])
            elif key == "docker_stacks":
                part.refused("no script read this file; a stack is declared as `compose_app`, in a guest")
    machines.settle(estate)
    _secrets(estate)
    _nobody_knows(estate)


def _secrets(estate: Estate) -> None:
    for name, part in secrets_of(estate):
        estate.decide(f"the value of `!secret {name}`: `phoenix secrets set {name}`", part)


def secrets_of(estate: Estate) -> list[tuple[str, Part]]:
    """Return the literal secrets of the input: each one's name, and where it stood."""
    found = []
    for file in estate.files:
        parts = [Part(estate.ledger, file, file.tree)]
        while parts:
            part = parts.pop()
            if isinstance(part.tree.value, Secret):
                found.append((part.tree.value.name, part))
            parts += [below for _, below in reversed([*each(part)])]
    return found


def _nobody_knows(estate: Estate) -> None:
    for file in estate.files:
        told: set[Path] = set()
        for path, leaf in estate.ledger.open(file):
            known = not path or str(path[0]) in KNOWN
            why = "not of a form that is understood" if known else "a key that nobody knows"
            if not file.sort:
                why = "the file is none of the predecessor's that is known"
            estate.ledger.settle(file.name, path, leaf, REFUSED, why=why)
            short = _key(path)
            if file.sort and path and short not in told and not isinstance(path[-1], int):
                told.add(short)
                message = f"`{spelled(short)}` is not understood: nothing was taken from it"
                estate.problems.append(
                    Problem(message, leaf.key or leaf.where, "mend it, or say it by hand", "V-03")
                )


def _key(path: Path) -> Path:
    """A leaf's path up to its first number; of a virtual machine, which has one itself, up to the second."""
    first = 2 if path[:1] == ("vms",) and len(path) > 2 else 0
    end = next((at for at, part in enumerate(path) if at >= first and isinstance(part, int)), len(path))
    return path[:end] or path
