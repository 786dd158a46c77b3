"""What pveum's commands do to the configuration."""

import re
import sys

import access_config as config
import access_show
from access_config import Config
from access_roles import BUILT_IN
from hints import Any
from tool_pveum import Refused, on

Values = dict[str, str]
PATHS = re.compile(
    r"/|/access(/(groups|realm)(/[^/]+)?)?|/nodes(/[^/]+)?|/pool(/[^/]+){0,3}|/sdn(/.+)?|/storage(/[^/]+)?"
    r"|/vms(/[1-9][0-9]{2,})?|/mapping(/[^/]+){0,2}"
)


def run(command: str, values: Values) -> str:
    """Carry out one command; returns what it prints."""
    if command == "passwd":
        return _passwd(values)
    if command.endswith(("list", "permissions")):
        return access_show.show(command, values, config.load())
    with config.changed() as found:
        return VERBS[command](found, values) or ""


def _user_add(found: Config, values: Values) -> None:
    name = values["userid"]
    if name in found["users"]:
        raise Refused(f"create user failed: user '{name}' already exists", 2)
    found["users"][name] = {"enable": 1, "expire": 0, "tokens": {}}
    _set_user(found, name, values)
    if "password" in values and name.endswith("@pve"):
        _store(name, values["password"])


def _user_modify(found: Config, values: Values) -> None:
    name = values["userid"]
    if name not in found["users"]:
        raise Refused(f"update user failed: no such user ('{name}')")
    _set_user(found, name, values)


def _set_user(found: Config, name: str, values: Values) -> None:
    row = found["users"][name]
    row |= {key: values[key] for key in (*config.TEXTS, "keys") if key in values}
    row |= {"enable": on(values["enable"])} if "enable" in values else {}
    row |= {"expire": int(values["expire"])} if "expire" in values else {}
    if "groups" in values:
        wanted = config.words(values["groups"])
        for group in wanted:
            if group not in found["groups"]:
                raise Refused(f"update user failed: group '{group}' does not exist")
        for group, there in found["groups"].items():
            if group in wanted:
                there["users"].add(name)
            elif not on(values.get("append", "0")):
                there["users"].discard(name)


def _user_delete(found: Config, values: Values) -> None:
    name = values["userid"]
    if found["users"].pop(name, None) is None:
        raise Refused(f"delete user failed: no such user ('{name}')")
    for group in found["groups"].values():
        group["users"].discard(name)
    for there in found["acl"].values():
        for who in [who for who in there if who == name or who.startswith(f"{name}!")]:
            del there[who]
    config.save_values({k: v for k, v in config.values().items() if not k.startswith(f"{name}!")})
    config.save_hashes({k: v for k, v in config.hashes().items() if f"{k}@pve" != name})


def _passwd(values: Values) -> str:
    """The password is asked for twice; where nobody types, two lines are read."""
    lines = [sys.stdin.readline(), sys.stdin.readline()]
    if not all(lines):
        raise Refused("EOF while reading password")
    if lines[0] != lines[1]:
        raise Refused("Passwords do not match!")
    name, word = values["userid"], lines[0].rstrip("\n")
    if not 8 <= len(word) <= 64:
        size = "at least 8" if len(word) < 8 else "only 64"
        said = f"password: value must be {size} characters long" if len(word) < 8 else (
            f"password: value may {size} characters long"
        )  # fmt: skip
        raise Refused(f"400 Parameter verification failed.\n{said}\n\nUSAGE")
    if name not in config.load()["users"]:
        raise Refused(f"no such user ('{name}')")
    if not name.endswith("@pve"):
        raise Refused("can't change password on auth type 'pam' in the lab")
    _store(name, word)
    return ""


def _store(name: str, word: str) -> None:
    import crypt_hash

    config.save_hashes({**config.hashes(), name.rpartition("@")[0]: crypt_hash.of(word, "$5$")})


def _token_row(found: Config, values: Values) -> dict[str, Any] | None:
    user = found["users"].get(values["userid"])
    if user is None:
        raise Refused(f"no such user ('{values['userid']}')")
    row: dict[str, Any] | None = user["tokens"].get(values["tokenid"])
    return row


def _token_add(found: Config, values: Values) -> str:
    import uuid

    if _token_row(found, values) is not None:
        raise Refused("400 Parameter verification failed.\ntokenid: Token already exists.\nUSAGE")
    full = f"{values['userid']}!{values['tokenid']}"
    row = {"expire": 0, "privsep": 1}
    found["users"][values["userid"]]["tokens"][values["tokenid"]] = row
    _set_token(row, values)
    value = str(uuid.uuid4())
    config.save_values({**config.values(), full: value})
    given = {key: values[key] for key in ("comment", "expire", "privsep") if key in values}
    info = {"privsep": "1", **given}
    return access_show.single({"full-tokenid": full, "info": info, "value": value}, values)


def _token_modify(found: Config, values: Values) -> str:
    row = _token_row(found, values)
    if row is None:
        raise Refused(f"no such token '{values['tokenid']}' for user '{values['userid']}'")
    _set_token(row, values)
    return access_show.single({key: str(value) for key, value in row.items()}, values)


def _set_token(row: dict[str, Any], values: Values) -> None:
    row |= {"comment": values["comment"]} if "comment" in values else {}
    row |= {"expire": int(values["expire"])} if "expire" in values else {}
    row |= {"privsep": on(values["privsep"])} if "privsep" in values else {}


