"""What is declared of a container as its conf file, and what differs between two conf files, by attribute.

Both sides go through the same reader: the conf as it would be written for the declaration, and the conf
that is there. An attribute is named as in the files: `memory`, `net.eth0`, `mounts./data`.
"""

from collections.abc import Iterable, Mapping

from ..dialects import lxc_conf, property_string
from . import idmap, seen
from .parts import MIB, Mount, switch
from .settings import APPARMOR, GENERATED, MARK, Settings

KEPT = "<kept>"
"""Stands in a rendered conf for what only the node knows: the interface's address, once it has one."""
VOLUME = "<volume>"
"""Stands for a volume's name on its storage."""
ABSENT = {
    "console": "1", "cmode": "tty", "cpulimit": "0", "memory": "512", "onboot": "0", "protection": "0",
    "swap": "512", "tty": "2", "unprivileged": "0",
}  # fmt: skip
"""What a key that is not there means (pct.conf(5))."""
_LISTS = ("nameserver", "searchdomain")
_FIXED = {"net": {"hwaddr", "type", "name"}, "mp": {"volume", "mp", "size"}, "dev": {"path"},
          "rootfs": {"volume", "size"}}  # fmt: skip
_OURS = {
    "net": {"bridge", "ip", "gw", "ip6", "gw6", "tag", "mtu", "rate", "firewall", "link_down", "trunks"},
    "mp": {"mountoptions", "acl", "quota", "replicate", "shared", "ro", "backup"},
    "dev": {"mode", "uid", "gid", "deny-write"},
    "rootfs": {"mountoptions", "acl", "quota", "replicate", "shared", "ro"},
}
"""The properties that can be declared. Others, of a newer Proxmox, are kept and not looked at."""

Attributes = dict[str, object]


