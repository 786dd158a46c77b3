"""Docker's words: images pinned by digest, daemon.json, and versions that are known not to work."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

PINNED = (
    r"^[a-z0-9]+([._-][a-z0-9]+)*(:[0-9]+)?(/[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?@sha256:[0-9a-f]{64}$"
)
"""An image by its digest, with or without the tag that a person reads (distribution's reference grammar)."""
ENGINES = ("docker-ce", "docker.io")
"""Packages that bring the daemon: Docker's own, and the distribution's."""
OTHER_ENGINES = ("docker-engine", "moby-engine", "podman-docker")
"""Packages that bring a `docker` of their own as well."""

HELLO = "hello-world@sha256:ef54e839ef541993b4e87f25e752f7cf4238fa55f017957c2eb44077083d7a6a"
"""Docker's own image for trying, of August 2025: ten kilobytes, and it says that it runs."""

Path = tuple[str, ...]
"""The keys on the way to a value of daemon.json."""


class Bad(NamedTuple):
    """Versions of a package that do not work in an LXC container, and what helps."""

    id: str
    package: str
    first: str
    """The first such version, as numbers of upstream and package: `1.7.28-2`."""
    why: str
    instead: str


_REOPENS = (
    "reopens files below /proc (CVE-2025-52881), AppArmor lets it start nothing inside an LXC container, "
    "unless the node has lxc-pve 6.0.5-2 or newer"
)
KNOWN_BAD = (
    Bad(
        "runc-apparmor",
        "containerd.io",
        "1.7.28-2",
        f"since its runc {_REOPENS}",
        "1.7.28-1",
    ),
    Bad(
        "runc-apparmor",
        "runc",
        "1.3.3",
        f"since it {_REOPENS}",
        "1.3.2",
    ),
)
"""Sources: github.com/opencontainers/runc/issues/4968, github.com/containerd/containerd/issues/12484."""
ACCEPTABLE = tuple(dict.fromkeys(bad.id for bad in KNOWN_BAD))


def known_bad(package: str, version: str) -> Bad | None:
    """Return what is known against a version of a package, if anything is."""
    for bad in KNOWN_BAD:
        if bad.package == package and _numbers(version) >= _numbers(bad.first):
            return bad
    return None


def _numbers(version: str) -> tuple[int, ...]:
    """`1.7.28-2~ubuntu.24.04~noble` → 1, 7, 28, 2: epoch and the distribution's part left out."""
    bare = version.rpartition(":")[2].partition("~")[0]
    upstream, _, revision = bare.partition("-")
    found = [*(int(number) for number in re.findall(r"\d+", upstream))][:3]
    return (*found, *[0] * (3 - len(found)), int((re.findall(r"\d+", revision) or ["0"])[0]))


# daemon.json


@cache
def settings(text: str) -> Mapping[str, Any]:
    """Read daemon.json; an empty file has no settings. Raises ValueError for what the daemon refuses too."""
    found = json.loads(text) if text.strip() else {}
    if not isinstance(found, dict):
        raise ValueError("daemon.json is no JSON object")
    return found


def leaves(found: Mapping[str, Any], above: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield path → value of everything set; a list is one value."""
    for key, value in found.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key), value


def value_at(found: Mapping[str, Any], path: Path) -> Any:
    """Return the value at a path; None where nothing is set."""
    here: Any = found
    for key in path:
        here = here.get(key) if isinstance(here, Mapping) else None
    return here


def merged(found: Mapping[str, Any], wanted: Mapping[str, Any], dropped: Sequence[Path]) -> dict[str, Any]:
    """Return the settings with those of `dropped` taken out and the wanted ones in; all others stay."""
    result: dict[str, Any] = json.loads(json.dumps(found))
    for path in dropped:
        _drop(result, path)
    for path, value in leaves(wanted):
        here = result
        for key in path[:-1]:
            below = here.get(key)
            if not isinstance(below, dict):
                below = here[key] = {}
            here = below
        here[path[-1]] = value
    return result


def _drop(found: dict[str, Any], path: Path) -> None:
    """Take out one setting, and what is empty then."""
    below = found.get(path[0])
    if len(path) > 1 and isinstance(below, dict):
        _drop(below, path[1:])
        if not below:
            del found[path[0]]
    elif len(path) == 1:
        found.pop(path[0], None)


def written(found: Mapping[str, Any]) -> str:
    """Return daemon.json as we write it; nothing at all for no settings."""
    return json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False) + "\n" if found else ""


def spelled(path: Path) -> str:
    """Return a path as one word of JSON: what our note has."""
    return json.dumps(list(path), separators=(",", ":"))


def unspelled(text: str) -> Path:
    """Read what `spelled` wrote."""
    return tuple(json.loads(text))
