"""What NVIDIA's download servers have, in the lab: runfiles, each a few lines that call the lab's installer.

A runfile's checksum is not the real one's; where that is known here, the lab's `sha256sum` tells it all the
same, so that a declared checksum can be checked in the lab.
"""

import re

HOSTS = ("us.download.nvidia.com", "download.nvidia.com")
VERSIONS = (
    "535.183.01", "570.153.02", "570.172.08", "575.64.05", "580.65.06", "580.76.05", "580.82.07", "580.95.05",
)  # fmt: skip
PUBLISHED = {
    "570.153.02": "148886e4f69576fa8fa67140e6e5dd6e51f90b2ec74a65f1a7a7334dfa5de1b6",
    "580.76.05": "219be636b60931b021b2e8c1e0eff887363c731f8a940caa87bcc054d05d97fd",
}
"""SHA-256 of the real runfiles."""
PATH = re.compile(r"/XFree86/Linux-x86_64/(?P<version>[0-9.]+)/NVIDIA-Linux-x86_64-(?P=version)\.run")


def runfile(version: str) -> bytes:
    """Return the lab's runfile of a version: the same bytes each time."""
    return (
        f"#!/bin/sh\n# the lab's NVIDIA-Linux-x86_64-{version}.run\n"
        f'PHOENIX_LAB_RUNFILE={version} exec nvidia-installer "$@"\n'
    ).encode()


def served(host: str, path: str) -> bytes | None:
    """Return what a server answers; None if it has no such file."""
    found = PATH.fullmatch(path)
    if host not in HOSTS or not found or found["version"] not in VERSIONS:
        return None
    return runfile(found["version"])
