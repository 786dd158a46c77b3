"""The native properties of datasets: whom they apply to, what they accept and how they read back."""

import zfs_sizes
from zfs_options import RefusedError

COMPRESSIONS = (
    "on | off | lzjb | gzip | gzip-[1-9] | zle | lz4 | zstd | zstd-[1-19] | zstd-fast"
    " | zstd-fast-[1-10,20,30,40,50,60,70,80,90,100,500,1000]"
)
_FAST = [*range(1, 11), 20, 30, 40, 50, 60, 70, 80, 90, 100, 500, 1000]

# In the order of `zfs get all`. name; on filesystem/volume/snapshot; edit (r never, o at creation only,
# e always); inherited or not; kind; default; accepted values as the usage text spells them; heading
_ROWS = f"""
type;fvs;r;n;text;;filesystem | volume | snapshot | bookmark;TYPE
creation;fvs;r;n;date;;<date>;CREATION
used;fvs;r;n;size;;<size>;USED
available;fv;r;n;size;;<size>;AVAIL
referenced;fvs;r;n;size;;<size>;REFER
compressratio;fvs;r;n;ratio;1.00;<1.00x or higher if compressed>;RATIO
mounted;f;r;n;text;;yes | no;MOUNTED
origin;fv;r;n;text;;<snapshot>;ORIGIN
quota;f;e;n;limit;0;<size> | none;QUOTA
reservation;fv;e;n;limit;0;<size> | none;RESERV
volsize;v;e;n;size;;<size>;VOLSIZE
volblocksize;v;o;y;block;16384;512 to 128k, power of 2;VOLBLOCK
recordsize;f;e;y;block;131072;512 to 1M, power of 2;RECSIZE
mountpoint;f;e;y;path;;<path> | legacy | none;MOUNTPOINT
sharenfs;f;e;y;free;off;on | off | NFS share options;SHARENFS
checksum;fv;e;y;enum;on;on | off | fletcher2 | fletcher4 | sha256 | sha512 | skein | edonr | blake3;CHECKSUM
compression;fv;e;y;compression;on;{COMPRESSIONS};COMPRESS
atime;f;e;y;enum;on;on | off;ATIME
devices;fs;e;y;enum;on;on | off;DEVICES
exec;fs;e;y;enum;on;on | off;EXEC
setuid;fs;e;y;enum;on;on | off;SETUID
readonly;fv;e;y;enum;off;on | off;RDONLY
zoned;f;e;y;enum;off;on | off;ZONED
snapdir;f;e;y;enum;hidden;disabled | hidden | visible;SNAPDIR
aclmode;f;e;y;enum;discard;discard | groupmask | passthrough | restricted;ACLMODE
aclinherit;f;e;y;enum;restricted;discard | noallow | restricted | passthrough | passthrough-x;ACLINHERIT
createtxg;fvs;r;n;count;;<uint64>;CREATETXG
canmount;f;e;n;enum;on;on | off | noauto;CANMOUNT
xattr;fs;e;y;enum;on;on | off | dir | sa;XATTR
copies;fv;e;y;enum;1;1 | 2 | 3;COPIES
version;fs;e;n;fixed;5;1 | 2 | 3 | 4 | 5 | current;VERSION
utf8only;fs;o;y;fixed;off;on | off;UTF8ONLY
normalization;fs;o;y;fixed;none;none | formC | formD | formKC | formKD;NORMALIZATION
casesensitivity;fs;o;y;fixed;sensitive;sensitive | insensitive | mixed;CASE
vscan;f;e;y;enum;off;on | off;VSCAN
nbmand;fs;e;y;enum;off;on | off;NBMAND
sharesmb;f;e;y;free;off;on | off | SMB share options;SHARESMB
refquota;f;e;n;limit;0;<size> | none;REFQUOTA
refreservation;fv;e;n;limit;0;<size> | none;REFRESERV
guid;fvs;r;n;count;;<uint64>;GUID
primarycache;fvs;e;y;enum;all;all | none | metadata;PRIMARYCACHE
secondarycache;fvs;e;y;enum;all;all | none | metadata;SECONDARYCACHE
usedbysnapshots;fv;r;n;size;;<size>;USEDSNAP
usedbydataset;fv;r;n;size;;<size>;USEDDS
usedbychildren;fv;r;n;size;;<size>;USEDCHILD
usedbyrefreservation;fv;r;n;size;;<size>;USEDREFRESERV
defer_destroy;s;r;n;text;;yes | no;DEFER_DESTROY
userrefs;s;r;n;count;;<count>;USERREFS
logbias;fv;e;y;enum;latency;latency | throughput;LOGBIAS
objsetid;fvs;r;n;count;;<uint64>;OBJSETID
dedup;fv;e;y;enum;off;on | off | verify | sha256[,verify] | sha512[,verify] | skein[,verify]\
 | edonr,verify | blake3[,verify];DEDUP
mlslabel;fvs;e;y;free;none;<sensitivity label>;MLSLABEL
sync;fv;e;y;enum;standard;standard | always | disabled;SYNC
dnodesize;f;e;y;enum;legacy;legacy | auto | 1k | 2k | 4k | 8k | 16k;DNSIZE
refcompressratio;fvs;r;n;ratio;1.00;<1.00x or higher if compressed>;REFRATIO
written;fvs;r;n;size;;<size>;WRITTEN
clones;s;r;n;text;;<dataset>[,...];CLONES
logicalused;fv;r;n;size;;<size>;LUSED
logicalreferenced;fvs;r;n;size;;<size>;LREFER
volmode;fv;e;y;enum;default;default | full | geom | dev | none;VOLMODE
filesystem_limit;f;e;n;amount;none;<count> | none;FSLIMIT
snapshot_limit;fv;e;n;amount;none;<count> | none;SSLIMIT
filesystem_count;f;r;n;amount;none;<count>;FSCOUNT
snapshot_count;fv;r;n;amount;none;<count>;SSCOUNT
snapdev;fv;e;y;enum;hidden;hidden | visible;SNAPDEV
acltype;fs;e;y;enum;off;off | nfsv4 | posix;ACLTYPE
context;fvs;e;n;free;none;<selinux context>;CONTEXT
fscontext;fvs;e;n;free;none;<selinux fscontext>;FSCONTEXT
defcontext;fvs;e;n;free;none;<selinux defcontext>;DEFCONTEXT
rootcontext;fvs;e;n;free;none;<selinux rootcontext>;ROOTCONTEXT
relatime;f;e;y;enum;on;on | off;RELATIME
redundant_metadata;fv;e;y;enum;all;all | most | some | none;REDUND_MD
overlay;f;e;y;enum;on;on | off;OVERLAY
receive_resume_token;;r;n;text;;<string token>;RESUMETOK
encryption;fvs;o;y;enum;off;on | off | aes-128-ccm | aes-192-ccm | aes-256-ccm | aes-128-gcm\
 | aes-192-gcm | aes-256-gcm;ENCRYPTION
encryptionroot;;r;n;text;;<filesystem | volume>;ENCROOT
keylocation;fv;e;n;free;none;prompt | <file URI> | <https URL> | <http URL>;KEYLOCATION
keyformat;fv;o;n;enum;none;none | raw | hex | passphrase;KEYFORMAT
pbkdf2iters;fv;o;n;count;0;<iters>;PBKDF2ITERS
keystatus;;r;n;text;;none | unavailable | available;KEYSTATUS
special_small_blocks;f;e;y;small;0;zero or 512 to 1M, power of 2;SPECIAL_SMALL_BLOCKS
redact_snaps;;r;n;text;;<snapshot>[,...];RSNAPS
snapshots_changed;;r;n;date;;<date>;SNAPSHOTS_CHANGED
prefetch;fvs;e;y;enum;all;none | metadata | all;PREFETCH
volthreading;v;e;n;enum;on;on | off;VOLTHREADING
direct;f;e;y;enum;standard;disabled | standard | always;DIRECT
longname;f;e;y;enum;off;on | off;LONGNAME
"""


