"""What a living container would be called in a guest's file: its conf, said in the settings of `lxc`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from ..dialects import lxc_conf, property_string
from . import idmap, parts
from .conf import upcoming
from .devices import OPEN, of_cards
from .settings import APPARMOR, MARK, Settings
from .spoken import (
    CannotBeSaidError,
    Reader,
    Readers,
    disk_size,
    mebibytes,
    number,
    said,
    storage_of,
    switch,
    text_of,
    valid,
    whole,
    words,
)

_IGNORED = frozenset({"unprivileged", "parent"})


class Adopted(NamedTuple):
    """The settings of an `lxc` section, and what they do not say."""

    settings: dict[str, Any]
    left_out: tuple[str, ...]
    """Each a sentence for a person: what of the container cannot be declared."""


def settings_of(
    text: str, name: str, running: bool = True, cards: Mapping[str, int] | None = None
) -> Adopted:
    """Describe a container by its conf file's text.

    What waits for its next start is described as it will be then, as Proxmox itself shows it. `name` is
    that of the guest, as in its file's name; `cards` are the node's graphics cards, name → number
    of the device.
    """
    conf = lxc_conf.parse(text)
    keys = upcoming(conf)
    left: list[str] = []
    found: dict[str, Any] = {} if running else {"state": "stopped"}
    if conf.description:
        found["description"] = conf.description
    if keys.get("unprivileged") != "1":
        found["unprivileged"] = False
    for key, value in sorted(keys.items(), key=_place):
        try:
            _add(found, key, value)
        except CannotBeSaidError as cannot:
            left.append(f"{key}: {cannot}")
    if found.get("hostname", "") == name:
        del found["hostname"]
    elif "hostname" not in found:
        left.append(f"hostname: there is none; it will be `{name}`")
    _add_cards(found, cards or {})
    _add_raw(found, left, conf)
    left += [*_refused(found), *_otherwise(conf)]
    return Adopted(found, tuple(left))


def _place(entry: tuple[str, str]) -> tuple[str, int]:
    """Sort `mp2` before `mp10`: the first of two that exclude each other counts."""
    name = entry[0].rstrip("0123456789")
    return name, int(entry[0][len(name) :] or 0)


def _add(found: dict[str, Any], key: str, value: str) -> None:
    setting = key.rstrip("0123456789")
    if key in _IGNORED:
        return
    if setting in _KEYED:
        section, reader = _KEYED[setting]
        own, settings = reader(
            property_string.parse(value, property_string.form_of(key) or property_string.Form())
        )
        if own in found.setdefault(section, {}):
            raise CannotBeSaidError(f"there is another of `{own}`; this one is left alone")
        found[section][own] = settings
    elif key in _PLAIN:
        said = _PLAIN[key](value)
        if said not in ([], {}):
            found[key] = said
    elif setting == "unused":
        raise CannotBeSaidError(f"`{value}` belongs to the container and is not attached; it is left alone")
    elif key == "template" and value == "1":
        raise CannotBeSaidError("the container is a template: declare `lxc_layer` with `mode: template`")
    elif key == "lock":
        raise CannotBeSaidError(f"the container is locked ({value}) at the moment")
    elif key != "template":
        raise CannotBeSaidError(f"`{value}` is no setting of `lxc`; it is left alone")


def _tags(value: str) -> list[str]:
    return [tag for tag in words(value) if tag != MARK]


_FEATURES: Readers = {
    **{name: (name, switch) for name in ("nesting", "keyctl", "fuse", "mknod", "force_rw_sys")},
    "mount": ("mount", words),
}
_STARTUP: Readers = {name: (name, whole) for name in ("order", "up", "down")}
_DISK: Readers = {
    "size": ("size", disk_size),
    "mountoptions": ("mountoptions", words),
    **{name: (name, switch) for name in ("acl", "quota", "replicate", "shared")},
}
_ROOTFS: Readers = {**_DISK, "ro": ("ro", switch)}
_MOUNT: Readers = {
    **_DISK,
    "ro": ("read_only", switch),
    "backup": ("backup", switch),
}
_DEVICE: Readers = {
    "mode": ("mode", text_of),
    "uid": ("uid", whole),
    "gid": ("gid", whole),
    "deny-write": ("deny_write", switch),
}
_NET: Readers = {
    **{name: (name, text_of) for name in ("bridge", "ip", "gw", "ip6", "gw6")},
    **{name: (name, whole) for name in ("tag", "mtu")},
    **{name: (name, switch) for name in ("firewall", "link_down")},
    "hwaddr": ("mac", text_of),
    "rate": ("rate", number),
    "trunks": ("trunks", lambda value: sorted(map(whole, words(value)))),
}


def _rootfs(value: str) -> dict[str, Any]:
    values = property_string.parse(value, property_string.ROOTFS)
    storage = storage_of(values.pop("volume", ""))
    return said(values, _ROOTFS, parts.Rootfs, storage=storage)


def _mount(values: dict[str, str]) -> tuple[str, dict[str, Any]]:
    volume, target = values.pop("volume", ""), valid(parts.Target, values.pop("mp", ""))
    if not volume.startswith("/"):
        return target, said(values, _MOUNT, parts.Mount, storage=storage_of(volume))
    values.pop("size", "")  # `pct rescan` writes one that means nothing
    return target, said(values, _MOUNT, parts.Mount, source=volume)


def _net(values: dict[str, str]) -> tuple[str, dict[str, Any]]:
    if values.pop("type", "veth") != "veth":
        raise CannotBeSaidError("only interfaces of the type veth can be declared; it is left alone")
    name = valid(parts.Interface, values.pop("name", ""))
    return name, said(property_string.canonical(values, _EVERYTHING), _NET, parts.Net)


_EVERYTHING = property_string.NET._replace(defaults={})
"""What is written is declared, even where it is the default."""


def _device(values: dict[str, str]) -> tuple[str, dict[str, Any]]:
    return valid(parts.DevicePath, values.pop("path", "")), said(values, _DEVICE, parts.Device)


def _features(value: str) -> dict[str, Any]:
    return said(property_string.parse(value, property_string.FEATURES), _FEATURES, parts.Features)


def _startup(value: str) -> dict[str, Any]:
    return said(property_string.parse(value, property_string.STARTUP), _STARTUP, parts.Startup)


_KEYED: dict[str, tuple[str, Callable[[dict[str, str]], tuple[str, dict[str, Any]]]]] = {
    "net": ("net", _net),
    "mp": ("mounts", _mount),
    "dev": ("devices", _device),
}
_PLAIN: dict[str, Reader] = {
    **dict.fromkeys(("hostname", "hookscript", "timezone", "cmode", "arch", "ostype"), text_of),
    **dict.fromkeys(("onboot", "protection", "console"), switch),
    **dict.fromkeys(("cores", "cpuunits", "tty"), whole),
    **dict.fromkeys(("memory", "swap"), mebibytes),
    **dict.fromkeys(("nameserver", "searchdomain"), words),
    "cpulimit": number,
    "tags": _tags,
    "rootfs": _rootfs,
    "features": _features,
    "startup": _startup,
}


def _add_raw(found: dict[str, Any], left: list[str], conf: lxc_conf.Conf) -> None:
    raw: dict[str, list[str]] = {}
    for key, value in conf.raw:
        raw.setdefault(key, []).append(value)
    if len(raw.get(APPARMOR, [])) == 1 and raw[APPARMOR][0]:
        found["apparmor"] = raw.pop(APPARMOR)[0]
    shared = _shared(raw.get(idmap.KEY, []), "unprivileged" not in found)
    if shared is not None:
        raw.pop(idmap.KEY, None)
        found.update({"shared_ids": shared} if shared else {})
    for key in [key for key in raw if lxc_conf.refusal(key)]:
        left += [f"{key}: {lxc_conf.refusal(key)}; `{value}` is left alone" for value in raw.pop(key)]
    if raw:
        found["raw"] = {key: values[0] if len(values) == 1 else values for key, values in raw.items()}


def _shared(values: Sequence[str], unprivileged: bool) -> dict[str, dict[int, int]] | None:
    """Return the shared ids that the lines were made from; None if they were made otherwise."""
    try:
        found = idmap.read(values, unprivileged)
    except ValueError:
        return None
    uids, gids = idmap.shared_ids(found.uids), idmap.shared_ids(found.gids)
    if not unprivileged or uids is None or gids is None:
        return None
    return {name: shared for name, shared in (("uids", uids), ("gids", gids)) if shared}


def _add_cards(found: dict[str, Any], cards: Mapping[str, int]) -> None:
    """Say the devices of graphics cards by the cards' names, if they are there as we would give them."""
    devices = {path: parts.Device(**settings) for path, settings in found.get("devices", {}).items()}
    names = [name for name, minor in cards.items() if devices.get(f"/dev/nvidia{minor}") == OPEN]
    given = of_cards(cards[name] for name in names)
    if not given or any(devices.get(path) != device for path, device in given.items()):
        return
    found["gpus"] = names
    rest = {path: settings for path, settings in found.pop("devices").items() if path not in given}
    found.update({"devices": rest} if rest else {})


def _refused(found: dict[str, Any]) -> Iterator[str]:
    """Take out what our own model refuses, and say so."""
    try:
        Settings.model_validate({"name": "100", **found})
    except ValidationError as error:
        for wrong in error.errors():
            key = str(wrong["loc"][0]) if wrong["loc"] else ""
            if key in found:
                yield f"{key}: `{found.pop(key)}` cannot be declared ({wrong['msg']}); it is left alone"


def _otherwise(conf: lxc_conf.Conf) -> Iterator[str]:
    for key, value in sorted(conf.waiting.items()):
        will = "will be gone" if value is None else f"will be `{value}`"
        yield f"{key}: it {will} after the container's next start, and is described so"
    for line in conf.active.unread:
        yield f"`{line}`: Proxmox cannot read this line, and drops it when it writes the file next"
