"""Files of the lab that stand for real ones: a stamp in each says which checksum the real one has.

The stamp is the word `phoenix-lab-stand-in:`, the published SHA-256, and a checksum of all the rest of the
file. So the lab's `sha256sum` tells the published one of a file that is whole, and of no other.
"""

import hashlib

WORD = b"phoenix-lab-stand-in:"
LENGTH = len(WORD) + 64 + 1 + 64
REACH = 4096
"""A stamp stands so near the beginning or the end of a file."""


def stamped(before: bytes, after: bytes, published: str) -> bytes:
    """Return a file of two parts, with a stamp between them."""
    own = hashlib.sha256(published.encode() + before + after).hexdigest()
    return before + WORD + f"{published}:{own}".encode() + after


def published(content: bytes) -> str | None:
    """Return the SHA-256 of what a file stands for; None if it stands for nothing, or is not whole."""
    at = content.find(WORD, 0, REACH)
    at = content.rfind(WORD, -REACH) if at < 0 else at
    if at < 0:
        return None
    said, colon, own = content[at + len(WORD) : at + LENGTH].partition(b":")
    rest = content[:at] + content[at + LENGTH :]
    right = hashlib.sha256(said + rest).hexdigest().encode()
    return said.decode() if colon and own == right else None


def text(content: str, sha256: str) -> bytes:
    """Return a script or another text with `#` comments, the stamp as its last line."""
    return stamped(f"{content}# ".encode(), b"\n", sha256)


def gzipped(content: bytes, sha256: str) -> bytes:
    """Return a gzip file of some content, the stamp as its comment."""
    import zlib

    head = b"\x1f\x8b\x08\x10\x00\x00\x00\x00\x00\xff"  # deflated, with a comment, of no time
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(content) + packer.flush()
    end = zlib.crc32(content).to_bytes(4, "little") + len(content).to_bytes(4, "little")
    return stamped(head, b"\x00" + packed + end, sha256)


def tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    """Return an archive of files: name → content and mode. The same bytes each time."""
    import io
    import tarfile

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, (content, mode) in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.uname, member.gname = len(content), mode, "root", "root"
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()
