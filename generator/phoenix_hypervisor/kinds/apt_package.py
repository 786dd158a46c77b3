"""Packages."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import Field

from ..resource import Artifact, Change, Kind, Offer, Refusal, Samples, Step, made, script


class AptPackage(Kind):
    """A package of the distribution's, installed with `apt-get` when it is missing.

    Only what is missing is installed, without what is merely recommended: no package is ever upgraded or
    removed by the way, and where APT would have to, that is said and nothing is done. Another version
    than the declared one is installed only if `version` is declared, to the letter; `state: held` keeps
    `apt upgrade` from changing it. Changed settings of the package are kept. When no list knows the
    package, `apt-get update` is run once. A package that was there already is left as it is, and stays
    when it is declared no longer; one of ours goes then, but never together with another.
    """

    scope = "host"
    manners = frozenset({"recommends", "repository", "lock_wait"})

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]+(:[a-z0-9]+)?$")]
    state: Literal["present", "held", "absent"] = "present"  # type: ignore[assignment]
    version: Annotated[str, Field(pattern=r"^[0-9][A-Za-z0-9.+:~-]*$")] | None = None
    recommends: bool = False
    """Whether recommended packages are installed with it."""
    repository: str | None = None
    """The `apt_repository` it comes from: that is made first."""
    lock_wait: Annotated[int, Field(ge=0, le=3600)] = 300
    """Seconds to wait for somebody else's `apt-get`."""

    @property
    def note(self) -> str:
        """The path of our note: `installed`, `held`, what of it we did."""
        return made(self.kind, self.name)

    @property
    def wanted(self) -> str:
        """What `apt-get install` is asked for."""
        return f"{self.name}={self.version}" if self.version else self.name

    def needs(self) -> Iterable[str]:
        if self.repository:
            yield f"apt_repository:{self.repository}"

    def provides(self) -> Iterable[Offer]:
        yield Offer("package", self.name)

    def artifacts(self) -> Iterable[Artifact]:
        yield script(self.kind, self.name.replace(":", "."), "install.sh.j2")
        yield script(self.kind, "remove", "remove.sh.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            lost = "" if change.seen else f"the package {self.name}, which we did not install"
            yield removal(self.name, "absent", destroys=lost)
            return
        if "dpkg" in change:
            said = "dpkg was interrupted: run `dpkg --configure -a` on the host, and look what it says"
            yield Refusal("dpkg", said)
            return
        install, _ = self.artifacts()
        if change.creates or "version" in change:
            hold = f", apt-mark hold {self.name}" if self.state == "held" else ""
            yield Step(f"apt-get install {self.wanted}{hold}", execute=install)
        elif "hold" in change:
            verb = "hold" if self.state == "held" else "unhold"
            yield Step(f"apt-mark {verb} {self.name}", execute=install)

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        yield removal(name)

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        newest = "1.6-2.1+deb12u1"
        yield Samples("libjq1", {"version": newest}, {"version": "1.6-2.1", "state": "held"})
        yield Samples("htop", {"state": "present"}, {"state": "held"})


def removal(name: str, absent: str = "", *, destroys: str = "") -> Step:
    """Return the step that undoes what we did of a package; with `absent` it goes whoever installed it."""
    return Step(
        f"apt-get remove {name}" + ("" if absent else ", if we installed it"),
        execute=script("apt_package", "remove", "remove.sh.j2"),
        arguments=(name, made("apt_package", name), *([absent] if absent else [])),
        destroys=destroys,
    )