def _token_delete(found: Config, values: Values) -> None:
    if _token_row(found, values) is None:
        raise Refused(f"no such token '{values['tokenid']}' for user '{values['userid']}'")
    del found["users"][values["userid"]]["tokens"][values["tokenid"]]
    full = f"{values['userid']}!{values['tokenid']}"
    for there in found["acl"].values():
        there.pop(full, None)
    config.save_values({k: v for k, v in config.values().items() if k != full})


def _group_add(found: Config, values: Values) -> None:
    if values["groupid"] in found["groups"]:
        raise Refused(f"create group failed: group '{values['groupid']}' already exists")
    found["groups"][values["groupid"]] = {"users": set(), "comment": values.get("comment", "")}


def _group_delete(found: Config, values: Values) -> None:
    if found["groups"].pop(values["groupid"], None) is None:
        raise Refused(f"delete group failed: group '{values['groupid']}' does not exist")
    for there in found["acl"].values():
        there.pop(f"@{values['groupid']}", None)


def _role(values: Values, verb: str) -> str:
    """The role's name, when it is one that may be changed."""
    name = values["roleid"]
    if name in BUILT_IN:
        raise Refused(f"auto-generated role '{name}' cannot be {verb}")
    return name


def _role_add(found: Config, values: Values) -> None:
    name = values["roleid"]
    if name in found["roles"] or name in BUILT_IN:
        raise Refused(f"create role failed: role '{name}' already exists")
    if name.startswith("PVE"):
        raise Refused(f"create role failed: role ID '{name}' uses the reserved prefix 'PVE'")
    found["roles"][name] = set(config.words(values.get("privs", "")))


def _role_modify(found: Config, values: Values) -> None:
    name = _role(values, "modified")
    if name not in found["roles"]:
        raise Refused(f"update role failed: role '{name}' does not exist")
    before = found["roles"][name] if on(values.get("append", "0")) else set()
    found["roles"][name] = before | set(config.words(values.get("privs", "")))


def _role_delete(found: Config, values: Values) -> None:
    name = _role(values, "deleted")
    if found["roles"].pop(name, None) is None:
        raise Refused(f"delete role failed: role '{name}' does not exist")
    for there in found["acl"].values():
        for roles in there.values():
            roles.pop(name, None)


def _acl(found: Config, values: Values, *, delete: bool) -> None:
    path = values["path"]
    if not PATHS.fullmatch(path):
        raise Refused(f"400 Parameter verification failed.\npath: invalid ACL path '{path}'\nUSAGE")
    members = [f"@{group}" for group in config.words(values.get("groups", ""))]
    members += config.words(values.get("users", "")) + config.words(values.get("tokens", ""))
    for role in config.words(values["roles"]):
        if role not in found["roles"] and role not in BUILT_IN:
            raise Refused(f"ACL update failed: role '{role}' does not exist")
        for who in members:
            if not delete and not config.knows(found, who):
                sort = "token" if "!" in who else "group" if who.startswith("@") else "user"
                raise Refused(f"ACL update failed: {sort} '{who.removeprefix('@')}' does not exist")
            there = found["acl"].setdefault(path, {}).setdefault(who, {})
            if delete:
                there.pop(role, None)
            else:
                there[role] = on(values.get("propagate", "1"))


def _pool_add(found: Config, values: Values) -> None:
    if values["poolid"] in found["pools"]:
        raise Refused(f"create pool failed: pool '{values['poolid']}' already exists")
    found["pools"][values["poolid"]] = {"comment": values.get("comment", ""), "vms": set(), "storage": set()}


def _pool_modify(found: Config, values: Values) -> None:
    pool = found["pools"].get(values["poolid"])
    if pool is None:
        raise Refused(f"update pool failed: pool '{values['poolid']}' does not exist")
    for sort in ("vms", "storage"):
        given = set(config.words(values.get(sort, "")))
        pool[sort] = pool[sort] - given if on(values.get("delete", "0")) else pool[sort] | given
    pool |= {"comment": values["comment"]} if "comment" in values else {}


def _pool_delete(found: Config, values: Values) -> None:
    name = values["poolid"]
    if name not in found["pools"]:
        raise Refused(f"delete pool failed: pool '{name}' does not exist")
    for vmid in sorted(found["pools"][name]["vms"], key=int):
        if access_show.guest_is_there(vmid):
            raise Refused(f"delete pool failed: pool '{name}' is not empty (contains VM {vmid})")
    for storage in sorted(found["pools"][name]["storage"]):
        raise Refused(f"delete pool failed: pool '{name}' is not empty (contains storage '{storage}')")
    del found["pools"][name]


VERBS: dict[str, Any] = {
    "user add": _user_add,
    "user modify": _user_modify,
    "user delete": _user_delete,
    "user token add": _token_add,
    "user token modify": _token_modify,
    "user token delete": _token_delete,
    "group add": _group_add,
    "group delete": _group_delete,
    "role add": _role_add,
    "role modify": _role_modify,
    "role delete": _role_delete,
    "acl modify": lambda found, values: _acl(found, values, delete=False),
    "acl delete": lambda found, values: _acl(found, values, delete=True),
    "pool add": _pool_add,
    "pool modify": _pool_modify,
    "pool delete": _pool_delete,
}
