"""pveum: users, groups, roles, access lists, API tokens and pools of Proxmox."""

import re
import sys

import model

USER = r"[^\s:/]+@[A-Za-z][A-Za-z0-9._-]+"
SECOND_ID = r"[A-Za-z][A-Za-z0-9._-]+"
TEXT = {"comment", "email", "firstname", "lastname", "keys"}
OF_USER = TEXT | {"enable", "expire", "groups"}
BOTH_IDS = "<userid> <tokenid> [OPTIONS] [FORMAT_OPTIONS]"
COMMANDS: dict[str, tuple[tuple[str, ...], set[str], str]] = {
    "user add": (("userid",), OF_USER | {"password"}, "<userid> [OPTIONS]"),
    "user modify": (("userid",), OF_USER | {"append"}, "<userid> [OPTIONS]"),
    "user delete": (("userid",), set(), "<userid>"),
    "user list": ((), {"enabled", "full"}, " [OPTIONS] [FORMAT_OPTIONS]"),
    "user permissions": (("userid",), {"path"}, "[<userid>] [OPTIONS] [FORMAT_OPTIONS]"),
    "user token add": (
        ("userid", "tokenid"), {"comment", "expire", "privsep"}, BOTH_IDS
    ),
    "user token modify": (
        ("userid", "tokenid"), {"comment", "expire", "privsep"}, BOTH_IDS
    ),
    "user token delete": (("userid", "tokenid"), set(), "<userid> <tokenid> [FORMAT_OPTIONS]"),
    "user token list": (("userid",), set(), "<userid> [FORMAT_OPTIONS]"),
    "group add": (("groupid",), {"comment"}, "<groupid> [OPTIONS]"),
    "group delete": (("groupid",), set(), "<groupid>"),
    "role add": (("roleid",), {"privs"}, "<roleid> [OPTIONS]"),
    "role modify": (("roleid",), {"privs", "append"}, "<roleid> [OPTIONS]"),
    "role delete": (("roleid",), set(), "<roleid>"),
    "role list": ((), set(), " [FORMAT_OPTIONS]"),
    "acl modify": (
        ("path",), {"roles", "users", "groups", "tokens", "propagate"}, "<path> --roles <string> [OPTIONS]"
    ),
    "acl delete": (
        ("path",), {"roles", "users", "groups", "tokens", "propagate"}, "<path> --roles <string> [OPTIONS]"
    ),
    "acl list": ((), set(), " [FORMAT_OPTIONS]"),
    "pool add": (("poolid",), {"comment"}, "<poolid> [OPTIONS]"),
    "pool modify": (("poolid",), {"comment", "vms", "storage", "delete", "allow-move"}, "<poolid> [OPTIONS]"),
    "pool delete": (("poolid",), set(), "<poolid>"),
    "pool list": ((), set(), " [OPTIONS] [FORMAT_OPTIONS]"),
    "realm list": ((), set(), " [FORMAT_OPTIONS]"),
    "passwd": (("userid",), set(), "<userid>"),
}  # fmt: skip
ALIASES = {
    "useradd": "user add", "usermod": "user modify", "userdel": "user delete", "groupadd": "group add",
    "groupdel": "group delete", "roleadd": "role add", "rolemod": "role modify", "roledel": "role delete",
    "aclmod": "acl modify", "acldel": "acl delete", "user token remove": "user token delete",
}  # fmt: skip
SWITCHES = {"enable", "append", "privsep", "propagate", "delete", "allow-move", "full", "enabled"}


class Refused(Exception):  # noqa: N818
    """A complaint, and the status it ends with."""

    def __init__(self, text: str, status: int = 255) -> None:
        super().__init__(text)
        self.status = status


def main(argv: list[str]) -> int:
    command, rest = _command(argv)
    places, options, usage = COMMANDS[command]
    try:
        values = _parse(command, rest, places, options | {"output-format"}, usage)
        _verify(command, values, usage)
        import access_verbs

        said = access_verbs.run(command, values)
    except Refused as refused:
        print(str(refused).replace("USAGE", f"pveum {command} {usage}"), file=sys.stderr)
        return refused.status
    if said:
        print(said)
    return 0


def _command(argv: list[str]) -> tuple[str, list[str]]:
    for count in (3, 2, 1):
        name = " ".join(argv[:count])
        name = ALIASES.get(name, name)
        if name in COMMANDS and len(argv) >= count:
            return name, argv[count:]
    return model.not_simulated("pveum", argv)


def _parse(
    command: str, words: list[str], places: tuple[str, ...], options: set[str], usage: str
) -> dict[str, str]:
    values: dict[str, str] = {}
    found, rest = [], list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            found.append(word)
            continue
        name, equals, value = word.lstrip("-").partition("=")
        if name not in options:
            raise Refused(f"Unknown option: {name}\n400 unable to parse option\npveum {command} {usage}")
        if equals:
            values[name] = value
        elif rest and not (name in SWITCHES and rest[0].startswith("-")):
            values[name] = rest.pop(0)
        else:
            values[name] = "1"
    if len(found) != len(places):
        amount = "not enough" if len(found) < len(places) else "too many"
        raise Refused(f"400 {amount} arguments\npveum {command} {usage}")
    return dict(zip(places, found, strict=True)) | values


def _verify(command: str, values: dict[str, str], usage: str) -> None:
    """Check the values against the command's schema."""
    from access_roles import PRIVILEGES

    if command.startswith("acl ") and command != "acl list" and "roles" not in values:
        raise Refused(f"400 not enough arguments\npveum {command} {usage}")
    faults = []
    for name, value in values.items():
        problem = ""
        if name == "userid" and not re.fullmatch(USER, value):
            problem = f"invalid format - value '{value}' does not look like a valid user name"
        elif name == "tokenid" and not re.fullmatch(SECOND_ID, value):
            problem = "value does not match the regex pattern"
        elif name in ("groupid", "roleid", "poolid") and not re.fullmatch(r"[A-Za-z0-9._-]+", value):
            sort = {"groupid": "group name", "roleid": "role name", "poolid": "pool name"}[name]
            problem = f"invalid format - {sort} '{value}' contains invalid characters"
        elif name == "privs":
            wrong = next(
                (word for word in re.split(r"[,;\s]+", value) if word and word not in PRIVILEGES), ""
            )
            problem = f"invalid format - invalid privilege '{wrong}'" if wrong else ""
        elif name in SWITCHES and value.lower() not in ("0", "1", "yes", "no", "on", "off", "true", "false"):
            problem = f"type check ('boolean') failed - got '{value}'"
        elif name == "expire" and not value.isdigit():
            problem = f"type check ('integer') failed - got '{value}'"
        faults += [f"{name}: {problem}\n"] if problem else []
    if faults:
        raise Refused("400 Parameter verification failed.\n" + "".join(faults) + f"\npveum {command} {usage}")


def on(value: str) -> int:
    """Read a switch."""
    return int(value.lower() in ("1", "yes", "on", "true"))
