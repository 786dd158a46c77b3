"""Locales."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from pydantic import Field

from ..resource import Artifact, Change, Kind, Refusal, Samples, Step, Want, made, script

NOTE = made("locale", "default")
"""Our note: the default there was before in its first line, then what we added to /etc/locale.gen."""
Name = Annotated[str, Field(pattern=r"^([a-z]{2,3}_[A-Z]{2}|C)\.UTF-8$")]


class Locale(Kind):
    """A host's locales: which are generated, and which is the default (`LANG`).

    Those that are declared are generated with `locale-gen`, which Debian and Ubuntu have in the package
    `locales`. Other locales, and other variables of /etc/default/locale, are left alone. When it is declared
    no longer, the default of before is set again; what was generated stays.
    """

    scope = "host"
    singleton = True

    default: Name = "en_US.UTF-8"
    further: list[Name] = Field(default_factory=list)
    """Generated as well, for programs that ask for them."""

    @property
    def names(self) -> list[str]:
        """Which must be generated; `C.UTF-8` is there without that."""
        return [name for name in dict.fromkeys([self.default, *self.further]) if name != "C.UTF-8"]

    @property
    def note(self) -> str:
        """The path of our note."""
        return NOTE

    def consumes(self) -> Iterable[Want]:
        yield Want("package", "locales", "default", "", exact=True, required=False)

    def artifacts(self) -> Iterable[Artifact]:
        yield script(self.kind, "generate", "generate.sh.j2")
        yield script(self.kind, "put-back", "put_back.sh.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self.remove(self.name)
            return
        generate, _ = self.artifacts()
        names = f"locale-gen for {', '.join(self.names)}; " if self.names else ""
        yield Step(f"{names}update-locale LANG={self.default}", execute=generate, lasts=True)

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:  # noqa: ARG003  (there is one for each host)
        words = ("locale", "put-back", "put_back.sh.j2")
        yield Step("update-locale LANG, to what it was before", execute=script(*words), arguments=(NOTE,))

    @classmethod
    def samples(cls) -> Samples:
        around: dict[str, dict[str, Any]] = {"apt_package": {"locales": {}}}
        return Samples("", {}, {"default": "de_DE.UTF-8", "further": ["en_GB.UTF-8"]}, around)
