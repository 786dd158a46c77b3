"""What the lab has of python-build-standalone: the machine's own Python, which calls itself otherwise."""

import re

import stamps

HOSTS = ("github.com",)
PUBLISHED = {
    ("3.12.15", "20261021"): "6d7521138fd33afddc1ccd08abb007d9a2829e38117c2576f9efdc0ec73ce772",
    ("3.12.16", "20261110"): "6a9e62dad033790aef722dbd370e0ce76ce17b73627ba3ae679f537049350b39",
}
"""SHA-256 of the real archives, as uv 0.13.9 knows them."""
PLACE = re.compile(
    r"https://github\.com/astral-sh/python-build-standalone/releases/download/(?P<release>\d{8})/"
    r"cpython-(?P<version>[0-9.]+)%2B(?P=release)-x86_64-unknown-linux-gnu-install_only_stripped\.tar\.gz"
)


def served(url: str) -> bytes | None:
    """Return what lies at an address; None if nothing does."""
    found = PLACE.fullmatch(url)
    sha256 = PUBLISHED.get((found["version"], found["release"])) if found else None
    return archive(found["version"], sha256) if found and sha256 else None


def archive(version: str, sha256: str) -> bytes:
    """Return the lab's archive of a version: the same bytes each time."""
    said = f'#!/bin/sh\n# a stand-in of the lab\nexec /usr/local/sbin/lab-python {version} "$@"\n'
    return stamps.gzipped(stamps.tar({"python/bin/python3": (said.encode(), 0o755)}), sha256)
