"""What qemu-img, mke2fs and resize2fs say about the raw images of containers on directory storages."""

import os


def _blocks(size: int) -> tuple[int, int, int, int]:
    """Return what mke2fs chooses: block size in KiB, blocks, blocks in a group, inodes."""
    small = size < 512 << 20
    kib, ratio = (1, 4096) if small else (4, 16384)
    count, group = size // (kib * 1024), 8192 * kib
    groups = -(-count // group)
    inodes = -(-(size // ratio) // groups) // 8 * 8 * groups
    return kib, count, group, inodes


def _uuid() -> str:
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def tell_made(path: str, size: int) -> None:
    """Print what making an image prints."""
    kib, count, group, inodes = _blocks(size)
    print(f"Formatting '{path}', fmt=raw size={size} preallocation=off")
    print(f"Creating filesystem with {count} {kib}k blocks and {inodes} inodes")
    print(f"Filesystem UUID: {_uuid()}")
    powers = {base**exponent for base in (3, 5, 7) for exponent in range(12)}
    first = 1 if kib == 1 else 0
    copies = [number * group + first for number in sorted(powers) if number * group + first < count]
    print("Superblock backups stored on blocks: \n\t" + ", ".join(map(str, copies)))


def tell_resized(path: str, before: int, after: int, files: int) -> None:
    """Print what growing an image of a stopped guest prints; `files` is how many there are in it."""
    kib, count, _, inodes = _blocks(before)
    print("Image resized.\ne2fsck 1.47.0 (5-Feb-2023)")
    steps = ("inodes, blocks, and sizes", "directory structure", "directory connectivity", "reference counts")
    for number, step in enumerate((*steps, "group summary information"), 1):
        print(f"Pass {number}: Checking {step}")
    print(f"{path}: {files}/{inodes} files (0.0% non-contiguous), {files}/{count} blocks")
    print("resize2fs 1.47.0 (5-Feb-2023)")
    blocks = after // (kib * 1024)
    print(f"Resizing the filesystem on {path} to {blocks} ({kib}k) blocks.")
    print(f"The filesystem on {path} is now {blocks} ({kib}k) blocks long.\n")
