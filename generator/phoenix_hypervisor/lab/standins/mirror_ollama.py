"""What the lab has of Ollama's releases: archives with the lab's own program in them."""

import re

import stamps

HOSTS = ("github.com",)
PUBLISHED = {
    "0.12.6": "de82adce2ab79235115d511ff22fcb099ac53b67127870f12b80198c033ec0a1",
    "0.12.11": "fb140ea4243706d0087b0108418ee5c6f74edcebf5f14e2f289b8e36bd303d0f",
}
"""SHA-256 of the real archives, from each release's sha256sum.txt."""
PLACE = re.compile(
    r"https://github\.com/ollama/ollama/releases/download/v(?P<version>[0-9.]+)/ollama-linux-amd64\.tgz"
)


def served(url: str) -> bytes | None:
    """Return what lies at an address; None if nothing does."""
    found = PLACE.fullmatch(url)
    return archive(found["version"]) if found and found["version"] in PUBLISHED else None


def archive(version: str) -> bytes:
    """Return the lab's archive of a version: the same bytes each time."""
    said = "#!/bin/sh\n# a stand-in of the lab\n"
    said += f'PHOENIX_LAB_VERSION={version} exec lab-program ollama "$@"\n'
    files = {"bin/ollama": (said.encode(), 0o755), "lib/ollama/libggml-base.so": (b"", 0o644)}
    return stamps.gzipped(stamps.tar(files), PUBLISHED[version])
