"""Environments of Python."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ..dialects import pylock
from ..fields import AbsolutePath, Sha256, WebAddress
from ..resource import Artifact, Change, Fetch, Kind, Offer, Refusal, Samples, Step, made, script

BUILDS = "https://github.com/astral-sh/python-build-standalone/releases/download"
STANDALONE = {
    "3.12.15": ("20261021", "6d7521138fd33afddc1ccd08abb007d9a2829e38117c2576f9efdc0ec73ce772"),
    "3.12.16": ("20261110", "6a9e62dad033790aef722dbd370e0ce76ce17b73627ba3ae679f537049350b39"),
}
"""Version of Python → release of python-build-standalone that has it, and the archive's SHA-256."""
UV = Fetch(
    "https://files.pythonhosted.org/packages/3d/aa/26d64642d808de4a652579ef950d7cd2d37f080a8babf9c67c6b75fc4c3f/"
    "uv-0.13.9-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
)
"""The program that installs, as its wheel on PyPI has it."""


Module = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$")]


class PythonEnvironment(Kind):
    """An environment of Python with exactly the packages of a lock file, named by its path.

    The interpreter is one that needs nothing of the guest's (python-build-standalone), of the declared
    version; packages are wheels, those that `lock` names, with their checksums. All of it is fetched to the
    node and built in a folder beside the path; only what is whole, and whose packages fit each other, takes
    the path, which is a link, in one moment. A build that fails leaves what was there. A package that was
    installed or removed by hand is found, and the environment is built anew. Who runs in the old one goes on
    with it until it ends; then the old one goes. What lies at the path and is no environment of ours is left
    alone.
    """

    scope = "host"
    manners = frozenset({"installer", "python_url", "python_sha256", "imports"})

    name: Annotated[AbsolutePath, Field(pattern=r"^/[A-Za-z0-9/._-]+/[A-Za-z0-9][A-Za-z0-9_-]*$")]
    lock: str
    """The content of a pylock.toml, compiled for this Python on x86-64."""
    python: Annotated[str, Field(pattern=r"^3\.\d{1,2}\.\d{1,2}$")] = "3.12.16"
    python_url: WebAddress | None = None
    """Where the interpreter comes from, for versions that are not known here: an `install_only` archive."""
    python_sha256: Sha256 | None = None
    installer: Literal["uv", "pip"] = "uv"
    """Who installs: `pip` is the interpreter's own, and slower."""
    imports: tuple[Module, ...] = ()
    """Modules that it must be able to import, tried after an apply: wheels that are there may not load."""

    @model_validator(mode="after")
    def _can_be_had(self) -> "PythonEnvironment":
        if (self.python_url is None) != (self.python_sha256 is None):
            raise ValueError("`python_url` and `python_sha256` belong together")
        if not self.present:
            return self
        if self.python_url is None and self.python not in STANDALONE:
            known = ", ".join(STANDALONE)
            raise ValueError(f"where Python {self.python} is must be said: `python_url` (known: {known})")
        try:
            pylock.wheels(self.lock, self.python)
        except ValueError as error:
            raise ValueError(f"`lock` {error}") from None
        return self

    @property
    def wheels(self) -> tuple[pylock.Wheel, ...]:
        """What is installed."""
        return pylock.wheels(self.lock, self.python)

    @property
    def rows(self) -> list[str]:
        """Of each wheel its checksum and its name: `<sha256>/six-1.17.0-py2.py3-none-any.whl`."""
        return [f"{wheel.sha256}/{wheel.file}" for wheel in self.wheels]

    @property
    def packages(self) -> dict[str, str]:
        """Package → version; both as the folders of an environment are called."""
        parts = (wheel.record.removesuffix(".dist-info").partition("-") for wheel in self.wheels)
        return {_plain(name): version for name, _, version in parts}

    @property
    def interpreter(self) -> Fetch:
        """The archive with the interpreter."""
        if self.python_url and self.python_sha256:
            return Fetch(self.python_url, self.python_sha256)
        release, sha256 = STANDALONE[self.python]
        file = f"cpython-{self.python}%2B{release}-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz"
        return Fetch(f"{BUILDS}/{release}/{file}", sha256)

    @property
    def uv(self) -> Fetch:
        """The wheel with uv."""
        return UV

    @property
    def digest(self) -> str:
        """What it is made of: the interpreter, and every wheel."""
        parts = [self.interpreter.sha256, *sorted(wheel.sha256 for wheel in self.wheels)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    @property
    def builds(self) -> str:
        """How the folders begin that it is built in."""
        return builds_of(self.name)

    @property
    def note(self) -> str:
        """The path of our note."""
        return note_of(self.name)

    def provides(self) -> Iterable[Offer]:
        yield Offer("python_environment", self.name, self.digest if self.present else "")

    def artifacts(self) -> Iterable[Artifact]:
        yield script(self.kind, self.name.strip("/").replace("/", "-"), "build.sh.j2")
        yield script(self.kind, "remove", "remove.sh.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield removal(self.name)
            return
        if "foreign" in change:
            said = f"{self.name} is {change['foreign'].actual}"
            yield Refusal("foreign", f"{said}, which Phoenix did not make: move it away")
            return
        build, _ = self.artifacts()
        if set(change.attributes) == {"old builds"}:
            title = f"remove {change['old builds'].actual} old builds of {self.name}, which nobody uses"
            yield Step(title, execute=build, arguments=("tidy",))
            return
        wheels = tuple(Fetch(wheel.url, wheel.sha256) for wheel in self.wheels)
        uv = (self.uv,) if self.installer == "uv" else ()
        addresses = ", ".join(fetch.url for fetch in (self.interpreter, *uv))
        title = f"fetch {addresses} and {len(wheels)} wheels; build {self.name} beside it, and swap"
        yield Step(title, execute=build, fetch=(self.interpreter, *uv, *wheels), lasts=True)

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        yield removal(name)

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        first = {
            "lock": _lock(("six", "1.16.0", WHEELS[0]), ("idna", "3.10", WHEELS[2])),
            "python": "3.12.15",
        }
        second = {
            "lock": _lock(("six", "1.17.0", WHEELS[1]), ("sniffio", "1.3.1", WHEELS[3])),
            "installer": "pip",
            "imports": ["six", "sniffio"],
        }
        yield Samples("/opt/phoenix-sample", first, second)


WHEELS = (
    ("d9/5a/e7c31adbe875f2abbb91bd84cf2dc52d792b5a01506781dbcf25c91daf11/six-1.16.0-py2.py3-none-any.whl",
     "8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254"),
    ("b7/ce/149a00dd41f10bc29e5921b496af8b574d8413afcd5e30dfa0ed46c2cc5e/six-1.17.0-py2.py3-none-any.whl",
     "4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274"),
    ("76/c6/c88e154df9c4e1a2a66ccf0005a88dfb2650c1dffb6f5ce603dfbd452ce3/idna-3.10-py3-none-any.whl",
     "946d195a0d259cbba61165e88e65941f16e9b36ea6ddb97f00452bae8b1287d3"),
    ("e9/44/75a9c9421471a6c4805dbf2356f7c181a29c1879239abab1ea2cc8f38b40/sniffio-1.3.1-py3-none-any.whl",
     "2f6da418d1f1e0fddd844478f41680e794e6051915791a034ff65e5f100525a2"),
)  # fmt: skip
"""Small wheels of PyPI's, and their checksums."""


def _lock(*packages: tuple[str, str, tuple[str, str]]) -> str:
    rows = ['lock-version = "1.0"', 'created-by = "uv"']
    for name, version, (place, sha256) in packages:
        url = f"https://files.pythonhosted.org/packages/{place}"
        rows += ["[[packages]]", f'name = "{name}"', f'version = "{version}"']
        rows += [f'wheels = [{{ url = "{url}", hashes = {{ sha256 = "{sha256}" }} }}]']
    return "\n".join(rows) + "\n"


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def builds_of(path: str) -> str:
    """Return how the folders begin in which the environment at this path is built."""
    folder, _, last = path.rpartition("/")
    return f"{folder}/.{last}-"


def note_of(path: str) -> str:
    """Return the path of the note that we made the environment at this path."""
    return made("python_environment", path.strip("/").replace("/", "-"))


def removal(path: str) -> Step:
    """Return the step that removes an environment of ours, with every build of it."""
    return Step(
        f"rm -rf {path} {builds_of(path)}*",
        execute=script("python_environment", "remove", "remove.sh.j2"),
        arguments=(path, builds_of(path), note_of(path)),
    )
