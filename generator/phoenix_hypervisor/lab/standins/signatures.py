"""What lies on a disk, read from its bytes as libblkid does: file systems, swap, ZFS, partition tables."""

import os

from zfs_label import LABEL, UBERBLOCK, label_starts, read_config

_ZFS_WANTED = 4  # libblkid believes in ZFS only from four uberblocks on


class Signature:
    """One magic on the disk: where it is and what it says, in the words of wipefs and blkid."""

    def __init__(self, kind: str, offset: int, usage: str, **tags: str) -> None:
        self.kind = kind
        self.offset = offset
        self.usage = usage
        self.tags = tags


class Entry:
    """A partition as its table has it, in bytes."""

    def __init__(self, number: int, start: int, size: int, uuid: str, type_id: str, name: str) -> None:
        self.number = number
        self.start = start
        self.size = size
        self.uuid = uuid
        self.type_id = type_id
        self.name = name


class Table:
    """A partition table; `kind` is gpt, dos, or empty where there is none."""

    def __init__(self, kind: str = "", uuid: str = "") -> None:
        self.kind = kind
        self.uuid = uuid
        self.entries: list[Entry] = []
        self.offsets: list[tuple[str, int]] = []


class Found:
    """All that is on a device: at most one content, its further magics, and a partition table."""

    def __init__(self, content: list[Signature], partition_table: Table) -> None:
        self.content = content
        self.table = partition_table

    @property
    def first(self) -> Signature | None:
        return self.content[0] if self.content else None


def probe(file: str, start: int, size: int) -> Found:
    """Read the signatures of a range of bytes in a disk's file."""
    with open(file, "rb") as disk:
        handle = disk.fileno()
        zfs = _zfs(handle, start, size)
        head = os.pread(handle, min(0x10200, size), start)
        content = zfs or _superblocks(head.ljust(0x10200, b"\0"))
    return Found(content, Table() if start or not size else table(file, size))


def _superblocks(head: bytes) -> list[Signature]:
    found = (reader(head) for reader in (_ext, _swap, _xfs, _btrfs, _plain))
    return [signature for signature in found if signature is not None]


def _uuid(raw: bytes) -> str:
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace").rstrip()


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


def _tags(label: str, uuid: str, **others: str) -> dict[str, str]:
    tags = {"LABEL": label} if label else {}
    return {**tags, "UUID": uuid, **others}


def _ext(head: bytes) -> Signature | None:
    if head[0x438:0x43A] != b"\x53\xef":
        return None
    kind = "ext2"
    if _number(head[0x45C:0x460]) & 0x4:
        kind = "ext3"
    if _number(head[0x460:0x464]) & 0x40 or not _number(head[0x45C:0x464]):
        kind = "ext4"
    version = f"{_number(head[0x44C:0x450])}.{_number(head[0x43E:0x440])}"
    block = str(1024 << (_number(head[0x418:0x41C]) & 7))
    tags = _tags(_text(head[0x478:0x488]), _uuid(head[0x468:0x478]), VERSION=version, BLOCK_SIZE=block)
    return Signature(kind, 0x438, "filesystem", **tags)


def _swap(head: bytes) -> Signature | None:
    if head[0xFF6:0x1000] != b"SWAPSPACE2":
        return None
    tags = _tags(_text(head[0x41C:0x42C]), _uuid(head[0x40C:0x41C]), VERSION="1")
    return Signature("swap", 0xFF6, "other", **tags)


def _xfs(head: bytes) -> Signature | None:
    if head[:4] != b"XFSB":
        return None
    sector = str(int.from_bytes(head[102:104], "big") or 512)
    tags = _tags(_text(head[108:120]), _uuid(head[32:48]), BLOCK_SIZE=sector)
    return Signature("xfs", 0, "filesystem", **tags)


def _btrfs(head: bytes) -> Signature | None:
    if head[0x10040:0x10048] != b"_BHRfS_M":
        return None
    sector = str(_number(head[0x10090:0x10094]) or 4096)
    tags = _tags(_text(head[0x1012B:0x10200]), _uuid(head[0x10020:0x10030]), BLOCK_SIZE=sector)
    return Signature("btrfs", 0x10040, "filesystem", **tags)


