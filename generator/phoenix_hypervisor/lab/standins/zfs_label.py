"""The label ZFS writes on a disk, and the partitions it makes on a whole one.

Places, sizes and the uberblocks' magic are those of ZFS, so that blkid, wipefs and `zpool import` can find
pools by looking at disks. The configuration is JSON where ZFS has an nvlist.
"""

import os

import quick_json
from hints import Any

LABEL = 256 << 10  # four on each device: two at the start, two at the end
UBERBLOCK = (0x00BAB10C).to_bytes(8, "little")
_CONFIG_AT = 16 << 10
_CONFIG_SIZE = 112 << 10
_SLOTS = (4, 5, 6, 7)
_SECTOR = 512
_ALIGNED = 2048  # sectors before the first partition
_RESERVED = 16384  # sectors of the partition 9 that ZFS keeps at a disk's end
_ZFS_TYPE = bytes.fromhex("c38c896ad21db21199a6080020736631")  # Solaris /usr & Apple ZFS
_RESERVED_TYPE = bytes.fromhex("3b5e826ad21db21199a6080020736631")


def label_starts(size: int) -> list[int]:
    """Return where the four labels of a device of that size begin; none on one too small."""
    end = size - size % LABEL
    return [0, LABEL, end - 2 * LABEL, end - LABEL] if end >= 4 * LABEL else []


def read_config(handle: int, start: int, size: int) -> dict[str, Any] | None:
    """Return the configuration in the first label that has one."""
    for at in label_starts(size):
        raw = os.pread(handle, _CONFIG_SIZE, start + at + _CONFIG_AT).split(b"\0", 1)[0]
        if raw[:1] == b"{":
            config: dict[str, Any] = quick_json.loads(raw.decode())
            return config
    return None


def read(file: str, start: int, size: int) -> dict[str, Any] | None:
    with open(file, "rb") as disk:
        return read_config(disk.fileno(), start, size)


def write(file: str, start: int, size: int, config: dict[str, Any]) -> None:
    """Write all four labels."""
    raw = quick_json.dumps(config).encode()
    txg = int(config.get("txg", 4))
    block = UBERBLOCK + (5000).to_bytes(8, "little") + txg.to_bytes(8, "little")
    with open(file, "r+b") as disk:
        for at in label_starts(size):
            os.pwrite(disk.fileno(), raw.ljust(_CONFIG_SIZE, b"\0"), start + at + _CONFIG_AT)
            for slot in _SLOTS:
                os.pwrite(disk.fileno(), block, start + at + LABEL // 2 + slot * 4096)


def clear(file: str, start: int, size: int) -> bool:
    """Empty all four labels; False if there was none."""
    if read(file, start, size) is None:
        return False
    with open(file, "r+b") as disk:
        for at in label_starts(size):
            os.pwrite(disk.fileno(), bytes(LABEL), start + at)
    return True


def wipe_ends(file: str, start: int, size: int) -> None:
    """Remove what would still be recognised after a forced `zpool create`: ZFS overwrites both ends."""
    with open(file, "r+b") as disk:
        for at in label_starts(size):
            os.pwrite(disk.fileno(), bytes(LABEL), start + at)


def whole_disk_part(size: int) -> tuple[int, int]:
    """Return start and size, in bytes, of the partition that ZFS makes on a disk of that size."""
    first = _ALIGNED
    end = (size // _SECTOR - _RESERVED - 34) // _ALIGNED * _ALIGNED
    return first * _SECTOR, (end - first) * _SECTOR


def partition(file: str, size: int) -> None:
    """Write the partition table that `zpool create` puts on a whole disk: 1 for the pool, 9 kept back."""
    sectors = size // _SECTOR
    start, length = whole_disk_part(size)
    first, last = start // _SECTOR, (start + length) // _SECTOR - 1
    rows = bytearray(128 * 128)
    rows[:128] = _row(_ZFS_TYPE, first, last, "zfs-" + os.urandom(8).hex())
    rows[8 * 128 : 9 * 128] = _row(_RESERVED_TYPE, last + 1, last + _RESERVED, "")
    disk_id = os.urandom(16)
    with open(file, "r+b") as disk:
        handle = disk.fileno()
        os.pwrite(handle, _protective(sectors), 0)
        os.pwrite(handle, _header(sectors, 1, sectors - 1, 2, disk_id, bytes(rows)), _SECTOR)
        os.pwrite(handle, bytes(rows), 2 * _SECTOR)
        os.pwrite(handle, bytes(rows), (sectors - 33) * _SECTOR)
        backup = _header(sectors, sectors - 1, 1, sectors - 33, disk_id, bytes(rows))
        os.pwrite(handle, backup, (sectors - 1) * _SECTOR)


def _row(type_id: bytes, first: int, last: int, name: str) -> bytes:
    raw = type_id + os.urandom(16) + first.to_bytes(8, "little") + last.to_bytes(8, "little") + bytes(8)
    return raw + name.encode("utf-16-le").ljust(72, b"\0")


def _protective(sectors: int) -> bytes:
    row = b"\0\0\2\0\xee\xff\xff\xff" + (1).to_bytes(4, "little")
    return bytes(446) + row + min(sectors - 1, 0xFFFFFFFF).to_bytes(4, "little") + bytes(48) + b"\x55\xaa"


def _header(sectors: int, own: int, other: int, rows_at: int, disk_id: bytes, rows: bytes) -> bytes:
    from binascii import crc32

    def number(value: int, width: int) -> bytes:
        return value.to_bytes(width, "little")

    tail = number(own, 8) + number(other, 8) + number(34, 8) + number(sectors - 34, 8) + disk_id
    tail += number(rows_at, 8) + number(128, 4) + number(128, 4) + number(crc32(rows), 4)
    start = b"EFI PART\0\0\1\0" + number(92, 4)
    crc = crc32(start + bytes(8) + tail)
    return (start + number(crc, 4) + bytes(4) + tail).ljust(_SECTOR, b"\0")
