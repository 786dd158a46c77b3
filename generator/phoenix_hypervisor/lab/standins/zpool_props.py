"""The properties of pools."""

from zfs_options import RefusedError

# In the order of `zpool get all`. name; edit (r never, e always); kind; default; accepted values; heading
_ROWS = """
size;r;size;;<size>;SIZE
capacity;r;percent;;<percent>;CAP
altroot;e;free;-;<path>;ALTROOT
health;r;text;;<state>;HEALTH
guid;r;count;;<guid>;GUID
version;e;free;-;<version>;VERSION
bootfs;e;free;-;<filesystem>;BOOTFS
delegation;e;enum;on;on | off;DELEGATION
autoreplace;e;enum;off;on | off;REPLACE
cachefile;e;free;-;<file> | none;CACHEFILE
failmode;e;enum;wait;wait | continue | panic;FAILMODE
listsnapshots;e;enum;off;on | off;LISTSNAPS
autoexpand;e;enum;off;on | off;EXPAND
dedupratio;r;ratio;1.00;<1.00x or higher if deduped>;DEDUP
free;r;size;;<size>;FREE
allocated;r;size;;<size>;ALLOC
readonly;e;fixed;off;on | off;RDONLY
ashift;e;ashift;0;<ashift, 9-16, or 0=default>;ASHIFT
comment;e;comment;-;<comment-string>;COMMENT
expandsize;r;size;-;<size>;EXPANDSZ
freeing;r;size;0;<size>;FREEING
fragmentation;r;percent;0;<percent>;FRAG
leaked;r;size;0;<size>;LEAKED
multihost;e;enum;off;on | off;MULTIHOST
checkpoint;r;size;-;<size>;CKPOINT
load_guid;r;count;;<load_guid>;LOAD_GUID
autotrim;e;enum;off;on | off;AUTOTRIM
compatibility;e;free;off;<file[,file...]> | off | legacy;COMPATIBILITY
bcloneused;r;size;0;<size>;BCLONE_USED
bclonesaved;r;size;0;<size>;BCLONE_SAVED
bcloneratio;r;ratio;1.00;<1.00x or higher if cloned>;BCLONE_RATIO
dedup_table_size;r;size;0;<size>;DDTSIZE
dedup_table_quota;e;free;auto;<size>;DDTQUOTA
last_scrubbed_txg;r;count;0;<txg>;LAST_SCRUBBED_TXG
"""
_ACTIVE = [
    "lz4_compress",
    "spacemap_histogram",
    "enabled_txg",
    "hole_birth",
    "extensible_dataset",
    "embedded_data",
    "userobj_accounting",
    "project_quota",
    "spacemap_v2",
    "log_spacemap",
    "head_errlog",
    "vdev_zaps_v2",
]
FEATURES = [
    "async_destroy",
    "empty_bpobj",
    "lz4_compress",
    "multi_vdev_crash_dump",
    "spacemap_histogram",
    "enabled_txg",
    "hole_birth",
    "extensible_dataset",
    "embedded_data",
    "bookmarks",
    "filesystem_limits",
    "large_blocks",
    "large_dnode",
    "sha512",
    "skein",
    "edonr",
    "userobj_accounting",
    "encryption",
    "project_quota",
    "device_removal",
    "obsolete_counts",
    "zpool_checkpoint",
    "spacemap_v2",
    "allocation_classes",
    "resilver_defer",
    "bookmark_v2",
    "redaction_bookmarks",
    "redacted_datasets",
    "bookmark_written",
    "log_spacemap",
    "livelist",
    "device_rebuild",
    "zstd_compress",
    "draid",
    "zilsaxattr",
    "head_errlog",
    "blake3",
    "block_cloning",
    "vdev_zaps_v2",
    "redaction_list_spill",
    "raidz_expansion",
    "fast_dedup",
    "longname",
    "large_microzap",
]
_GET_USAGE = (
    "usage:\n\tget [-Hp] [-j [--json-int, --json-pool-key-guid]] ...\n"
    '\t    [-o "all" | field[,...]] <"all" | property[,...]> <pool> ...\n\n'
)


class Property:
    """One row of the table."""

    def __init__(self, row: str) -> None:
        self.name, edit, self.form, self.default, self.values, self.heading = row.split(";")
        self.editable = edit == "e"

    @property
    def is_number(self) -> bool:
        return self.form in ("size", "percent", "count", "ratio", "ashift")


TABLE = {row.partition(";")[0]: Property(row) for row in _ROWS.strip().splitlines()}
_SHORT = {prop.heading.lower(): name for name, prop in TABLE.items()}


def known(word: str) -> str:
    """Return a property's full name for what was typed (`alloc`, `cap`); empty if there is none."""
    name = word.lower()
    if name.startswith("feature@") and name[8:] in FEATURES:
        return name
    return name if name in TABLE else _SHORT.get(name, "")


def feature(name: str) -> str:
    return "active" if name in _ACTIVE else "enabled"


def checked(name: str, value: str, creating: bool) -> str:
    """Return the canonical value, or raise RefusedError with the tools' words (no prefix)."""
    prop = TABLE[name]
    if not prop.editable:
        raise RefusedError(f"'{name}' is readonly")
    if prop.form == "enum" and value not in prop.values.split(" | "):
        raise RefusedError(f"'{name}' must be one of '{prop.values}'")
    if prop.form == "fixed" and not creating:
        raise RefusedError(f"property '{name}' can only be set at import time")
    if prop.form == "ashift":
        return _ashift(value)
    if prop.form == "comment" and len(value) > 32:
        raise RefusedError("comment must not exceed 32 characters")
    return value


def _ashift(value: str) -> str:
    if not value.isdigit():
        raise RefusedError(f"bad numeric value '{value}'")
    if int(value) and not 9 <= int(value) <= 16:
        raise RefusedError(f"property 'ashift' number {int(value)} is invalid.")
    return str(int(value))


def get_usage() -> str:
    """Return what follows a complaint about an unknown property."""
    return _GET_USAGE + supported()


def supported() -> str:
    """Return the list of properties with which such complaints end."""

    def line(name: str, edit: str, values: str) -> str:
        return f"\t{name:<19}  {edit:>4}   {values}"

    rows = [line("PROPERTY", "EDIT", "VALUES"), ""]
    for editable in (False, True):
        names = sorted(name for name in TABLE if TABLE[name].editable == editable)
        rows += [line(name, "YES" if editable else "NO", TABLE[name].values) for name in names]
    rows.append(line("feature@...", "YES", "disabled | enabled | active"))
    tail = "\nThe feature@ properties must be appended with a feature name.\nSee zpool-features(7)."
    return "\n".join(["the following properties are supported:\n", *rows, tail])
