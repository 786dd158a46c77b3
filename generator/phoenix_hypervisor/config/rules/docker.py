"""Rules about Docker in containers: who brings it, what the container must allow, where data outlive it.

They know no kind. Who offers the topic `docker` brings the engine, and says by it which features of the
container it needs; who consumes it runs something there; who consumes `volume` keeps data below a path.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from typing import TYPE_CHECKING

from ...errors import Problem, did_you_mean
from ...resource import Ref
from .view import Container, containers, shared_folders

if TYPE_CHECKING:
    from ..site import Site

DOCKER, GPUS, VOLUME = "docker", "docker_gpus", "volume"


def check(site: Site) -> Iterator[Problem]:
    """Yield what these rules find."""
    engines = _engines(site)
    found = containers(site)
    for ref in _users(site):
        one = found.get(ref.host)
        if one is None and ref.host not in engines:
            yield from _nobody_has_it(site, ref, "this host does not have it")
        elif one is not None:
            below = [name for name in _layers(one, found) if name in engines]
            if ref.host not in engines and not below:
                yield from _nobody_has_it(site, ref, "neither this guest nor a layer below it has it")
    for host in engines:
        if host in found:
            yield from _twice(site, host, engines, found)
    shared = shared_folders(site)
    for one in found.values():
        yield from _features(site, one, engines, found)
        yield from _data(site, one, shared.get(one.name, set()))
    yield from _external(site)
    yield from _with_cards(site, found)


def _with_cards(site: Site, found: Mapping[str, Container]) -> Iterator[Problem]:
    """Who gives cards to containers of Docker has what brings them there, or its layer has (V-07)."""
    having, asking = set(), []
    for ref, resource in site.resources.items():
        if resource.present:
            having |= {ref.host for offer in resource.provides() if offer.topic == GPUS}
            asking += [ref for want in resource.consumes() if want.topic == GPUS]
    for ref in asking:
        one = found.get(ref.host)
        if not having & {ref.host, *(_layers(one, found) if one else ())}:
            said = f"{ref}: it gives graphics cards to containers, and nothing here or in a layer below can"
            hint = "declare a `nvidia_container_toolkit`, or clone a layer that has one"
            yield Problem(said, site.place(ref), hint, "V-07")


def _engines(site: Site) -> dict[str, tuple[Ref, tuple[str, ...]]]:
    """Return who has an engine of its own: host → the resource, and the features that it needs."""
    return {
        ref.host: (ref, tuple(offer.value))
        for ref, resource in site.resources.items()
        if resource.present
        for offer in resource.provides()
        if offer.topic == DOCKER
    }


def _users(site: Site) -> list[Ref]:
    """Return what runs in Docker."""
    return [
        ref
        for ref, resource in site.resources.items()
        if resource.present and any(want.topic == DOCKER for want in resource.consumes())
    ]


def _external(site: Site) -> Iterator[Problem]:
    """A volume or network that somebody else is to bring is brought by an app of the same host (V-43)."""
    brought: dict[tuple[str, str], set[str]] = defaultdict(set)
    asked: list[tuple[Ref, str, str, str]] = []
    for ref, resource in site.resources.items():
        for key in ("volumes", "networks"):
            found = getattr(resource, f"declared_{key}", {}) if resource.present else {}
            for name, one in found.items():
                own = one if isinstance(one, Mapping) else {}
                if own.get("external"):
                    asked.append((ref, key, name, str(own.get("name", name))))
                else:
                    brought[ref.host, key].add(str(own.get("name", f"{ref.name}_{name}")))
    for ref, key, name, wanted in asked:
        if wanted not in brought[ref.host, key]:
            said = f"{ref}: no app of `{ref.host}` brings `{wanted}`"
            hint = (
                did_you_mean(wanted, brought[ref.host, key])
                or "leave out `external`: the app brings it itself"
            )
            yield Problem(said, site.place(ref, key, name), hint, "V-43")


def _layers(one: Container, found: Mapping[str, Container]) -> Iterator[str]:
    """Yield the names of the layers below a container, the nearest first."""
    seen = {one.name}
    while (name := str(one.part("clone") or "")) in found and name not in seen:
        seen.add(name)
        one = found[name]
        yield name


def _nobody_has_it(site: Site, ref: Ref, said: str) -> Iterator[Problem]:
    hint = "declare a `docker_engine`, or clone a layer that has one"
    yield Problem(f"{ref}: it runs in Docker, and {said}", site.place(ref), hint, "V-07")


def _twice(
    site: Site,
    host: str,
    engines: Mapping[str, tuple[Ref, tuple[str, ...]]],
    found: Mapping[str, Container],
) -> Iterator[Problem]:
    """What a layer has, its clones have (V-08)."""
    below = next((name for name in _layers(found[host], found) if name in engines), "")
    if below:
        ref, _ = engines[host]
        said = f"{ref}: the layer `{below}` has it already"
        hint = "leave it out: a clone has what its layer has"
        yield Problem(said, site.place(ref), hint, "V-08", warning=True)


def _features(
    site: Site,
    one: Container,
    engines: Mapping[str, tuple[Ref, tuple[str, ...]]],
    found: Mapping[str, Container],
) -> Iterator[Problem]:
    """A container in which Docker runs must be allowed what it needs (V-25)."""
    who = next((name for name in (one.name, *_layers(one, found)) if name in engines), "")
    if not who:
        return
    needs = [name for name in engines[who][1] if name != "keyctl" or one.part("unprivileged")]
    missing = [name for name in needs if not one.part("features", name)]
    if missing:
        words = ", ".join(f"{name}: true" for name in missing)
        yield Problem(
            f"{one.ref}: Docker in `{one.name}` needs the features {', '.join(missing)}",
            site.place(one.ref, "features"),
            f"`features: {{ {words} }}`",
            "V-25",
        )


def _data(site: Site, one: Container, shared: Set[str]) -> Iterator[Problem]:
    """What is to outlive a container lies on a volume of its own, or in a folder of the node."""
    targets = {*shared, *(target for target, _ in one.each("mounts"))}
    for ref in site.of_host(one.name):
        resource = site.resources[ref]
        for want in resource.consumes() if resource.present else ():
            if want.topic == VOLUME and not any(f"{want.key}/".startswith(f"{path}/") for path in targets):
                yield Problem(
                    f"{ref}: `{want.key}` is on the guest's own disk, and goes with it",
                    site.place(ref, want.attribute),
                    f"a volume outlives it: `mounts: {{ {want.key}: {{ storage: …, size: … }} }}`",
                    warning=True,
                )
