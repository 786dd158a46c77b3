"""What Proxmox storages are: types, their options, the formats of option values."""

TYPES = {
    "btrfs": "content create-base-path create-subdirs disable format is_mountpoint "
    "max-protected-backups maxfiles mkdir nocow nodes path! preallocation prune-backups "
    "shared",
    "cephfs": "bwlimit content content-dirs create-base-path create-subdirs disable format fs-name fuse "
    "keyring max-protected-backups maxfiles mkdir monhost nodes options path! prune-backups "
    "subdir username",
    "cifs": "bwlimit content content-dirs create-base-path create-subdirs disable domain format "
    "max-protected-backups maxfiles mkdir nodes options password path! preallocation "
    "prune-backups server! share! smbversion subdir username",
    "dir": "bwlimit content content-dirs create-base-path create-subdirs disable format "
    "is_mountpoint max-protected-backups maxfiles mkdir nodes path! preallocation "
    "prune-backups shared",
    "esxi": "content disable nodes password port server* shared skip-cert-verification username*",
    "glusterfs": "bwlimit content create-base-path create-subdirs disable format max-protected-backups "
    "maxfiles mkdir nodes path! preallocation prune-backups server server2 transport volume!",
    "iscsi": "bwlimit content disable nodes portal! target!",
    "iscsidirect": "bwlimit content disable nodes portal! target!",
    "lvm": "base^ bwlimit content disable nodes saferemove saferemove_throughput shared tagged_only vgname!",
    "lvmthin": "bwlimit content disable nodes thinpool! vgname!",
    "nfs": "bwlimit content content-dirs create-base-path create-subdirs disable export! format "
    "max-protected-backups maxfiles mkdir nodes options path! preallocation prune-backups "
    "server!",
    "pbs": "content datastore! disable encryption-key fingerprint master-pubkey "
    "max-protected-backups maxfiles namespace nodes password port prune-backups server! "
    "username",
    "rbd": "bwlimit content data-pool disable keyring krbd monhost namespace nodes pool username",
    "zfs": "blocksize! bwlimit comstar_hg comstar_tg content disable iscsiprovider! lio_tpg nodes "
    "nowritecache pool! portal! sparse target! zfs-base-path",
    "zfspool": "blocksize bwlimit content disable mountpoint nodes pool! sparse",
}
"""Type → options; `!` required and never changed, `*` required, `^` never changed."""

_FILES = "backup images import iso rootdir snippets vztmpl"
CONTENT = {
    "btrfs": (_FILES + " none", "images rootdir"), "cephfs": ("backup import iso snippets vztmpl", "backup"),
    "cifs": (_FILES, "images"), "dir": (_FILES + " none", "images rootdir"), "esxi": ("import", "import"),
    "glusterfs": ("backup images import iso snippets vztmpl", "images"), "iscsi": ("images none", "images"),
    "iscsidirect": ("images none", "images"), "lvm": ("images rootdir", "images"),
    "lvmthin": ("images rootdir", "images rootdir"), "nfs": (_FILES, "images"), "pbs": ("backup none",
    "backup"),
    "rbd": ("images rootdir", "images"), "zfs": ("images", "images"), "zfspool": ("images rootdir",
    "images rootdir"),
}  # fmt: skip
"""Type → what it may hold, what it holds if nothing is said."""

BOOLEANS = frozenset((
    "create-base-path", "create-subdirs", "disable", "fuse", "krbd", "mkdir", "nocow", "nowritecache",
    "saferemove",
    "shared", "skip-cert-verification", "sparse", "tagged_only",
))  # fmt: skip
INTEGERS = {"max-protected-backups": (-1, None), "maxfiles": (0, None), "port": (1, 65535)}
ENUMS = {
    "format": "raw, qcow2, subvol, vmdk", "preallocation": "off, metadata, falloc, full",
    "smbversion": "default, 2.0, 2.1, 3, 3.0, 3.11", "transport": "tcp, rdma, unix",
}  # fmt: skip
PATHS = frozenset(("export", "mountpoint", "path", "subdir", "zfs-base-path"))
PRUNE = frozenset(
    ("keep-all", "keep-daily", "keep-hourly", "keep-last", "keep-monthly", "keep-weekly", "keep-yearly")
)
LIMITS = frozenset(("clone", "default", "migration", "move", "restore"))
SETS = frozenset(("content", "nodes"))
"""Lists without order: Proxmox writes them in a different one each time."""

