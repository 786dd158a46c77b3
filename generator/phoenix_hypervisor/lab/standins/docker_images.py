"""The images that the lab's registries have, and the program that stands in for what is in each.

A program runs on the host itself, on the port that is published: `environment` says to it what the
container's own settings would say, in paths and ports of the host.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any, NamedTuple

HUB = "docker.io"
_REFERENCE = re.compile(r"(?P<name>[^@]+?)(?::(?P<tag>[\w][\w.-]*))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?")

Row = dict[str, Any]
"""A container, see docker_state."""


class Reference(NamedTuple):
    """What an image is called: `docker.io`, `library/hello-world`, a tag, a digest."""

    host: str
    path: str
    tag: str
    digest: str

    @property
    def familiar(self) -> str:
        """Its name as Docker shows it."""
        if self.host != HUB:
            return f"{self.host}/{self.path}"
        return self.path.removeprefix("library/")

    @property
    def canonical(self) -> str:
        """With its digest, by which it is known here; the tag beside it says nothing more."""
        return f"{self.familiar}@{self.digest}" if self.digest else f"{self.familiar}:{self.tag or 'latest'}"


class Software(NamedTuple):
    """What is in an image: a program of the lab, and how it is told of ports and folders."""

    program: str
    """Its name in lab/programs; empty: it says something and ends."""
    says: str
    ports: tuple[int, ...]
    """What it listens on inside."""
    environment: Callable[[Row], dict[str, str]]


def parse(text: str) -> Reference | None:
    """Read a reference; None for what is none."""
    found = _REFERENCE.fullmatch(text)
    if not found or found["name"] != found["name"].lower():
        return None
    first, slash, rest = found["name"].partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        host, path = first, rest
    else:
        host, path = HUB, found["name"] if slash else f"library/{found['name']}"
    return Reference(host, path, found["tag"] or "", found["digest"] or "")


def published(row: Row, port: int) -> int:
    """Return the port of the host at which a port of the container is, or the port itself."""
    return next((host for _, host, inside, proto in row["ports"] if (inside, proto) == (port, "tcp")), port)


def outside(row: Row, path: str) -> str:
    """Return where a path of the container is on the host: mounted there, or in a layer of its own."""
    best = max(
        (m for m in row["mounts"] if f"{path}/".startswith(f"{m[1]}/")), key=lambda m: len(m[1]), default=None
    )
    if best is None:
        return f"/var/lib/docker/overlay2/{row['id']}/merged{path}"
    return f"{best[0]}{path[len(best[1]) :]}"


def _qdrant(row: Row) -> dict[str, str]:
    settings = {
        "QDRANT__STORAGE__STORAGE_PATH": "/qdrant/storage",
        "QDRANT__STORAGE__SNAPSHOTS_PATH": "/qdrant/snapshots",
        **{key: value for key, value in row["env"].items() if key.startswith("QDRANT__")},
    }
    for key in ("QDRANT__STORAGE__STORAGE_PATH", "QDRANT__STORAGE__SNAPSHOTS_PATH"):
        settings[key] = outside(row, settings[key])
    for key, usual in (("QDRANT__SERVICE__HTTP_PORT", 6333), ("QDRANT__SERVICE__GRPC_PORT", 6334)):
        settings[key] = str(published(row, int(settings.get(key, usual))))
    return settings


def _open_webui(row: Row) -> dict[str, str]:
    port = int(row["env"].get("PORT", "8080"))
    return {**row["env"], "PORT": str(published(row, port)), "DATA_DIR": outside(row, "/app/backend/data")}


def _invokeai(row: Row) -> dict[str, str]:
    port = int(row["env"].get("INVOKEAI_PORT", "9090"))
    root = outside(row, row["env"].get("INVOKEAI_ROOT", "/invokeai"))
    own = {"INVOKEAI_HOST": "0.0.0.0", **row["env"]}  # noqa: S104  (the image's own)
    return {**own, "INVOKEAI_PORT": str(published(row, port)), "INVOKEAI_ROOT": root}


def _whoami(row: Row) -> dict[str, str]:
    return {
        **row["env"],
        "WHOAMI_PORT_NUMBER": str(published(row, int(row["env"].get("WHOAMI_PORT_NUMBER", "80")))),
    }


_HELLO = "\nHello from Docker!\nThis message shows that your installation appears to be working correctly.\n"
SOFTWARE = {
    "docker.io/library/hello-world": Software("", _HELLO, (), lambda _: {}),
    "docker.io/qdrant/qdrant": Software("qdrant", "", (6333, 6334), _qdrant),
    "docker.io/traefik/whoami": Software("whoami", "", (80,), _whoami),
    "ghcr.io/invoke-ai/invokeai": Software("invokeai", "", (9090,), _invokeai),
    "ghcr.io/open-webui/open-webui": Software("open_webui", "", (8080,), _open_webui),
}
DIGESTS = {
    "docker.io/library/hello-world": {
        "sha256:ef54e839ef541993b4e87f25e752f7cf4238fa55f017957c2eb44077083d7a6a": "linux",
    },
    "docker.io/qdrant/qdrant": {
        "sha256:6ac4807063bbecddca0250bfbcff52acf18c22263b904d12919349e6d0a408f1": "v1.15.4",
        "sha256:0fb8897412abc81d1c0430a899b9a81eb8328aa634e7242d1bc804c1fe8fe863": "v1.15.5",
    },
    "docker.io/traefik/whoami": {
        "sha256:02d8fe035f170f91cbb5e458a57f4cefab747436f8244a0eb2d66785fe5e565f": "v1.10.4",
        "sha256:200689790a0a0ea48ca45992e0450bc26ccab5307375b41c84dfc4f2475937ab": "v1.11.0",
    },
    "ghcr.io/invoke-ai/invokeai": {
        "sha256:39a7e3b182c4646634d62cf3ebdefd2082573ae20cdba773f9703fee29e600dd": "v6.14.1-cuda",
    },
    "ghcr.io/open-webui/open-webui": {
        "sha256:dfe43b30a5474164b1a81e1cce298a6769bb22144f74df556beefee4ccca5394": "v0.6.36",
    },
}
"""Of the real images of these versions."""


def software(name: str) -> Software | None:
    """Return what is in an image, by its name with the registry."""
    return SOFTWARE.get(name)


def trouble(reference: Reference) -> str:
    """Return why a registry does not give an image, in the daemon's words; empty if it does."""
    name = f"{reference.host}/{reference.path}"
    server = "registry-1.docker.io" if reference.host == HUB else reference.host
    known = DIGESTS.get(name)
    if reference.host.endswith(".invalid") or (known is None and reference.host not in (HUB, "ghcr.io")):
        return f'Get "https://{server}/v2/": dial tcp: lookup {server}: no such host'
    if known is None:
        denied = f"pull access denied for {reference.familiar}, repository does not exist or may require "
        denied += "'docker login'"
        return (
            f"{denied}: denied: requested access to the resource is denied"
            if reference.host == HUB
            else "denied"
        )
    if reference.digest in known or (not reference.digest and reference.tag in known.values()):
        return ""
    if reference.host == HUB:
        return f"manifest for {reference.canonical} not found: manifest unknown: manifest unknown"
    return "manifest unknown"


def digest_of(reference: Reference) -> str:
    """Return the digest of what a registry has under a name."""
    known = DIGESTS[f"{reference.host}/{reference.path}"]
    return reference.digest or next(digest for digest, tag in known.items() if tag == reference.tag)


def image_id(digest: str) -> str:
    """Return an image's own id, which is another one than its manifest's digest."""
    return "sha256:" + hashlib.sha256(f"image {digest}".encode()).hexdigest()
