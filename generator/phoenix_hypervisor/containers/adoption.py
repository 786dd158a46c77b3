"""What a living container would be called in a guest's file: its conf, said in the settings of `lxc`."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, TypeAdapter, ValidationError

from ..dialects import lxc_conf, property_string, sizes
from . import idmap, parts
from .conf import upcoming
from .devices import OPEN, of_cards
from .settings import APPARMOR, MARK, Settings

_LIST = re.compile(r"[\s,;]+")
_MIB = 1 << 20
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
        except _CannotBeSaidError as cannot:
            left.append(f"{key}: {cannot}")
    if found.get("hostname", "") == name:
        del found["hostname"]
    elif "hostname" not in found:
        left.append(f"hostname: there is none; it will be `{name}`")
    _add_cards(found, cards or {})
    _add_raw(found, left, conf)
    left += [*_refused(found), *_otherwise(conf)]
    return Adopted(found, tuple(left))


class _CannotBeSaidError(ValueError):
    """A value that no setting can express; the text says what happens to it."""


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
            raise _CannotBeSaidError(f"there is another of `{own}`; this one is left alone")
        found[section][own] = settings
    elif key in _PLAIN:
        said = _PLAIN[key](value)
        if said not in ([], {}):
            found[key] = said
    elif setting == "unused":
        raise _CannotBeSaidError(f"`{value}` belongs to the container and is not attached; it is left alone")
    elif key == "template" and value == "1":
        raise _CannotBeSaidError("the container is a template: declare `lxc_layer` with `mode: template`")
    elif key == "lock":
        raise _CannotBeSaidError(f"the container is locked ({value}) at the moment")
    elif key != "template":
        raise _CannotBeSaidError(f"`{value}` is no setting of `lxc`; it is left alone")


def _text(value: str) -> str:
    if not value.strip():
        raise _CannotBeSaidError("it is empty")
    return value


def _switch(value: str) -> bool:
    if property_string.boolean(value) not in ("0", "1"):
        raise _CannotBeSaidError(f"`{value}` is neither on nor off")
    return property_string.boolean(value) == "1"


def _whole(value: str) -> int:
    if not (value.isascii() and value.isdecimal()):
        raise _CannotBeSaidError(f"`{value}` is no whole number")
    return int(value)


def _number(value: str) -> float:
    plain = property_string.number(value)
    if not re.fullmatch(r"\d+(\.\d+)?", plain, re.ASCII):
        raise _CannotBeSaidError(f"`{value}` is no number")
    return float(plain) if "." in plain else int(plain)


def _mebibytes(value: str) -> str:
    return sizes.show(_whole(value) * _MIB)


def _disk_size(value: str) -> str:
    try:
        return sizes.show(sizes.parse(value))
    except ValueError as error:
        raise _CannotBeSaidError(f"`{value}` is no size") from error


def _words(value: str) -> list[str]:
    return [word for word in _LIST.split(value) if word]


def _tags(value: str) -> list[str]:
    return [tag for tag in _words(value) if tag != MARK]


def _valid(kind: Any, value: Any) -> Any:
    """Return a value that our own model takes as it is."""
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        wrong = [(".".join(map(str, found["loc"])), found["msg"]) for found in error.errors()]
        said = "; ".join(f"`{name}`: {message}" if name else message for name, message in wrong)
        raise _CannotBeSaidError(f"{said.replace('Value error, ', '')}; it is left alone") from error
    return value


Reader = Callable[[str], Any]


Readers = Mapping[str, tuple[str, Reader]]
"""Property → the name of our field, and what reads its value."""


def _said(values: Mapping[str, str], readers: Readers, model: type[BaseModel], **more: str) -> dict[str, Any]:
    """Return the properties by the names of our fields. All must be known: half a setting is none."""
    unknown = [f"{key}={value}" for key, value in values.items() if key not in readers]
    if unknown:
        raise _CannotBeSaidError(f"`{','.join(unknown)}` cannot be declared; it is left alone")
    found = {readers[key][0]: readers[key][1](value) for key, value in sorted(values.items())}
    return dict(_valid(model, {**more, **found}))


_FEATURES: Readers = {
    **{name: (name, _switch) for name in ("nesting", "keyctl", "fuse", "mknod", "force_rw_sys")},
    "mount": ("mount", _words),
}
_STARTUP: Readers = {name: (name, _whole) for name in ("order", "up", "down")}
_DISK: Readers = {
    "size": ("size", _disk_size),
    "mountoptions": ("mountoptions", _words),
    **{name: (name, _switch) for name in ("acl", "quota", "replicate", "shared")},
}
_ROOTFS: Readers = {**_DISK, "ro": ("ro", _switch)}
_MOUNT: Readers = {
    **_DISK,
    "ro": ("read_only", _switch),
    "backup": ("backup", _switch),
}
_DEVICE: Readers = {
    "mode": ("mode", _text),
    "uid": ("uid", _whole),
    "gid": ("gid", _whole),
    "deny-write": ("deny_write", _switch),
}
_NET: Readers = {
    **{name: (name, _text) for name in ("bridge", "ip", "gw", "ip6", "gw6")},
    **{name: (name, _whole) for name in ("tag", "mtu")},
    **{name: (name, _switch) for name in ("firewall", "link_down")},
    "hwaddr": ("mac", _text),
    "rate": ("rate", _number),
    "trunks": ("trunks", lambda value: sorted(map(_whole, _words(value)))),
}


def _rootfs(value: str) -> dict[str, Any]:
    values = property_string.parse(value, property_string.ROOTFS)
    storage = _storage(values.pop("volume", ""))
    return _said(values, _ROOTFS, parts.Rootfs, storage=storage)


def _storage(volume: str) -> str:
    storage, colon, _ = volume.partition(":")
    if not colon or volume.startswith("/"):
        raise _CannotBeSaidError(f"`{volume}` lies on no storage; it is left alone")
    return storage


def _mount(values: dict[str, str]) -> tuple[str, dict[str, Any]]:
    volume, target = values.pop("volume", ""), _valid(parts.Target, values.pop("mp", ""))
    if not volume.startswith("/"):
        return target, _said(values, _MOUNT, parts.Mount, storage=_storage(volume))
    values.pop("size", "")  # `pct rescan` writes one that means nothing
    return target, _said(values, _MOUNT, parts.Mount, source=volume)


def _net(values: dict[str, str]) -> tuple[str, dict[str, Any]]:
    if values.pop("type", "veth") != "veth":
        raise _CannotBeSaidError("only interfaces of the type veth can be declared; it is left alone")
    name = _valid(parts.Interface, values.pop("name", ""))
    return name, _said(property_string.canonical(values, _EVERYTHING), _NET, parts.Net)


_EVERYTHING = property_string.NET._replace(defaults={})
"""What is written is declared, even where it is the default."""


def _device(values: dict[str, str]) -> tuple[str, dict[str, Any]]:
    return _valid(parts.DevicePath, values.pop("path", "")), _said(values, _DEVICE, parts.Device)


def _features(value: str) -> dict[str, Any]:
    return _said(property_string.parse(value, property_string.FEATURES), _FEATURES, parts.Features)


def _startup(value: str) -> dict[str, Any]:
    return _said(property_string.parse(value, property_string.STARTUP), _STARTUP, parts.Startup)


_KEYED: dict[str, tuple[str, Callable[[dict[str, str]], tuple[str, dict[str, Any]]]]] = {
    "net": ("net", _net),
    "mp": ("mounts", _mount),
    "dev": ("devices", _device),
}
_PLAIN: dict[str, Reader] = {
    **dict.fromkeys(("hostname", "hookscript", "timezone", "cmode", "arch", "ostype"), _text),
    **dict.fromkeys(("onboot", "protection", "console"), _switch),
    **dict.fromkeys(("cores", "cpuunits", "tty"), _whole),
    **dict.fromkeys(("memory", "swap"), _mebibytes),
    **dict.fromkeys(("nameserver", "searchdomain"), _words),
    "cpulimit": _number,
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
