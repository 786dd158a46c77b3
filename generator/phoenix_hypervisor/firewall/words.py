"""Field types of firewall kinds, each with one canonical spelling."""

import re
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from ..dialects import firewall_fw
from ..dialects.firewall_macros import NAMES

_NAME = re.compile(r"[a-z][a-z0-9_-]+")
_SET = re.compile(r"\+((dc|guest)/)?[a-z][a-z0-9_-]+")
_PORT = re.compile(r"[0-9]{1,5}(:[0-9]{1,5})?")


def words_of(value: object) -> object:
    """Take one word for a list of one; `80,443` for two."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (str, int)):
        return [word.strip() for word in str(value).split(",")]
    return [str(one) if type(one) is int else one for one in value] if isinstance(value, list) else value


def _end(text: str) -> str:
    found = firewall_fw.address(text)
    if is_address(found) or _SET.fullmatch(found) or _NAME.fullmatch(found.removeprefix("dc/")):
        return found
    raise ValueError("must be an address, a network, a range, a guest, an alias, `+` and a set, or `any`")


def is_address(text: str) -> bool:
    """Tell an address, a network or a range from a name."""
    return re.fullmatch(r"[0-9a-f.:]*[.:][0-9a-f.:]*(/[0-9]+|-[0-9a-f.:]+)?", text) is not None


def is_network(text: str) -> bool:
    """Tell an address or a network from everything else."""
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _network(text: str) -> str:
    found = firewall_fw.address(text)
    if not is_address(found) or "-" in found:
        raise ValueError("must be an address or a network")
    return found


def _member(text: str) -> str:
    excluded = "!" if text.startswith("!") else ""
    found = _end(text.removeprefix("!").strip())
    if found.startswith("+") or found == "any" or ("-" in found and is_address(found)):
        raise ValueError("must be an address, a network, a guest or an alias; with `!` before it: but this")
    return excluded + found


def _ports(text: str) -> str:
    for end in text.split(":"):
        if not _PORT.fullmatch(text) or int(end) > 65535:
            raise ValueError("must be a port or a range of them, like 8000 or 5900:5999")
    return firewall_fw.ports(text)


def _macro(text: str) -> str:
    if text.lower() not in NAMES:
        raise ValueError("is no macro of Proxmox: see pve-firewall(8)")
    return NAMES[text.lower()]


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _line(text: str) -> str:
    if "#" in text or any(ord(char) < 32 for char in text):
        raise ValueError("must be one line without `#`")
    return text.strip()


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{1,17}$")]
"""The name of a group or a set; Proxmox takes 18 signs at most."""
AliasName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{1,63}$")]
End = Annotated[str, AfterValidator(_end)]
Ends = Annotated[tuple[End, ...], BeforeValidator(words_of)]
"""Who a rule is about: one word, or several."""
CidrNetwork = Annotated[str, AfterValidator(_network)]
MemberWord = Annotated[str, AfterValidator(_member)]
Members = Annotated[tuple[MemberWord, ...], BeforeValidator(words_of)]
Ports = Annotated[tuple[Annotated[str, AfterValidator(_ports)], ...], BeforeValidator(words_of)]
Macro = Annotated[str, AfterValidator(_macro)]
Action = Annotated[str, BeforeValidator(_upper), Field(pattern="^(ACCEPT|DROP|REJECT)$")]
Forwarding = Annotated[str, BeforeValidator(_upper), Field(pattern="^(ACCEPT|DROP)$")]
LogLevel = Annotated[str, Field(pattern=f"^({'|'.join(firewall_fw.LOG_LEVELS)})$")]
Comment = Annotated[str, AfterValidator(_line)]
