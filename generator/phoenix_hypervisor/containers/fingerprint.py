"""What a layer is made of, as one short digest: when it changes, what was cloned from the layer is stale."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

SNAPSHOT = "phoenix_layer"
"""The snapshot that seals a layer."""
_OWN_LIFE = frozenset(
    """
    state hostname description tags onboot startup protection net restart restart_window ready
    shutdown_seconds lock_wait after destroy_volumes clone_mode
    """.split()  # noqa: SIM905
)
"""Settings of a container that say how it itself is run: no clone gets them, or each has its own."""


class Layer(NamedTuple):
    """A guest that others are cloned from."""

    vmid: str
    mode: str
    """`snapshot` or `template`."""
    fingerprint: str
    snapshot: str
    """The snapshot to clone; empty for a template."""


def own(settings: Mapping[str, Any], content: str) -> str:
    """Return the digest of the settings that travel to a clone, and of what is declared inside."""
    travels = {key: value for key, value in settings.items() if key not in _OWN_LIFE and value is not None}
    text = json.dumps([travels, content], sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def joined(digest: str, parent: str) -> str:
    """Return a layer's fingerprint: of its own digest, and of the seal it was cloned from, if it was.

    A node computes the same with `printf '%s:%s' DIGEST PARENT | sha256sum | cut -c1-16`.
    """
    return hashlib.sha256(f"{digest}:{parent}".encode()).hexdigest()[:16]


def cloned_from(origin: str, otherwise: str) -> str:
    """Return the fingerprint in a note `from <vmid> <fingerprint>`; of no note at all, the other one."""
    words = origin.split()
    return otherwise if not words else words[2] if len(words) > 2 else ""


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, (set, frozenset)) else str(value)


def seal(digest: str) -> str:
    """Return the description of the snapshot that seals a layer."""
    return f"phoenix {digest}"
