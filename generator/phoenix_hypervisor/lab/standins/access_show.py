"""What pveum prints: tables, JSON, and what somebody may do."""

import json
import os
import sys

import model
from access_config import Config
from access_roles import BUILT_IN, PRIVILEGES
from hints import Any

Rows = list[dict[str, Any]]
COLUMNS = {
    "user list": (
        "userid", "comment", "email", "enable", "expire", "firstname", "groups", "keys", "lastname",
        "realm-type", "tfa-locked-until", "tokens", "totp-locked",
    ),
    "role list": ("roleid", "privs", "special"),
    "acl list": ("path", "roleid", "type", "ugid", "propagate"),
    "user token list": ("tokenid", "comment", "expire", "privsep"),
    "pool list": ("poolid", "comment", "members"),
    "realm list": ("realm", "type", "comment", "tfa"),
}  # fmt: skip
NUMBERS = {"expire"}
"""Columns whose values are set to the right."""


def show(command: str, values: dict[str, str], config: Config) -> str:
    """Return the answer to a command that only looks."""
    if command == "user permissions":
        return _as_asked(_permissions(config, values["userid"]), values, command)
    return _as_asked(ROWS[command](config, values), values, command)


def single(found: dict[str, Any], values: dict[str, str]) -> str:
    """Return one thing, as a table of its keys or as JSON."""
    if values.get("output-format", "text") != "text":
        return _json(found, values)
    shown = {key: value if isinstance(value, str) else _dumped(value) for key, value in found.items()}
    return table(("key", "value"), [{"key": key, "value": value} for key, value in sorted(shown.items())])


def _as_asked(found: Any, values: dict[str, str], command: str) -> str:
    if values.get("output-format", "text") != "text":
        return _json(found, values)
    if command not in COLUMNS:
        model.not_simulated("pveum", [command, "without --output-format json"])
    return table(COLUMNS[command], sorted(found, key=lambda row: str(row[COLUMNS[command][0]])))


def _json(found: Any, values: dict[str, str]) -> str:
    if values["output-format"] == "json-pretty":
        return json.dumps(found, sort_keys=True, indent=3, separators=(",", " : "), ensure_ascii=False)
    if values["output-format"] != "json":
        model.not_simulated("pveum", ["--output-format", values["output-format"]])
    return _dumped(found)


def _dumped(found: Any) -> str:
    return json.dumps(found, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def table(columns: tuple[str, ...], rows: Rows) -> str:
    """Draw a table as Proxmox does: a line of signs between any two rows."""
    cells = [[str(row.get(name, "")) for name in columns] for row in rows]
    widths = [max(len(line[n]) for line in [list(columns), *cells]) for n in range(len(columns))]

    def rule(left: str, line: str, middle: str, right: str) -> str:
        return left + middle.join(line * (width + 2) for width in widths) + right

    def row(words: list[str], *, head: bool = False) -> str:
        padded = (
            word.rjust(width) if name in NUMBERS and not head else word.ljust(width)
            for name, word, width in zip(columns, words, widths, strict=True)
        )
        return "│ " + " │ ".join(padded) + " │"

    body = f"\n{rule('├', '─', '┼', '┤')}\n".join(map(row, cells))
    head = [rule("┌", "─", "┬", "┐"), row(list(columns), head=True), rule("╞", "═", "╪", "╡")]
    return "\n".join([*head, *([body] if body else []), rule("└", "─", "┴", "┘")])


def _users(config: Config, _values: dict[str, str]) -> Rows:
    return [
        {key: value for key, value in row.items() if key != "tokens"}
        | {"userid": name, "realm-type": name.rpartition("@")[2]}
        for name, row in config["users"].items()
    ]


def _roles(config: Config, _values: dict[str, str]) -> Rows:
    every = {**{name: (privs, 1) for name, privs in BUILT_IN.items()},
             **{name: (privs, 0) for name, privs in config["roles"].items()}}  # fmt: skip
    return [
        {"roleid": name, "privs": ",".join(sorted(privs)), "special": special}
        for name, (privs, special) in every.items()
    ]


def _acls(config: Config, _values: dict[str, str]) -> Rows:
    return [
        {
            "path": path,
            "roleid": role,
            "type": "token" if "!" in who else "group" if who.startswith("@") else "user",
            "ugid": who.removeprefix("@"),
            "propagate": below,
        }
        for path, there in config["acl"].items()
        for who, roles in there.items()
        for role, below in roles.items()
    ]


def _tokens(config: Config, values: dict[str, str]) -> Rows:
    user = config["users"].get(values["userid"])
    if user is None:
        print(f"no such user ('{values['userid']}')", file=sys.stderr)
        raise SystemExit(255)
    return [{"tokenid": name, **row} for name, row in user["tokens"].items()]


def _pools(config: Config, _values: dict[str, str]) -> Rows:
    return [{"poolid": name, "comment": pool["comment"]} for name, pool in config["pools"].items()]


def _realms(_config: Config, _values: dict[str, str]) -> Rows:
    comments = {"pam": "Linux PAM standard authentication", "pve": "Proxmox VE authentication server"}
    return [{"realm": name, "type": name, "comment": comment} for name, comment in comments.items()]


ROWS = {
    "user list": _users,
    "role list": _roles,
    "acl list": _acls,
    "user token list": _tokens,
    "pool list": _pools,
    "realm list": _realms,
}


def _permissions(config: Config, user: str) -> dict[str, dict[str, int]]:
    """What a user may do, by path; each with whether it holds below."""
    if user == "root@pam":
        return {"/": dict.fromkeys(sorted(PRIVILEGES), 1)}
    groups = [f"@{name}" for name, group in config["groups"].items() if user in group["users"]]
    found = {}
    for path in sorted({"/", *config["acl"]}):
        held = _held(config, path, user, groups)
        privileges = {
            name: below
            for role, below in held.items()
            for name in BUILT_IN.get(role) or config["roles"].get(role, ())
        }
        if privileges:
            found[path] = privileges
    return found


def _held(config: Config, path: str, user: str, groups: list[str]) -> dict[str, int]:
    """The roles at a path: those of the nearest path that says anything of the user, or of its groups."""
    parts = [part for part in path.split("/") if part]
    held: dict[str, int] = {}
    for depth in range(len(parts) + 1):
        here = "/" + "/".join(parts[:depth])
        there = config["acl"].get(here, {})
        own = there.get(user) or {
            role: below for group in groups for role, below in there.get(group, {}).items()
        }
        last = depth == len(parts)
        own = {role: below for role, below in own.items() if last or below}
        held = own or held
    return held


def guest_is_there(vmid: str) -> bool:
    """Say whether a container or a machine of that number is on the node."""
    folders = ("/etc/pve/lxc", "/etc/pve/qemu-server")
    return any(os.path.exists(model.path(f"{folder}/{vmid}.conf")) for folder in folders)
