"""/etc/pve/user.cfg, and beside it for root alone the values of tokens and the hashes of passwords.

Read and written as Proxmox does (PVE::AccessControl, PVE::TokenConfig): sorted, what is not known dropped.
"""

import fcntl
import os
import re
import sys
from contextlib import contextmanager

import model
from access_roles import BUILT_IN
from hints import Any, Iterator

FILE = "/etc/pve/user.cfg"
TOKENS = "/etc/pve/priv/token.cfg"
SHADOW = "/etc/pve/priv/shadow.cfg"
ROOT = "root@pam"
TEXTS = ("firstname", "lastname", "email", "comment")
Config = dict[str, dict[str, Any]]


@contextmanager
def changed() -> Iterator[Config]:
    """The configuration under the cluster's lock; written back when the block ends without a complaint."""
    with open(os.path.join(model.FOLDER, "user.lock"), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        config = load()
        yield config
        write(FILE, text_of(config), 0o640)


def words(text: str) -> list[str]:
    """Split one of Proxmox's lists."""
    return [word for word in re.split(r"[,;\s\0]+", text) if word]


def encode(text: str) -> str:
    """Escape what is no printable ASCII, and colons. The percent sign stays, as Proxmox leaves it."""
    return "".join(
        chr(byte) if 0x20 <= byte <= 0x7E and byte != 0x3A else f"%{byte:02X}"
        for byte in text.encode("utf-8", "surrogateescape")
    )


def decode(text: str) -> str:
    plain = re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes.fromhex(found[1].decode()), text.encode())
    return plain.decode("utf-8", "replace")


def load() -> Config:
    config: Config = {name: {} for name in ("users", "groups", "pools", "roles", "acl")}
    config["users"][ROOT] = {"enable": 1, "expire": 0, "tokens": {}}
    for line in _read(FILE).splitlines():
        sort, *fields = line.strip().split(":")
        if sort in READERS and fields:
            READERS[sort](config, [*fields, *[""] * 10])
    return config


def _user(config: Config, fields: list[str]) -> None:
    row = {name: decode(value) for name, value in zip(TEXTS, fields[3:7], strict=True) if value}
    if fields[7]:
        row["keys"] = fields[7]
    config["users"][fields[0]] = {
        "enable": int(fields[1] or 0),
        "expire": int(fields[2] or 0),
        "tokens": {},
    } | row


def _token(config: Config, fields: list[str]) -> None:
    user, _, name = fields[0].rpartition("!")
    if user not in config["users"]:
        print(f"user config - ignore invalid token owner '{user}'", file=sys.stderr)
        return
    row = {"expire": int(fields[1] or 0), "privsep": int(fields[2] or 0)}
    config["users"][user]["tokens"][name] = row | ({"comment": decode(fields[3])} if fields[3] else {})


def _group(config: Config, fields: list[str]) -> None:
    members = {user for user in words(fields[1]) if user in config["users"]}
    config["groups"][fields[0]] = {"users": members, "comment": decode(fields[2])}


def _pool(config: Config, fields: list[str]) -> None:
    config["pools"][fields[0]] = {
        "comment": decode(fields[1]),
        "vms": set(words(fields[2])),
        "storage": set(words(fields[3])),
    }


def _role(config: Config, fields: list[str]) -> None:
    config["roles"][fields[0]] = set(words(fields[1]))


def _acl(config: Config, fields: list[str]) -> None:
    for role in words(fields[3]):
        if role not in BUILT_IN and role not in config["roles"]:
            print(f"user config - ignore invalid acl role '{role}'", file=sys.stderr)
            continue
        for who in words(fields[2]):
            if knows(config, who):
                config["acl"].setdefault(fields[1], {}).setdefault(who, {})[role] = int(fields[0] or 0)
            else:
                print(f"user config - ignore invalid acl member '{who}'", file=sys.stderr)


READERS = {"user": _user, "token": _token, "group": _group, "pool": _pool, "role": _role, "acl": _acl}


def knows(config: Config, who: str) -> bool:
    """Say whether a user, a token or an `@group` is there."""
    user, mark, token = who.rpartition("!")
    if mark:
        return token in config["users"].get(user, {}).get("tokens", {})
    return who[1:] in config["groups"] if who.startswith("@") else who in config["users"]


def text_of(config: Config) -> str:
    lines = []
    for name, user in sorted(config["users"].items()):
        texts = ":".join(encode(user.get(text, "")) for text in TEXTS)
        lines.append(f"user:{name}:{user['enable']}:{user['expire']}:{texts}:{user.get('keys', '')}:")
        for token, row in sorted(user["tokens"].items()):
            note = encode(row.get("comment", ""))
            lines.append(f"token:{name}!{token}:{row['expire']}:{row['privsep']}:{note}:")
    lines.append("")
    for name, group in sorted(config["groups"].items()):
        lines.append(f"group:{name}:{','.join(sorted(group['users']))}:{encode(group['comment'])}:")
    lines.append("")
    for name, pool in sorted(config["pools"].items()):
        vms, storage = ",".join(sorted(pool["vms"], key=int)), ",".join(sorted(pool["storage"]))
        lines.append(f"pool:{name}:{encode(pool['comment'])}:{vms}:{storage}:")
    lines.append("")
    lines += [f"role:{name}:{','.join(sorted(privs))}:" for name, privs in sorted(config["roles"].items())]
    lines.append("")
    for path, there in sorted(config["acl"].items()):
        lines += _lists(path, there)
    return "\n".join(lines) + "\n"


def _lists(path: str, there: dict[str, dict[str, int]]) -> Iterator[str]:
    """A path's access lists: first what holds there only; who has the same roles shares a line."""
    for propagate in (0, 1):
        shared: dict[str, list[str]] = {}
        for who, roles in there.items():
            own = ",".join(sorted(role for role, below in roles.items() if below == propagate))
            if own and who != ROOT:
                shared.setdefault(own, []).append(who)
        for roles_text, members in sorted(shared.items()):
            yield f"acl:{propagate}:{path}:{','.join(sorted(members))}:{roles_text}:"


def values() -> dict[str, str]:
    """Tokens' values by their full names."""
    rows = (line.split() for line in _read(TOKENS).splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 2}


def save_values(found: dict[str, str]) -> None:
    write(TOKENS, "".join(f"{name} {value}\n" for name, value in sorted(found.items())), 0o600)


def hashes() -> dict[str, str]:
    rows = (line.split(":") for line in _read(SHADOW).splitlines())
    return {row[0]: row[1] for row in rows if len(row) > 1}


def save_hashes(found: dict[str, str]) -> None:
    write(SHADOW, "".join(f"{name}:{value}:\n" for name, value in sorted(found.items())), 0o600)


def _read(file: str) -> str:
    try:
        with open(model.path(file), encoding="utf-8") as opened:
            return opened.read()
    except FileNotFoundError:
        return ""


def write(file: str, text: str, mode: int) -> None:
    """Write a file in one go."""
    final = model.path(file)
    os.makedirs(os.path.dirname(final), exist_ok=True)
    with open(
        os.open(final + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8"
    ) as out:
        out.write(text)
    os.replace(final + ".new", final)
