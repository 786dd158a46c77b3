"""A node's API asked for what its shell would be asked: answers in the same form, so that one reader does.

The API shows settings, not files: what it says of them is written as Proxmox would write the file. What it
does not show at all is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from ...dialects import lxc_conf, qemu_conf
from ...errors import HostError, did_you_mean
from ...proxmox.api import Api, NotAllowedError
from . import https_files
from .found import Left
from .questions import QUESTIONS

UNSEEN = ("zfs_pool", "zfs_dataset", "zfs_arc", "nfs_export", "samba_share")
"""Kinds of which the API shows nothing, or too little to declare them."""
SHOWN_BETTER = frozenset({"firewalls", "network"})
"""Answers that a shell gives better: which file says it, and whose it is."""
WHY = "Proxmox's API does not show enough of it: it needs a shell on the node"


class Seen(NamedTuple):
    """What an API told."""

    answers: dict[str, str]
    """As `questions.ask` returns them; those that it cannot give are missing."""
    left: list[Left]
    """What it would not show to this token."""


def ask(api: Api, node: str) -> Seen:
    """Return what the API says of a node. Raises HostError."""
    name = _its_name(api, node)
    found = Seen({"name": f"{name}\n"}, [])
    lacking = api.lacking()
    if lacking:
        why = f"the token lacks {', '.join(lacking)} at `/` (the role PVEAuditor has them): what it may not "
        found.left.append(Left("api", "", f"{why}see is not even listed here"))
    readers: dict[str, tuple[str, Callable[[], str]]] = {
        "memory": ("hardware", lambda: _memory(api, name)),
        "storages": ("pve_storage", lambda: https_files.storages(api.rows("storage"))),
        "users": ("pve_user", lambda: _people(api)),
        "network": ("network_interface", lambda: https_files.interfaces(api.rows(f"nodes/{name}/network"))),
        "backups": ("backup_job", lambda: https_files.jobs(api.rows("cluster/backup"))),
    }
    for answer, (kind, read) in readers.items():
        try:
            found.answers[answer] = read()
        except NotAllowedError as refused:
            found.left.append(Left(kind, "", f"the API does not show it: {refused}"))
    vmids = _guests(api, name, found)
    found.answers["firewalls"] = _firewalls(api, name, vmids, found.left)
    return found


def completed(seen: Seen, shell: Mapping[str, str] | None) -> dict[str, str]:
    """Return all answers: those of a shell for what the API does not show; empty ones without a shell."""
    if shell is None:
        seen.left.extend(Left(kind, "", WHY) for kind in UNSEEN)
        return {**dict.fromkeys(QUESTIONS, ""), **seen.answers}
    return {**shell, **{name: text for name, text in seen.answers.items() if name not in SHOWN_BETTER}}


def _its_name(api: Api, node: str) -> str:
    nodes = [str(row.get("node", "")) for row in api.rows("nodes")]
    if node in nodes:
        return node
    hint = did_you_mean(node, nodes) or f"it has {', '.join(nodes) or 'none'}"
    raise HostError(f"{api.to.url}: there is no node `{node}` in that cluster", hint=hint)


def _memory(api: Api, node: str) -> str:
    total = api.settings(f"nodes/{node}/status").get("memory", {}).get("total", 0)
    return f"MemTotal: {int(total) // 1024} kB\n" if total else ""


def _people(api: Api) -> str:
    return https_files.people(
        api.rows("access/users", full=1),
        api.rows("access/groups"),
        api.rows("access/roles"),
        api.rows("access/acl"),
    )


def _guests(api: Api, node: str, found: Seen) -> dict[str, str]:
    """Read containers and machines; returns VMID → `lxc` or `qemu`."""
    vmids: dict[str, str] = {}
    for sort, answer, runs in (
        ("lxc", "containers", "running"),
        ("qemu", "machines", "machines_running"),
    ):
        confs, running = [], []
        for row in sorted(api.rows(f"nodes/{node}/{sort}"), key=lambda row: int(row["vmid"])):
            vmid = str(row["vmid"])
            try:
                config = api.settings(f"nodes/{node}/{sort}/{vmid}/config")
            except NotAllowedError as refused:
                kind = "lxc" if sort == "lxc" else "vm"
                found.left.append(Left(kind, vmid, f"the API does not show it: {refused}"))
                continue
            vmids[vmid] = sort
            confs.append(f"==> {vmid}.conf <==\n{_conf(sort, config)}")
            running += [vmid] if row.get("status") == "running" else []
        found.answers[answer] = "\n".join(confs)
        end = "\n" if sort == "lxc" else ".scope\n"
        found.answers[runs] = "".join(f"{vmid}{end}" for vmid in running)
    return vmids


def _conf(sort: str, config: Mapping[str, Any]) -> str:
    """Return a guest's settings as its conf file: as they will be after its next start."""
    left_out = ("description", "digest", "lxc", "pending", "snapshots", "parent")
    keys = {key: https_files.plain(value) for key, value in config.items() if key not in left_out}
    raw = tuple((str(key), str(value)) for key, value in config.get("lxc") or ())
    description = str(config.get("description") or "").rstrip("\n")
    section = lxc_conf.Section(description, keys, raw)
    write = lxc_conf.write if sort == "lxc" else qemu_conf.write
    return write(lxc_conf.Conf(section, lxc_conf.Section(), {}))


def _firewalls(api: Api, node: str, vmids: Mapping[str, str], left: list[Left]) -> str:
    places: list[tuple[str, str, str]] = [
        ("firewall_cluster", "", "cluster/firewall"),
        ("firewall_node", "", f"nodes/{node}/firewall"),
        *(("firewall_guest", vmid, f"nodes/{node}/{sort}/{vmid}/firewall") for vmid, sort in vmids.items()),
    ]
    files = {}
    for kind, vmid, place in places:
        try:
            text = https_files.firewall(_firewall(api, kind, place))
        except NotAllowedError as refused:
            left.append(Left(kind, vmid, f"the API does not show it: {refused}"))
            continue
        if text:
            files[https_files.firewall_path(kind, vmid)] = text
    return https_files.joined(files)


def _firewall(api: Api, kind: str, place: str) -> https_files.Policy:
    """Ask for all parts of one file; a node's has neither names nor groups."""
    names = kind != "firewall_node"
    sets = api.rows(f"{place}/ipset") if names else []
    groups = api.rows(f"{place}/groups") if kind == "firewall_cluster" else []
    return https_files.Policy(
        api.settings(f"{place}/options"),
        api.rows(f"{place}/rules"),
        api.rows(f"{place}/aliases") if names else [],
        [(one, api.rows(f"{place}/ipset/{one['name']}")) for one in sets],
        [(one, api.rows(f"{place}/groups/{one['group']}")) for one in _named(groups)],
    )


def _named(groups: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [group for group in groups if group.get("group")]