class Property:
    """One row of the table."""

    def __init__(self, row: str) -> None:
        self.name, self.kinds, edit, inherit, *others = row.split(";")
        self.form, self.default, self.values, self.heading = others
        self.editable = edit == "e"
        self.at_creation = edit != "r"
        self.inherits = inherit == "y"

    def applies(self, kind: str) -> bool:
        return kind[:1] in self.kinds

    @property
    def is_number(self) -> bool:
        return self.form in ("size", "limit", "block", "count", "amount", "ratio", "small")


TABLE = {row.partition(";")[0]: Property(row) for row in _ROWS.strip().splitlines()}
_SHORT = {prop.heading.lower(): name for name, prop in TABLE.items()}
_ALIASES = {("xattr", "sa"): "on", ("acltype", "posixacl"): "posix", ("acltype", "noacl"): "off"}


def known(word: str) -> str:
    """Return a property's full name for what was typed (`avail`, `refer`); empty if there is none."""
    name = word.lower()
    return name if name in TABLE else _SHORT.get(name, "")


def is_user(name: str) -> bool:
    """Whether it is a well-formed name of a user property (module:name)."""
    return ":" in name and len(name) < 256 and all(c.islower() or c.isdigit() or c in ":-._" for c in name)


def checked(word: str, value: str, kind: str, creating: bool) -> tuple[str, str]:
    """Return name and canonical value, or raise RefusedError with the tools' words (no prefix)."""
    if is_user(word):
        if len(value) >= 8192:
            raise RefusedError(f"property value must be less than 8192 bytes for '{word}'")
        return word, value
    name = known(word)
    if not name:
        raise RefusedError(f"invalid property '{word}'")
    prop = TABLE[name]
    if not prop.applies(kind) and prop.at_creation:
        raise RefusedError(f"'{name}' does not apply to datasets of this type")
    if not (prop.at_creation if creating else prop.editable):
        raise RefusedError(f"'{name}' is readonly")
    return name, _canonical(prop, value)


