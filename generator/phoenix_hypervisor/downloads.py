"""Files from the network, by address and checksum: fetched once to a node, given to its guests from there."""

from collections.abc import Mapping
from dataclasses import dataclass

DOWNLOADS = "/var/cache/phoenix/downloads"
"""Where a node keeps what was fetched, each file under its checksum. May be emptied at any time."""


@dataclass(frozen=True)
class Fetch:
    """A file that a step needs on its host."""

    url: str
    """Where it comes from: http, https, or a `file:///` of the node's."""
    sha256: str
    path: str = ""
    """Where it is put for good; otherwise it lies at `file` while the step's script runs."""
    mode: int = 0o644

    @property
    def file(self) -> str:
        """Where it lies on the host: without a `path`, in the node's cache; in a guest, at the same place."""
        return self.path or downloaded(self.sha256)


def downloaded(sha256: str) -> str:
    """Return where a fetched file lies while a script runs that was given it."""
    return f"{DOWNLOADS}/{sha256}"


def mirrored(url: str, mirrors: Mapping[str, str]) -> str:
    """Return the address to fetch from: the longest prefix that is declared is replaced."""
    prefix = max((prefix for prefix in mirrors if url.startswith(prefix)), key=len, default="")
    return mirrors[prefix] + url.removeprefix(prefix) if prefix else url
