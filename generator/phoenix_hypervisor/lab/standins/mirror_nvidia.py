"""What the lab has of NVIDIA's servers: runfiles, each a few lines that call the lab's installer."""

import re

import stamps

HOSTS = ("us.download.nvidia.com", "download.nvidia.com")
VERSIONS = (
    "535.183.01", "570.153.02", "570.172.08", "575.64.05", "580.65.06", "580.76.05", "580.82.07", "580.95.05",
)  # fmt: skip
PUBLISHED = {
    "570.153.02": "148886e4f69576fa8fa67140e6e5dd6e51f90b2ec74a65f1a7a7334dfa5de1b6",
    "580.76.05": "219be636b60931b021b2e8c1e0eff887363c731f8a940caa87bcc054d05d97fd",
}
"""SHA-256 of the real runfiles."""
PLACE = re.compile(
    r"https?://[a-z.]+/XFree86/Linux-x86_64/(?P<version>[0-9.]+)/NVIDIA-Linux-x86_64-(?P=version)\.run"
)


def runfile(version: str) -> bytes:
    """Return the lab's runfile of a version: the same bytes each time."""
    said = f"#!/bin/sh\n# the lab's NVIDIA-Linux-x86_64-{version}.run\n"
    said += f'PHOENIX_LAB_RUNFILE={version} exec nvidia-installer "$@"\n'
    return stamps.text(said, PUBLISHED[version]) if version in PUBLISHED else said.encode()


def served(url: str) -> bytes | None:
    """Return what lies at an address; None if nothing does."""
    found = PLACE.fullmatch(url)
    return runfile(found["version"]) if found and found["version"] in VERSIONS else None
