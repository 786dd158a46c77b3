"""Disk images that are brought into a storage: cloud images.

An image of the lab's own is an archive of a root file system, whatever its name says; anything else is a disk
without a system on it, which starts and never says a word.
"""

import os
import tarfile

import guest_archive
import guest_volumes
import model
import qm_drives
from guest_conf import Refused

SIZE = 3584 << 20
"""How large the disk in a cloud image is (Ubuntu's: 3.5 GiB)."""


def bring_in(source: str, storage: str, vmid: str, form: str = "") -> str:
    """Make a disk of an image's content; return its volume."""
    path = source if source.startswith("/") else guest_volumes.image(source)
    if not os.path.isfile(model.path(path)):
        raise Refused(f"volume '{source}' does not exist")
    archived = _is_archive(model.path(path))
    size = SIZE if archived else -(-max(os.stat(model.path(path)).st_size, 1) // (1 << 20)) << 20
    volid = qm_drives.allocate(storage, vmid, size, form)
    total = f"{size / 2**30:.1f} GiB" if size >= 1 << 30 else f"{size / 2**20:.1f} MiB"
    print(f"transferred 0.0 B of {total} (0.00%)")
    if archived:
        folder = model.path(qm_drives.content(volid))
        os.makedirs(folder, exist_ok=True)
        guest_archive.unpack(model.path(path), folder)
    print(f"transferred {total} of {total} (100.00%)", flush=True)
    return volid


def _is_archive(path: str) -> bool:
    try:
        with guest_archive.opened(path):
            return True
    except (tarfile.TarError, EOFError, OSError):
        return False
