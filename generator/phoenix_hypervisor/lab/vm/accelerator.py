"""Whether the machine's own processor can run guests, or QEMU has to emulate one.

That there is a /dev/kvm says little: in many virtual machines it is there and guests hang in it. So the
image's kernel is started with it once, and only if it comes up in time is it used from then on.
"""

import os
from pathlib import Path

from ...process import Broken, run
from .image import Image

EMULATED = ("-accel", "tcg,thread=multi,tb-size=512", "-cpu", "qemu64")
NATIVE = ("-accel", "kvm", "-cpu", "host")
TRIAL_SECONDS = 10
CAME_UP = b"phoenix: it runs"


def accelerator(image: Image, device: Path = Path("/dev/kvm")) -> tuple[str, ...]:
    """Return the words for QEMU; the trial is made once for each image and boot of this machine."""
    if not os.access(device, os.R_OK | os.W_OK):
        return EMULATED
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    verdict = image.root.parent / f"kvm-{boot}"
    if not verdict.exists():
        works = b"yes" if _trial(image) else b"no"
        verdict.write_bytes(works)
    return NATIVE if verdict.read_bytes() == b"yes" else EMULATED


def _trial(image: Image) -> bool:
    argv = ["qemu-system-x86_64", "-M", "q35", *NATIVE, "-m", "512", "-nodefaults", "-display", "none"]
    argv += ["-serial", "stdio", "-no-reboot", "-kernel", str(image.vmlinuz), "-initrd", str(image.initrd)]
    argv += ["-append", "console=ttyS0 panic=-1 quiet phoenix.trial"]
    try:
        return CAME_UP in run(argv, timeout=TRIAL_SECONDS).stdout
    except Broken:
        return False
