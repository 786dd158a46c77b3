"""What cloud-init is told at a machine's first start: user-data and meta-data, as YAML.

Proxmox puts them on the machine's cloud-init drive at every start (`cicustom`), and writes the network's
document itself (`ipconfigN`). cloud-init does what user-data says once for each instance. Proxmox makes an
instance of every change; ours has one name for its whole life, so a changed line never makes users and keys
anew behind one's back. Only the network is set at each boot, which user-data itself says (`updates`).
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, JsonValue, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from ..containers.parts import Part, Storage
from ..dialects import cloud_config
from ..fields import AbsolutePath, Account
from ..secrets import Secret
from .parts import File, Line, Package, User

OURS = frozenset({"hostname", "fqdn", "users", "packages", "write_files", "runcmd", "updates", "ssh_pwauth"})
"""Top-level keys that our own settings make."""
HASH = "hashed_passwd"
PLACEHOLDER = "<the hash of {}>"
AGENT = "qemu-guest-agent"
_PLAIN = re.compile(r"(?!(?i:y|n|yes|no|on|off|true|false|null)$)[A-Za-z][A-Za-z0-9_-]*")
"""Keys that are texts without quotes, in YAML 1.1 too, which cloud-init reads."""
_NOT_AS_IT_IS = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What YAML does not take in a text, or takes for the end of a line, and JSON leaves as it is."""


def _known(more: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Refuse keys and values that cloud-init's schema would refuse, each at its place."""
    wrong = []
    for key, said in cloud_config.faults(more):
        known = tuple(cloud_config.TYPES) if said == cloud_config.UNKNOWN else ()
        error = PydanticCustomError("cloud_config", "{said}", {"said": said, "known": known})
        wrong.append(InitErrorDetails(type=error, loc=(key,), input=None))
    if wrong:
        raise ValidationError.from_exception_data("cloud-config", wrong, hide_input=True)
    return more


class CloudInit(Part):
    """What happens at the first start, and never again."""

    storage: Storage
    """Where its drive lies: a storage that holds `images`."""
    snippets: Storage
    """Where user-data lies: a `dir` storage that holds `snippets`."""
    users: dict[Account, User] = Field(default_factory=dict)
    packages: tuple[Package, ...] = ()
    upgrade: bool = False
    """All packages are upgraded first."""
    files: dict[AbsolutePath, File] = Field(default_factory=dict)
    commands: tuple[Line | tuple[Line, ...], ...] = ()
    """Each text for a shell, or the words of one command; after all else."""
    password_logins: bool = False
    """Whether ssh takes passwords."""
    timezone: Line | None = None
    nameserver: tuple[Annotated[str, Field(pattern=r"^[0-9a-fA-F.:]+$")], ...] | None = None
    searchdomain: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+$")], ...] | None = None
    more: Annotated[dict[str, JsonValue], AfterValidator(_known)] = Field(default_factory=dict)
    """Further keys of a cloud-config, as they are."""

    @model_validator(mode="after")
    def _said_once(self) -> "CloudInit":
        twice = sorted(OURS & self.more.keys())
        if twice:
            raise ValueError(f"`more` cannot hold {', '.join(twice)}: there are settings for that")
        return self

    @property
    def secrets(self) -> dict[str, Secret]:
        """User → the secret that is the password."""
        return {name: user.password for name, user in self.users.items() if user.password is not None}


def user_data(own: CloudInit, hostname: str, agent: bool) -> str:
    """Return the user-data, passwords' hashes as placeholders."""
    return f"{cloud_config.FIRST_LINE}\n" + written(dict(_settings(own, hostname, agent)))


def _settings(own: CloudInit, hostname: str, agent: bool) -> Iterator[tuple[str, Any]]:
    short, _, domain = hostname.partition(".")
    yield "hostname", short
    if domain:
        yield "fqdn", hostname
    yield "manage_etc_hosts", True
    yield "updates", {"network": {"when": ["boot-new-instance", "boot"]}}
    yield "ssh_pwauth", own.password_logins
    if own.timezone:
        yield "timezone", own.timezone
    if own.users:
        yield "users", [_user(name, user) for name, user in own.users.items()]
    yield "package_update", True
    yield "package_upgrade", own.upgrade
    packages = [*([AGENT] if agent and AGENT not in own.packages else []), *own.packages]
    if packages:
        yield "packages", packages
    if own.files:
        yield "write_files", [_file(path, file) for path, file in own.files.items()]
    start = [["systemctl", "enable", "--now", AGENT]] if agent else []
    commands = [*start, *(list(one) if isinstance(one, tuple) else one for one in own.commands)]
    if commands:
        yield "runcmd", commands
    yield from own.more.items()


def _user(name: str, user: User) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "shell": user.shell}
    found |= {"gecos": user.gecos} if user.gecos else {}
    found |= {"groups": list(user.groups)} if user.groups else {}
    if user.sudo != "none":
        found["sudo"] = "ALL=(ALL) NOPASSWD:ALL" if user.sudo == "all" else "ALL=(ALL) ALL"
    found["lock_passwd"] = user.password is None
    found |= {HASH: PLACEHOLDER.format(name)} if user.password is not None else {}
    return found | ({"ssh_authorized_keys": list(user.keys)} if user.keys else {})


def _file(path: str, file: File) -> dict[str, Any]:
    found = {"path": path, "content": file.content, "permissions": file.mode, "owner": file.owner}
    return found | ({"defer": True} if file.after_packages else {})


def meta_data(vmid: str, hostname: str) -> str:
    """Return the meta-data: one instance for the machine's whole life."""
    return written({"instance-id": f"phoenix-{vmid}", "local-hostname": hostname.partition(".")[0]})


def digest(text: str) -> str:
    """Return a digest of user-data, without what depends on passwords: `without` says the same on a node."""
    kept = "".join(line for line in text.splitlines(keepends=True) if f"{HASH}:" not in line)
    return hashlib.sha256(kept.encode()).hexdigest()


def without(path: str) -> str:
    """Return shell that prints the digest of a file on a node; of one that is not there, that of nothing."""
    return f"sed '/{HASH}:/d' {path} | sha256sum"


def written(value: Mapping[str, Any]) -> str:
    """Return YAML: blocks, every text in double quotes as JSON has it: none can be another."""
    return "".join(f"{line}\n" for line in _mapping(value))


def _mapping(value: Mapping[str, Any]) -> Iterator[str]:
    for key, one in value.items():
        name = key if _PLAIN.fullmatch(key) else _scalar(key)
        if isinstance(one, (dict, list)) and one:
            yield f"{name}:"
            yield from (f"  {line}" for line in _block(one))
        else:
            yield f"{name}: {_scalar(one)}"


def _block(value: dict[str, Any] | list[Any]) -> Iterator[str]:
    if isinstance(value, dict):
        yield from _mapping(value)
        return
    for one in value:
        if isinstance(one, dict) and one:
            lines = list(_mapping(one))
            yield f"- {lines[0]}"
            yield from (f"  {line}" for line in lines[1:])
        else:
            yield f"- {_scalar(one)}"


def _scalar(value: object) -> str:
    return _NOT_AS_IT_IS.sub(lambda sign: f"\\u{ord(sign[0]):04x}", json.dumps(value, ensure_ascii=False))
