"""Lock files of Python packages: pylock.toml (PEP 751), as `uv pip compile` writes it."""

import re
import tomllib
from functools import cache
from typing import Any, NamedTuple

_PLATFORM = re.compile(r"linux_x86_64|manylinux(1|2010|2014)_x86_64|manylinux_2_(?P<minor>\d+)_x86_64")
GLIBC = 39
"""The newest `manylinux_2_N` that is taken: Ubuntu 24.04's."""


class Wheel(NamedTuple):
    """What is installed of one package."""

    name: str
    """In lower case, with `-`."""
    version: str
    url: str
    sha256: str

    @property
    def file(self) -> str:
        """Its own name, which says what it is."""
        return self.url.rpartition("/")[2]

    @property
    def record(self) -> str:
        """The folder in which an environment notes that it has it."""
        return "-".join(self.file.split("-")[:2]) + ".dist-info"


@cache
def wheels(text: str, python: str) -> tuple[Wheel, ...]:
    """Read a lock file into the wheels that fit this version (`3.12.16`) on x86-64, one for each package.

    Raises ValueError in words for a person.
    """
    try:
        lock: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"is no TOML: {error}") from None
    if not str(lock.get("lock-version", "")).startswith("1."):
        raise ValueError("is no pylock.toml: it has no `lock-version` 1")
    packages = lock.get("packages")
    if not isinstance(packages, list) or not packages:
        raise ValueError("names no packages")
    found = tuple(_wheel(package, python) for package in packages)
    names = [wheel.name for wheel in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"has {twice[0]} more than once: compile it for one platform and one Python")
    return found


def _wheel(package: Any, python: str) -> Wheel:
    name = str(package.get("name", "")) if isinstance(package, dict) else ""
    version = str(package.get("version", "")) if name else ""
    if not name or not version:
        raise ValueError(f"has a package without name or version{f': {name}' if name else ''}")
    rows = [row for row in package.get("wheels", []) if isinstance(row, dict)]
    fitting = [(_fit(_file(row), python), row) for row in rows]
    rank, row = max(fitting, key=lambda pair: pair[0], default=(0, {}))
    if not rank:
        raise ValueError(f"{name} {version} has no wheel for Python {python} on x86-64")
    url, sha256 = str(row.get("url", "")), str(row.get("hashes", {}).get("sha256", ""))
    if not re.fullmatch(r"(https?://|file:///)[!#-\[\]-~]+", url):
        raise ValueError(f"{name} {version} has no address from which it could be fetched")
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ValueError(f"{name} {version} has no sha256")
    return Wheel(re.sub(r"[-_.]+", "-", name).lower(), version, url, sha256)


def _file(row: dict[str, Any]) -> str:
    return str(row.get("url", "")).rpartition("/")[2]


def _fit(file: str, python: str) -> int:
    """How well a wheel fits: 0 not at all, more for what is made for this very version."""
    parts = file.removesuffix(".whl").split("-")
    if not file.endswith(".whl") or len(parts) not in (5, 6):
        return 0
    pythons, abi, platforms = parts[-3].split("."), parts[-2].split("."), parts[-1].split(".")
    if "any" not in platforms and not any(_runs_on(platform) for platform in platforms):
        return 0
    return _made_for(pythons, abi, int(python.split(".")[1]))


def _made_for(pythons: list[str], abi: list[str], minor: int) -> int:
    made = [(found[1], int(found[2])) for one in pythons if (found := re.fullmatch(r"(cp|py)3(\d+)", one))]
    if f"cp3{minor}" in pythons and f"cp3{minor}" in abi:
        return 4
    if "abi3" in abi and any(sort == "cp" and number <= minor for sort, number in made):
        return 3
    if "none" not in abi:
        return 0
    if ("cp", minor) in made or any(sort == "py" and number <= minor for sort, number in made):
        return 2
    return 1 if "py3" in pythons else 0


def _runs_on(platform: str) -> bool:
    found = _PLATFORM.fullmatch(platform)
    return found is not None and int(found["minor"] or 0) <= GLIBC