YES = ("1", "on", "yes", "true")
NO = ("0", "off", "no", "false")
KINDS = frozenset((_FILES + " none").split())


class Refused(Exception):  # noqa: N818
    """What Proxmox does not accept; the text is its message."""


def options(kind: str) -> dict[str, str]:
    """Return a type's options with their marks (`!`, `*`, `^` or nothing)."""
    return {word.rstrip("!*^"): word[-1] if word[-1] in "!*^" else "" for word in TYPES[kind].split()}


def every(changing: bool) -> set[str]:
    """Return the options that `pvesm add` (or `set`) takes for some type."""
    found = set()
    for kind in TYPES:
        found |= {name for name, mark in options(kind).items() if not changing or mark not in ("!", "^")}
    return found | ({"delete", "digest"} if changing else set())


def fault(name: str, value: str) -> str | None:
    """Say what is wrong with an option's value, as the parameter check does; None if nothing."""
    if name in BOOLEANS:
        return None if value.lower() in YES + NO else f"type check ('boolean') failed - got '{value}'"
    if name in INTEGERS:
        return _integer(value, *INTEGERS[name])
    if name in ENUMS:
        known = ENUMS[name].split(", ")
        return (
            None
            if value in known
            else f"value '{value}' does not have a value in the enumeration '{ENUMS[name]}'"
        )
    if name in PATHS:
        good = value.startswith("/")
        return None if good else "invalid format - value does not look like a valid absolute path"
    if name == "content":
        bad = next((word for word in words(value) if word not in KINDS), None)
        return None if bad is None else f"invalid format - invalid content type '{bad}'"
    if name == "nodes":
        bad = next((word for word in words(value) if not _node(word)), None)
        return None if bad is None else f"invalid format - value '{bad}' does not look like a valid node name"
    if name in ("prune-backups", "bwlimit"):
        return _properties(name, value, PRUNE if name == "prune-backups" else LIMITS)
    return None


def _integer(value: str, low: int, high: int | None) -> str | None:
    if not value.lstrip("-").isdigit():
        return f"type check ('integer') failed - got '{value}'"
    if int(value) < low:
        return f"value must have a minimum value of {low}"
    if high is not None and int(value) > high:
        return f"value must have a maximum value of {high}"
    return None


def _node(word: str) -> bool:
    return word.replace("-", "").isalnum() and not word.startswith("-") and not word.endswith("-")


def _properties(name: str, value: str, known: frozenset[str]) -> str | None:
    for pair in value.split(","):
        key, equals, number = pair.partition("=")
        where = f"invalid format - format error\n{name}.{key}: "
        if not equals and name == "bwlimit" and key.replace(".", "").isdigit():
            continue
        if not equals:
            return f"invalid format - invalid value '{pair}' in property string"
        if key not in known:
            return (
                where
                + "property is not defined in schema and the schema does not allow additional properties"
            )
        if key == "keep-all":
            if number.lower() not in YES + NO:
                return where + f"type check ('boolean') failed - got '{number}'"
        elif not number.isdigit():
            return where + f"type check ('integer') failed - got '{number}'"
    return None


def words(value: str) -> list[str]:
    """Split a list as Proxmox does: commas, semicolons and blanks."""
    return value.replace(",", " ").replace(";", " ").split()


def storage_id(text: str) -> bool:
    good = len(text) >= 2 and text[0].isalpha() and text[-1].isalnum()
    return good and text.isascii() and all(sign.isalnum() or sign in "-_." for sign in text)


def checked(kind: str, values: dict[str, str], creating: bool) -> dict[str, str]:
    """Check options against a type and bring them into the form that is stored."""
    known = options(kind)
    for name, value in values.items():
        if name not in known:
            raise Refused(f"unexpected property '{name}'")
        if not creating and known[name] in ("!", "^"):
            raise Refused(f"can't change value of fixed parameter '{name}'")
        if name == "content":
            allowed = CONTENT[kind][0].split()
            bad = next((word for word in words(value) if word not in allowed), None)
            if bad:
                raise Refused(f"storage does not support content type '{bad}'")
            if "none" in words(value) and len(words(value)) > 1:
                raise Refused("unable to combine 'none' with other content types")
    if creating:
        missing = next(
            (name for name, mark in known.items() if mark in ("!", "*") and name not in values), None
        )
        if missing:
            raise Refused(f"missing value for required option '{missing}'")
    return {
        name: ("1" if value.lower() in YES else "0") if name in BOOLEANS else value
        for name, value in values.items()
    }
