"""What settings of containers may look like, and Proxmox' words for what they may not.

A rule says what one value may be; the settings of a guest are in SETTINGS, those that are lists of their own
(`net0: name=eth0,bridge=vmbr0`) have the rules of their parts in `parts`.
"""

import re

from guest_values import FORMATS
from storage_rules import NO, YES

MANY = {"net": 32, "mp": 256, "dev": 256, "unused": 256}
"""Settings with a number in their name → how many there can be."""


class Rule:
    """What a value may be. `form` names a format, `first` says that the value may stand without its name."""

    __slots__ = (
        "enum",
        "first",
        "form",
        "high",
        "kind",
        "longest",
        "low",
        "parts",
        "pattern",
        "required",
        "shortest",
    )

    def __init__(
        self,
        kind: str = "string",
        *,
        low: int | None = None,
        high: int | None = None,
        enum: str = "",
        pattern: str = "",
        form: str = "",
        longest: int = 0,
        shortest: int = 0,
        parts: "dict[str, Rule] | None" = None,
        required: bool = False,
        first: bool = False,
    ) -> None:
        self.kind, self.low, self.high, self.enum, self.pattern = kind, low, high, enum.split(), pattern
        self.form, self.longest, self.shortest = form, longest, shortest
        self.parts, self.required, self.first = parts, required, first


BOOL = Rule("boolean")
_MOUNTED = r"(discard|lazytime|noatime|nodev|noexec|nosuid)"
ROOT = {
    "volume": Rule(form="pve-lxc-mp-string", required=True, first=True),
    "acl": BOOL,
    "mountoptions": Rule(pattern=rf"{_MOUNTED}(;{_MOUNTED})*"),
    "quota": BOOL,
    "replicate": BOOL,
    "ro": BOOL,
    "shared": BOOL,
    "size": Rule(form="disk-size"),
}
MOUNT = ROOT | {"mp": Rule(form="pve-lxc-mp-string", required=True), "backup": BOOL}
NET = {
    "name": Rule(pattern=r"[-_.\w\d]+", required=True),
    "bridge": Rule(pattern=r"[-_.\w\d]+"),
    "firewall": BOOL,
    "gw": Rule(form="ipv4"),
    "gw6": Rule(form="ipv6"),
    "hwaddr": Rule(form="mac-addr"),
    "ip": Rule(form="pve-ipv4-config"),
    "ip6": Rule(form="pve-ipv6-config"),
    "link_down": BOOL,
    "mtu": Rule("integer", low=64, high=65535),
    "rate": Rule("number"),
    "tag": Rule("integer", low=1, high=4094),
    "trunks": Rule(pattern=r"\d+(?:;\d+)*"),
    "type": Rule(enum="veth"),
}
DEVICE = {
    "path": Rule(form="pve-lxc-dev-string", first=True),
    "deny-write": BOOL,
    "gid": Rule("integer", low=0),
    "mode": Rule(pattern="0[0-7]{3}"),
    "uid": Rule("integer", low=0),
}
FEATURES = {
    "force_rw_sys": BOOL,
    "fuse": BOOL,
    "keyctl": BOOL,
    "mknod": BOOL,
    "mount": Rule(pattern="[a-zA-Z0-9_; ]+"),
    "nesting": BOOL,
}
SETTINGS = {
    "arch": Rule(enum="amd64 i386 arm64 armhf riscv32 riscv64"),
    "cmode": Rule(enum="shell console tty"),
    "console": BOOL,
    "cores": Rule("integer", low=1, high=8192),
    "cpulimit": Rule("number", low=0, high=8192),
    "cpuunits": Rule("integer", low=0, high=500000),
    "debug": BOOL,
    "description": Rule(longest=8192),
    "dev": Rule(parts=DEVICE),
    "features": Rule(parts=FEATURES),
    "hookscript": Rule(form="pve-volume-id"),
    "hostname": Rule(form="dns-name", longest=255),
    "lock": Rule(
        enum="backup create destroyed disk fstrim migrate mounted rollback snapshot snapshot-delete"
    ),
    "memory": Rule("integer", low=16),
    "mp": Rule(parts=MOUNT),
    "nameserver": Rule(form="lxc-ip-with-ll-iface-list"),
    "net": Rule(parts=NET),
    "onboot": BOOL,
    "ostype": Rule(
        enum="debian devuan ubuntu centos fedora opensuse archlinux alpine gentoo nixos unmanaged"
    ),
    "protection": BOOL,
    "rootfs": Rule(parts=ROOT),
    "searchdomain": Rule(form="dns-name-list"),
    "startup": Rule(form="pve-startup-order"),
    "swap": Rule("integer", low=0),
    "tags": Rule(form="pve-tag-list"),
    "template": BOOL,
    "timezone": Rule(form="pve-ct-timezone"),
    "tty": Rule("integer", low=0, high=6),
    "unprivileged": BOOL,
    "unused": Rule(parts={"volume": Rule(form="pve-volume-id", required=True, first=True)}),
}


