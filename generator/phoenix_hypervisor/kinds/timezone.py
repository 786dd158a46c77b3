"""The time zone."""

from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import Field

from ..resource import Artifact, Change, Kind, Refusal, Samples, Step, made, script

NOTE = made("timezone", "zone")
"""Our note: the zone there was before."""


class Timezone(Kind):
    """A host's time zone, set with `timedatectl`.

    When it is declared no longer, the zone that was there before is set again. One that is right already
    is left as it is, and does not become ours.
    """

    scope = "host"
    singleton = True

    zone: Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$")]
    """A name from the zone database, like `Europe/Berlin` or `Etc/UTC`."""

    def artifacts(self) -> Iterable[Artifact]:
        yield script(self.kind, "zone", "zone.sh.j2")
        yield script(self.kind, "put-back", "put_back.sh.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self.remove(self.name)
            return
        setting, _ = self.artifacts()
        yield Step(f"timedatectl set-timezone {self.zone}", execute=setting)

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:  # noqa: ARG003  (there is one for each host)
        yield Step(
            "timedatectl set-timezone, to what it was before",
            execute=script("timezone", "put-back", "put_back.sh.j2"),
        )

    @classmethod
    def samples(cls) -> Samples:
        return Samples("", {"zone": "Europe/Berlin"}, {"zone": "America/New_York"})