def plain(lxc: Settings) -> dict[str, str]:
    """Return the declared settings that stand alone, as Proxmox writes them; empty for one that should go."""
    found: dict[str, str | None] = {
        "hostname": lxc.own_hostname,
        "unprivileged": switch(lxc.unprivileged),
        "memory": str(lxc.memory // MIB) if lxc.memory is not None else None,
        "swap": str(lxc.swap // MIB) if lxc.swap is not None else None,
        "cpulimit": property_string.number(str(lxc.cpulimit)) if lxc.cpulimit is not None else None,
        "features": _written("features", lxc.features.properties) if lxc.features else None,
        "startup": _written("startup", lxc.startup.properties) if lxc.startup else None,
    }
    for key in ("cores", "cpuunits", "tty", "hookscript", "timezone", "cmode", "arch", "ostype"):
        value = getattr(lxc, key)
        found[key] = str(value) if value is not None else None
    for key in ("onboot", "protection", "console"):
        value = getattr(lxc, key)
        found[key] = switch(value) if value is not None else None
    for key in _LISTS:
        value = getattr(lxc, key)
        found[key] = " ".join(value) if value is not None else None
    return {key: value for key, value in found.items() if value is not None}


def rendered(lxc: Settings) -> str:
    """Return the conf that Proxmox would write for what is declared, placeholders for what it chooses."""
    keys = {key: value for key, value in plain(lxc).items() if value}
    keys["tags"] = ";".join(sorted({MARK, *(lxc.tags or ())}))
    for number, (name, net) in enumerate(lxc.net.items()):
        keys[f"net{number}"] = _written("net", {"hwaddr": KEPT, **net.properties(name), "type": "veth"})
    for number, (target, mount) in enumerate(lxc.all_mounts.items()):
        keys[f"mp{number}"] = _written("mp", mount_properties(target, mount))
    for number, (path, device) in enumerate(lxc.all_devices.items()):
        keys[f"dev{number}"] = _written("dev", device.properties(path))
    if lxc.rootfs:
        size = {"size": property_string.spelled_size(lxc.rootfs.size)} if lxc.rootfs.size else {}
        volume = f"{lxc.rootfs.storage or '<storage>'}:{VOLUME}"
        keys["rootfs"] = _written("rootfs", {"volume": volume, **lxc.rootfs.options, **size})
    raw = tuple((key, value) for key, values in lxc.raw_lines.items() for value in values)
    active = lxc_conf.Section(lxc.description or "", keys, raw)
    return lxc_conf.write(lxc_conf.Conf(active, lxc_conf.Section(), {}))


def mount_properties(target: str, mount: Mount) -> dict[str, str]:
    """Return a mount as it stands in a conf, its volume's name left open."""
    if mount.source is not None:
        return mount.properties(target, mount.source)
    size = {"size": property_string.spelled_size(mount.size or 0)}
    return {**mount.properties(target, f"{mount.storage}:{VOLUME}"), **size}


def _written(key: str, values: Mapping[str, str]) -> str:
    return property_string.write(values, property_string.form_of(key) or property_string.Form())


def upcoming(conf: lxc_conf.Conf) -> Mapping[str, str]:
    """Return the settings as they will be after the next start."""
    if not conf.waiting:
        return conf.keys
    found: dict[str, str | None] = {**conf.keys, **conf.waiting}
    return {key: value for key, value in found.items() if value is not None}


def attributes(
    lxc: Settings,
    keys: Mapping[str, str],
    section: lxc_conf.Section,
    noted: frozenset[str] = frozenset(),
) -> Attributes:
    """Return what settings say of everything that is declared, or noted as made by us, by attribute."""
    found: Attributes = {key: _value(key, keys.get(key)) for key in plain(lxc)}
    if lxc.description is not None:
        found["description"] = section.description
    names = {*(lxc.tags or ()), *_noted(noted, "tags")}
    if names:
        found["tags"] = sorted(names.intersection(seen.tags(keys)))
    for name in _all(lxc.net, noted, "net"):
        declared = lxc.net.get(name)
        also = {"hwaddr"} if declared and declared.mac else set()
        found[f"net.{name}"] = _part(keys, "net", "name", name, also)
    for path in _all(lxc.all_devices, noted, "devices"):
        found[f"devices.{path}"] = _part(keys, "dev", "path", path)
    for target in _all(lxc.all_mounts, noted, "mounts"):
        found |= _mount(lxc, keys, target)
    found |= _rootfs(lxc, keys)
    for key in _all(lxc.raw_lines, noted, "raw"):
        found[f"raw.{key}"] = list(section.raw_values(key))
    return found


def desired(lxc: Settings, noted: frozenset[str]) -> Attributes:
    """Return the attributes as they should be."""
    section = lxc_conf.parse(rendered(lxc)).active
    return attributes(lxc, section.keys, section, noted)


def actual(lxc: Settings, conf: lxc_conf.Conf, noted: frozenset[str]) -> Attributes:
    """Return the attributes as they will be after the next start: what waits is told by `waiting`."""
    return attributes(lxc, upcoming(conf), conf.active, noted)


def waiting(lxc: Settings, now: seen.Seen) -> list[str]:
    """Return the attributes that are as declared in the conf, and not yet in the running container."""
    if not now.running:
        return []
    conf, noted = now.conf, now.note.parts
    wanted, after, before = desired(lxc, noted), actual(lxc, conf, noted), active(lxc, now)
    found = [name for name in after if before.get(name) != after[name] == wanted.get(name)]
    started = _started(now.started)
    written = {key: values for key, values in lxc.raw_lines.items() if conf.active.raw_values(key) == values}
    found += [f"raw.{key}" for key in written if started and not _in_effect(key, written[key], started)]
    if now.rewritten and len(written) == len(lxc.raw_lines) and not any(map(_is_raw, found)):
        found.append("raw")
    return found


def active(lxc: Settings, now: seen.Seen) -> Attributes:
    """Return the attributes as a running container has them, raw lines as the conf has them."""
    return attributes(lxc, now.conf.keys, now.conf.active, now.note.parts)


def _is_raw(name: str) -> bool:
    return name.startswith("raw.")


def _started(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, sign, value = line.partition("=")
        if sign:
            found.setdefault(key.strip(), []).append(value.strip())
    return found


def _in_effect(key: str, wanted: tuple[str, ...], started: Mapping[str, list[str]]) -> bool:
    """Whether LXC's configuration has these values as its last ones; Proxmox writes some keys itself."""
    values = started.get(key, [])
    if wanted:
        return tuple(values[-len(wanted) :]) == wanted
    if key == APPARMOR:
        return values[-1:] in ([], [GENERATED])
    own = [f"{letter} 0 {idmap.BASE} {idmap.RANGE}" for letter in "ug"]
    return not values or (key == idmap.KEY and values == own)


def _value(key: str, text: str | None) -> str:
    """Return a setting's value in its one spelling."""
    if text is None:
        return ABSENT.get(key, "")
    if key in _LISTS:
        return " ".join(lxc_conf.deletions(text))
    if key in ("features", "startup"):
        return _spelled(seen.meaning(text, key))
    return property_string.number(text) if key == "cpulimit" else text


def _part(keys: Mapping[str, str], kind: str, own: str, name: str, also: Iterable[str] = ()) -> str | None:
    """Return what can be declared of one of several settings of a kind; None if there is no such one."""
    key = seen.slot(keys, kind, own, name)
    if key is None:
        return None
    wanted = {*_OURS[kind], *also}
    return _spelled({part: value for part, value in seen.meaning(keys[key], kind).items() if part in wanted})


def _mount(lxc: Settings, keys: Mapping[str, str], target: str) -> Attributes:
    name, key = f"mounts.{target}", seen.slot(keys, "mp", "mp", target)
    declared = lxc.all_mounts.get(target)
    if key is None:
        return {name: None}
    found = seen.meaning(keys[key], "mp")
    volume = found.get("volume", "")
    where = f"source={volume}" if volume.startswith("/") else f"storage={volume.partition(':')[0]}"
    options = _part(keys, "mp", "mp", target)
    attributes: Attributes = {name: f"{where},{options}" if options else where}
    if declared and declared.storage and not volume.startswith("/"):
        attributes[f"{name}.size"] = found.get("size", "")
    return attributes


def _rootfs(lxc: Settings, keys: Mapping[str, str]) -> Attributes:
    if lxc.rootfs is None:
        return {}
    found = seen.meaning(keys.get("rootfs", ""), "rootfs")
    options = {key: value for key, value in found.items() if key in _OURS["rootfs"]}
    attributes: Attributes = {"rootfs": _spelled(options)}
    if lxc.rootfs.storage:
        attributes["rootfs.storage"] = found.get("volume", "").partition(":")[0]
    if lxc.rootfs.size:
        attributes["rootfs.size"] = found.get("size", "")
    return attributes


def kept(text: str, kind: str) -> dict[str, str]:
    """Return the properties of a setting that no declaration says anything about, as they are written."""
    form = property_string.form_of(kind) or property_string.Form()
    said = _OURS[kind] | _FIXED[kind]
    return {key: value for key, value in property_string.parse(text, form).items() if key not in said}


def _spelled(values: Mapping[str, str]) -> str:
    return ",".join(f"{key}={values[key]}" for key in sorted(values))


def _all(declared: Iterable[str], noted: frozenset[str], part: str) -> list[str]:
    """Return the declared names of a part, and those noted as ours that are declared no longer."""
    return list(dict.fromkeys([*declared, *sorted(_noted(noted, part))]))


def _noted(noted: frozenset[str], part: str) -> set[str]:
    return {name.removeprefix(f"{part}.") for name in noted if name.startswith(f"{part}.")}
