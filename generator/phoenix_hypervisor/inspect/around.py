"""What a probe may ask of the files: the other declared resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..resource import Kind, Ref

if TYPE_CHECKING:
    from ..config import Site


class Around:
    """The `site` a probe may ask for: other declared resources of the same host."""

    def __init__(self, site: Site, refs: Mapping[int, Ref]) -> None:
        self._site = site
        self._refs = refs

    def resource(self, beside: Kind, ref: str) -> Kind:
        """Return the resource `kind:name` declared on the host of another one."""
        kind, _, name = ref.partition(":")
        return self._site.resources[Ref(self._refs[id(beside)].host, kind, name)]
