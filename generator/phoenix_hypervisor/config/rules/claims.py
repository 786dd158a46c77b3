"""The rule about files: one file is one kind's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...errors import Problem
from ...resource import Ref

if TYPE_CHECKING:
    from ..site import Site


def check(site: Site) -> Iterator[Problem]:
    """Yield each resource that would write a file that one of another kind writes on its host (V-29)."""
    claimed: dict[tuple[str, str], Ref] = {}
    for ref, resource in site.resources.items():
        for artifact in resource.artifacts() if resource.present else ():
            first = claimed.setdefault((ref.host, artifact.path), ref)
            if first.kind != ref.kind:
                yield Problem(
                    f"{ref}: {artifact.path} is written by {first} as well",
                    site.place(ref),
                    "each apply would undo the other's: declare one of them",
                    "V-29",
                )