def _canonical(prop: Property, value: str) -> str:
    if prop.form in ("limit", "size", "amount"):
        return _size(prop, value)
    if prop.form in ("block", "small"):
        return _block(prop, value)
    if prop.form == "count":
        return str(_number(value))
    if prop.form == "path":
        if not value.startswith("/") and value not in ("none", "legacy"):
            raise RefusedError(f"'{prop.name}' must be an absolute path, 'none', or 'legacy'")
        return value.rstrip("/") or "/"
    if prop.form == "compression" and not _compression(value):
        raise RefusedError(f"'{prop.name}' must be one of '{prop.values}'")
    if prop.form in ("enum", "fixed"):
        return _choice(prop, value)
    return value


def _choice(prop: Property, value: str) -> str:
    value = _ALIASES.get((prop.name, value), value)
    accepted = prop.values.replace("[,verify]", "").split(" | ")
    if prop.name == "dedup":
        accepted += [f"{name},verify" for name in ("sha256", "sha512", "skein", "blake3")]
    if value not in accepted:
        raise RefusedError(f"'{prop.name}' must be one of '{prop.values}'")
    return value


def _compression(value: str) -> bool:
    if value.startswith("gzip-"):
        return value[5:] in [str(level) for level in range(1, 10)]
    if value.startswith("zstd-fast-"):
        return value[10:] in [str(level) for level in _FAST]
    if value.startswith("zstd-") and value != "zstd-fast":
        return value[5:] in [str(level) for level in range(1, 20)]
    return value in ("on", "off", "lzjb", "gzip", "zle", "lz4", "zstd", "zstd-fast")


def _number(value: str) -> int:
    try:
        return zfs_sizes.parse(value)
    except ValueError as error:
        raise RefusedError(str(error)) from None


def _size(prop: Property, value: str) -> str:
    if value == "none" and prop.form != "size":
        return prop.default
    if value == "auto" and prop.name == "refreservation":
        return "auto"
    return str(_number(value))


def _block(prop: Property, value: str) -> str:
    size = _number(value)
    top, spelled = (131072, "128K") if prop.name == "volblocksize" else (16 << 20, "16M")
    if prop.form == "small" and size == 0:
        return "0"
    if size < 512 or size > top or size & (size - 1):
        zero = "zero or " if prop.form == "small" else ""
        raise RefusedError(f"'{prop.name}' must be {zero}power of 2 from 512B to {spelled}")
    return str(size)


def shown(prop: Property, value: str, exact: bool) -> str:
    """Spell a stored value: as the number it is with -p, for people without."""
    if value == "-":
        return value
    if prop.form == "ratio":
        return value if exact else value + "x"
    if exact:
        return value
    if prop.form == "limit" and value == "0":
        return "none"
    if prop.form in ("limit", "size", "block", "small"):
        return value if prop.form == "small" and value == "0" else zfs_sizes.pretty(int(value))
    if prop.form == "date" and value:
        import time

        return time.strftime("%a %b %e %k:%M %Y", time.localtime(int(value)))
    return value