class NotParsedError(ValueError):
    """A list of settings that is none; the text is Proxmox' message and ends in a newline."""


def rule_of(key: str) -> Rule | None:
    """Return the rule for a guest's setting (`net0`, `memory`), None if there is no such setting."""
    stem = key.rstrip("0123456789")
    number = key[len(stem) :]
    if stem not in MANY:
        return SETTINGS.get(key)
    good = number.isdecimal() and str(int(number)) == number and int(number) < MANY[stem]
    return SETTINGS[stem] if good else None


def fault(rule: Rule, value: str, path: str) -> str:
    """Say what is wrong with a value, empty if nothing; faults inside of it are named after `path`."""
    if rule.kind == "boolean":
        return "" if value.lower() in YES + NO else f"type check ('boolean') failed - got '{value}'"
    if rule.kind == "integer" and not re.fullmatch(r"[+-]?\d+", value):
        return f"type check ('integer') failed - got '{value}'"
    if rule.kind == "number" and not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", value):
        return f"type check ('number') failed - got '{value}'"
    wrong = format_fault(rule, value, path)
    if wrong:
        return f"invalid format - {wrong}"
    if rule.pattern and not re.fullmatch(rule.pattern, value):
        return "value does not match the regex pattern"
    if rule.longest and len(value) > rule.longest:
        return f"value may only be {rule.longest} characters long"
    if len(value) < rule.shortest:
        return f"value must be at least {rule.shortest} characters long"
    if rule.high is not None and float(value) > rule.high:
        return f"value must have a maximum value of {rule.high}"
    if rule.low is not None and float(value) < rule.low:
        return f"value must have a minimum value of {rule.low}"
    if rule.enum and value not in rule.enum:
        return f"value '{value}' does not have a value in the enumeration '{', '.join(rule.enum)}'"
    return ""


def format_fault(rule: Rule, value: str, path: str) -> str:
    """Say what is wrong with a value's format, with the newline Proxmox ends it by; empty if nothing."""
    if rule.parts is not None:
        try:
            parse(rule.parts, value, path)
        except NotParsedError as error:
            return str(error)
        return ""
    problem = FORMATS[rule.form](value) if rule.form else ""
    return problem + "\n" if problem else ""


def parse(parts: dict[str, Rule], text: str, path: str = "") -> dict[str, str]:
    """Read `a=1,b=2`; booleans become 1 and 0, a value without a name is the first part's."""
    found: dict[str, str] = {}
    bare = next((name for name, rule in parts.items() if rule.first), "")
    for pair in text.split(","):
        name, equals, value = pair.partition("=")
        if not pair.strip():
            continue
        if not equals:
            if not bare:
                raise NotParsedError("value without key, but schema does not define a default key\n")
            name, value = bare, pair
        elif not name or not value:
            raise NotParsedError("missing key in comma-separated list property\n")
        if name in found:
            raise NotParsedError(f"duplicate key in comma-separated list property: {name}\n")
        boolean = name in parts and parts[name].kind == "boolean" and value.lower() in YES + NO
        found[name] = ("1" if value.lower() in YES else "0") if boolean else value
    prefix = f"{path}." if path else ""
    faults = {name: _part_fault(parts, name, value, prefix) for name, value in found.items()}
    missing = [name for name, rule in parts.items() if rule.required and name not in found]
    faults |= dict.fromkeys(missing, "property is missing and it is not optional")
    lines = [f"{prefix}{name}: {wrong}\n" for name, wrong in sorted(faults.items()) if wrong]
    if lines:
        raise NotParsedError("format error\n" + "".join(lines))
    return found


def _part_fault(parts: dict[str, Rule], name: str, value: str, prefix: str) -> str:
    if name not in parts:
        return "property is not defined in schema and the schema does not allow additional properties"
    return fault(parts[name], value, prefix + name)


def spell(parts: dict[str, Rule], values: dict[str, str]) -> str:
    """Spell a list of settings as Proxmox does: the bare value, then what is required, then the rest."""
    bare = next((name for name, rule in parts.items() if rule.first), "")
    rest = sorted(
        (name for name in values if name != bare), key=lambda name: (not parts[name].required, name)
    )
    first = [values[bare]] if bare in values else []
    return ",".join(first + [f"{name}={values[name]}" for name in rest])