_PLAIN = [
    (0, b"LUKS\xba\xbe", "crypto_LUKS", "crypto"),
    (0x218, b"LVM2 001", "LVM2_member", "raid"),
    (0x1000, b"\xfc\x4e\x2b\xa9", "linux_raid_member", "raid"),
    (3, b"NTFS    ", "ntfs", "filesystem"),
    (0x52, b"FAT32   ", "vfat", "filesystem"),
]


def _plain(head: bytes) -> Signature | None:
    """Find what is only named, without its label and id."""
    for offset, magic, kind, usage in _PLAIN:
        if head[offset : offset + len(magic)] == magic:
            return Signature(kind, offset, usage)
    return None


def _zfs(handle: int, start: int, size: int) -> list[Signature]:
    """Return a signature for each uberblock, in the order wipefs finds them.

    libblkid looks through the labels until it has counted enough uberblocks and names the last one it saw;
    wipefs hides that one and asks again.
    """
    labels = [[at + slot for slot in _uberblocks(handle, start + at)] for at in label_starts(size)]
    offsets: list[int] = []
    while True:
        seen, last = 0, -1
        for slots in labels:
            seen += len(slots)
            last = slots[-1] if slots else last
            if seen >= _ZFS_WANTED:
                break
        if seen < _ZFS_WANTED or last < 0:
            break
        offsets.append(last)
        next(slots for slots in labels if last in slots).remove(last)
    if not offsets:
        return []
    tags = {"VERSION": "5000"}
    config = read_config(handle, start, size)
    if config:
        tags |= {"LABEL": config["name"], "UUID": config["guid"], "UUID_SUB": config["vdev"]}
    tags["BLOCK_SIZE"] = "4096"
    return [Signature("zfs_member", offset, "filesystem", **tags) for offset in offsets]


def _uberblocks(handle: int, label: int) -> list[int]:
    ring = os.pread(handle, LABEL // 2, label + LABEL // 2)
    return [
        LABEL // 2 + slot
        for slot in range(0, len(ring), 4096)
        if ring[slot : slot + len(UBERBLOCK)] == UBERBLOCK
    ]


def table(file: str, size: int) -> Table:
    """Read the partition table of a whole disk."""
    with open(file, "rb") as disk:
        head = disk.read(34 * 512)
        if head[512:520] == b"EFI PART":
            disk.seek(max(size - 512, 0))
            return _gpt(head, disk.read(8) == b"EFI PART", size)
    return _dos(head)


def _gpt(head: bytes, has_backup: bool, size: int) -> Table:
    found = Table("gpt", _guid(head[568:584]))
    found.offsets = [("gpt", 0x200)]
    if has_backup:
        found.offsets.append(("gpt", size - 512))
    if head[510:512] == b"\x55\xaa":
        found.offsets.append(("PMBR", 0x1FE))
    for number in range(1, 129):
        raw = head[1024 + (number - 1) * 128 : 1024 + number * 128]
        if len(raw) == 128 and any(raw[:16]):
            first, last = _number(raw[32:40]), _number(raw[40:48])
            name = raw[56:].decode("utf-16-le", "replace").split("\0", 1)[0]
            span = (first * 512, (last - first + 1) * 512)
            found.entries.append(Entry(number, *span, _guid(raw[16:32]), _guid(raw[:16]), name))
    return found


def _dos(head: bytes) -> Table:
    rows = [head[446 + n * 16 : 462 + n * 16] for n in range(4)]
    # a boot sector of a FAT or NTFS file system ends with the same two bytes
    if head[510:512] != b"\x55\xaa" or head[3:7] == b"NTFS" or head[0x52:0x57] == b"FAT32":
        return Table()
    if not any(row[4] for row in rows if len(row) == 16) or any(row[0] not in (0, 0x80) for row in rows):
        return Table()
    uuid = f"{_number(head[440:444]):08x}"
    found = Table("dos", uuid)
    found.offsets = [("dos", 0x1FE)]
    for number, row in enumerate(rows, start=1):
        if row[4]:
            start, size = _number(row[8:12]) * 512, _number(row[12:16]) * 512
            found.entries.append(Entry(number, start, size, f"{uuid}-{number:02x}", f"0x{row[4]:x}", ""))
    return found


def _guid(raw: bytes) -> str:
    """Spell a GPT id, whose first three parts are little-endian."""
    return _uuid(raw[3::-1] + raw[5:3:-1] + raw[7:5:-1] + raw[8:])
