"""What Proxmox's API says of settings, as the files in which Proxmox keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from ...dialects import firewall_fw as fw
from ...firewall.sight import NODE_FILE
from . import texts

Row = Mapping[str, Any]
joined = texts.joined
_OF_A_STORAGE = frozenset({"storage", "type", "digest"})
_OF_A_JOB = frozenset({"id", "type", "digest", "next-run", "comment"})
_WRITTEN = (
    "cidr", "cidr6", "gateway", "gateway6", "mtu", "bridge_ports", "bridge_stp", "bridge_fd",
    "bridge_vlan_aware", "bridge_vids", "slaves", "bond_mode", "bond-primary", "bond_xmit_hash_policy",
    "vlan-raw-device", "vlan-id",
)  # fmt: skip
_CALLED = {"cidr": "address", "cidr6": "address", "gateway6": "gateway", "slaves": "bond-slaves"}
_SIX = frozenset({"cidr6", "gateway6"})


class Policy(NamedTuple):
    """All parts of one file of the firewall."""

    options: Row
    rules: Sequence[Row]
    aliases: Sequence[Row] = ()
    sets: Sequence[tuple[Row, Sequence[Row]]] = ()
    """Each with its members."""
    groups: Sequence[tuple[Row, Sequence[Row]]] = ()
    """Each with its rules."""


def plain(value: Any) -> str:
    """Return a value as files have it: switches as 0 and 1, several properties as one text."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, dict):
        return ",".join(f"{key}={plain(one)}" for key, one in sorted(value.items()))
    if isinstance(value, list):
        return ",".join(map(plain, value))
    return str(value)


def storages(rows: Iterable[Row]) -> str:
    """Return storage.cfg."""
    return "\n".join(f"{row['type']}: {row['storage']}\n" + _options(row, _OF_A_STORAGE) for row in rows)


def jobs(rows: Iterable[Row]) -> str:
    """Return jobs.cfg."""
    found = []
    for row in rows:
        comment = quote(str(row["comment"]), safe=" ") if row.get("comment") else ""
        said = f"\tcomment {comment}\n" if comment else ""
        found.append(f"{row.get('type') or 'vzdump'}: {row['id']}\n{said}" + _options(row, _OF_A_JOB))
    return "\n".join(found)


def _options(row: Row, without: frozenset[str]) -> str:
    return "".join(
        f"\t{key} {plain(value)}\n"
        for key, value in row.items()
        if key not in without and value is not None and plain(value) != ""
    )


def people(users: Iterable[Row], groups: Iterable[Row], roles: Iterable[Row], access: Iterable[Row]) -> str:
    """Return user.cfg, without what the API does not show: keys of a second factor."""
    return "".join(f"{':'.join(map(_field, line))}:\n" for line in _people(users, groups, roles, access))


def _people(
    users: Iterable[Row], groups: Iterable[Row], roles: Iterable[Row], access: Iterable[Row]
) -> Iterator[tuple[Any, ...]]:
    for user in users:
        texts_of = (user.get(key) for key in ("firstname", "lastname", "email", "comment"))
        yield "user", user["userid"], user.get("enable", 1), user.get("expire", 0), *texts_of
        for token in user.get("tokens") or ():
            name = f"{user['userid']}!{token['tokenid']}"
            yield "token", name, token.get("expire", 0), token.get("privsep", 1), token.get("comment")
    for group in groups:
        yield "group", group["groupid"], group.get("users"), group.get("comment")
    for role in roles:
        if not int(role.get("special") or 0):
            yield "role", role["roleid"], role.get("privs")
    for one in access:
        who = f"{'@' if one['type'] == 'group' else ''}{one['ugid']}"
        yield "acl", one.get("propagate", 1), one["path"], who, one["roleid"]


def _field(value: Any) -> str:
    return "" if value is None else quote(plain(value), safe=" @!,/.-_=+")


def interfaces(rows: Iterable[Row]) -> str:
    """Return /etc/network/interfaces, in an answer as of a shell. Plain ones that are only there are none."""
    lines: list[str] = []
    for row in rows:
        if row.get("exists") and row.get("method", "manual") == "manual" and not row.get("autostart"):
            continue
        name = str(row["iface"])
        lines += [f"auto {name}"] if row.get("autostart") else []
        given = {key: plain(row[key]) for key in _WRITTEN if key in row}
        four = [f"iface {name} inet {row.get('method') or 'manual'}"]
        four += [_line(key, value) for key, value in given.items() if key not in _SIX]
        four += [f"\t{option}" for option in row.get("options") or ()]
        six = [_line(key, value) for key, value in given.items() if key in _SIX]
        if six or "inet6" in (row.get("families") or ()):
            six = [f"iface {name} inet6 {row.get('method6') or 'manual'}", *six]
        lines += [*four, *six, ""]
    return joined({"/etc/network/interfaces": "".join(f"{line}\n" for line in lines)})


def _line(key: str, value: str) -> str:
    called = _CALLED.get(key, key.replace("_", "-"))
    if called == "bridge-ports" and not value:
        value = "none"
    if called == "bridge-vlan-aware":
        value = "yes" if value == "1" else "no"
    return f"\t{called} {value}"


def firewall_path(kind: str, vmid: str) -> str:
    """Return where a file of the firewall is."""
    if kind == "firewall_cluster":
        return fw.CLUSTER
    return NODE_FILE if kind == "firewall_node" else f"{fw.FOLDER}/{vmid}.fw"


def firewall(found: Policy) -> str:
    """Return a file of the firewall; empty where the API has nothing to say."""
    options = {key: plain(value) for key, value in found.options.items() if key != "digest"}
    policy = fw.Firewall(
        {name: fw.option(name, value) for name, value in options.items()},
        {
            str(one["name"]): fw.Alias(fw.address(str(one["cidr"])), str(one.get("comment") or ""))
            for one in found.aliases
        },
        {
            str(one["name"]): fw.Set(tuple(map(_member, members)), str(one.get("comment") or ""))
            for one, members in found.sets
        },
        {
            str(one["group"]): fw.Group(tuple(map(_rule, rules)), str(one.get("comment") or ""))
            for one, rules in found.groups
        },
        tuple(map(_rule, found.rules)),
    )
    if policy == fw.Firewall():
        return ""
    return fw.write(policy, "").partition("\n")[2]  # whose file it is, the API does not say


def _member(row: Row) -> fw.Member:
    return fw.Member(fw.address(str(row["cidr"])), str(row.get("comment") or ""), bool(row.get("nomatch")))


def _rule(row: Row) -> fw.Rule:
    named = {"interface": "iface", "icmp_type": "icmp-type"}
    fields = (
        "macro",
        "interface",
        "source",
        "dest",
        "proto",
        "dport",
        "sport",
        "log",
        "icmp_type",
        "comment",
    )
    said = {name: str(row.get(named.get(name, name)) or "") for name in fields}
    said["comment"] = said["comment"].strip()
    enabled = bool(int(row.get("enable", 0) or 0))
    return fw.canonical(fw.Rule(str(row["type"]).upper(), str(row["action"]), **said, enabled=enabled))
