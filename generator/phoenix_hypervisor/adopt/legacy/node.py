"""The node itself: pools, datasets, storages, shares, people, shared folders."""

from __future__ import annotations

import re

from ...secrets import Secret
from . import images
from .estate import (
    Estate,
    Section,
    Written,
    as_mounted,
    each,
    is_layer,
    put,
    storage_key,
    text_of,
    under,
    words_of,
)
from .firewall import cluster
from .guests import template_name
from .ledger import Part

_BYTES = {"GB": 10**9, "TB": 10**12}
_LEVELS = {"single": "stripe", "mirror": "mirror", "raidz1": "raidz1", "raidz2": "raidz2", "raidz3": "raidz3"}
_TRUE, _FALSE = ("yes", "true", "1"), ("no", "false", "0")


def convert(estate: Estate) -> Section:
    """Return the sections of the node's file."""
    found: Section = {}
    _hardware(estate, found)
    _place(estate, found)
    _people(estate, found)
    _pools(estate, found)
    _datasets(estate, found)
    _templates(estate, found)
    if own := images.convert(estate):
        found["vm_image"] = own
    _shares(estate, found)
    _folders(estate, found)
    _driver(estate)
    firewall = cluster(estate)
    if firewall is not None:
        found["firewall_cluster"] = firewall
    return found


def _hardware(estate: Estate, found: Section) -> None:
    disks = [
        disk
        for _, pool in each(estate.hypervisor("zfs", "pools"))
        for _, disk in each(pool.get("disks"))
        if text_of(disk)
    ]
    for number, disk in enumerate(disks):
        name = disk_name(text_of(disk))
        known: Section = {"id": Written(name, disk.origin)}
        size = disk_size(name)
        if size:
            known["size"] = Written(size, f"{disk.origin}, its name; `lsblk -b` has it to the byte")
        else:
            estate.decide(f"the size of the disk {name}: `hardware.disks.disk{number}.size`", disk)
        found.setdefault("hardware", {}).setdefault("disks", {})[f"disk{number}"] = known
    cards = sorted({card for part in estate.containers.values() for card in _cards(part)})
    for card in cards:
        first = next(part for part in estate.containers.values() if card in _cards(part))
        estate.decide(
            f"which card gpu{card} is: `hardware: gpus: gpu{card}: {{pci: …}}`; `lspci -D` lists them",
            first.get("gpu_assignment"),
            f"configs/nodes/{estate.node}.yaml",
        )


def _cards(part: Part) -> set[int]:
    return {int(word) for word in words_of(part.get("gpu_assignment")) if re.fullmatch("[0-9]{1,3}", word)}


def disk_name(path: str) -> str:
    """Return a disk's name below /dev/disk/by-id."""
    return path.removeprefix("/dev/disk/by-id/")


def disk_size(name: str) -> int | None:
    """Return the bytes that a disk's name speaks of, or None."""
    said = re.search(r"(?<![0-9.])(\d{1,4})(TB|GB)(?![A-Za-z])", name)
    return int(said[1]) * _BYTES[said[2]] if said else None


def _place(estate: Estate, found: Section) -> None:
    if (zone := estate.hypervisor("timezone")) and text_of(zone):
        put(found, ("timezone", "zone"), zone, text_of(zone))
    domain, address = estate.hypervisor("domain_name"), estate.hypervisor("network", "interfaces", "address")
    if domain and text_of(domain) and address and estate.address:
        put(found, ("hostname", "domain"), domain, text_of(domain))
        found["hostname"]["address"] = Written(estate.address, address.origin)
    if address is not None and estate.address:
        address.normalised("inventory/hosts.yaml: hostname", "how the node is reached")
    bridge = estate.hypervisor("network", "interfaces")
    if bridge is not None:
        if servers := bridge.get("dns_nameservers"):
            servers.refused("not yet: there is no kind for the name servers of a node")
        bridge.refused("the bridge's ports are not said; what the installer wrote stays as it is")


def _people(estate: Estate, found: Section) -> None:
    user = estate.hypervisor("users")
    name = user.get("username") if user else None
    if user is not None and name is not None and text_of(name):
        account: Section = {}
        name.normalised(f"unix_user.{text_of(name)}", "accounts are keys")
        if (sudo := user.get("sudo_access")) and sudo.flag() is not None:
            if sudo.flag():
                put(account, ("sudo",), sudo, ["ALL=(ALL:ALL) ALL"], "a rule")
            sudo.normalised("no rule of sudo")
        if (key := user.get("ssh_public_key")) and text_of(key):
            put(account, ("authorized_keys",), key, [text_of(key)], "a list")
        _empty(user.get("ssh_public_key"))
        hashed = user.get("password_hash")
        if hashed is not None and isinstance(hashed.tree.value, Secret):
            secret = Secret(f"unix/{text_of(name)}")
            account["password"] = Written(secret, hashed.origin)
            hashed.refused(f"a hash cannot be turned into a password: `phoenix secrets set {secret.name}`")
        elif hashed is not None:
            hashed.obsolete("says that there is none")
        found["unix_user"] = {text_of(name): account or Written({}, name.origin)}
    samba = estate.hypervisor("samba", "user")
    if samba is not None and text_of(samba):
        samba_user = {text_of(samba): {"password": Written(Secret(f"samba/{text_of(samba)}"), samba.origin)}}
        found["samba_user"] = samba_user
        samba.normalised(f"samba_user.{text_of(samba)}", "its password stood in a script")
        estate.decide(
            f"the password of {text_of(samba)}: `phoenix secrets set samba/{text_of(samba)}`", samba
        )


def _empty(part: Part | None) -> None:
    if part is not None and not text_of(part):
        part.obsolete("empty")


def _pools(estate: Estate, found: Section) -> None:
    arc = estate.hypervisor("zfs", "arc_max_gb")
    if arc is not None and arc.number():
        put(found, ("zfs_arc", "max"), arc, f"{arc.number()}G")
    for _, pool in each(estate.hypervisor("zfs", "pools")):
        name, level, disks = pool.get("name"), pool.get("raid_level"), pool.get("disks")
        sort = _LEVELS.get(text_of(level).lower())
        if not (name and text_of(name) and disks and disks.words() and sort and level):
            pool.refused("needs `name`, `disks` and a `raid_level` that ZFS knows")
            continue
        vdev = {"type": sort, "disks": [disk_name(disk) for disk in disks.words()]}
        found.setdefault("zfs_pool", {})[text_of(name)] = {"vdevs": Written([vdev], pool.origin)}
        found.setdefault("zfs_dataset", {})[text_of(name)] = Written({}, pool.origin)
        name.normalised(f"zfs_pool.{text_of(name)}", "pools are keys")
        level.normalised(f"vdevs: {sort}")
        disks.normalised("vdevs, hardware.disks", "by their names below /dev/disk/by-id")


def _datasets(estate: Estate, found: Section) -> None:
    storages = estate.storages
    for name, part in estate.datasets.items():
        settings = _properties(part.get("properties"))
        found.setdefault("zfs_dataset", {})[name] = settings or Written({}, part.origin)
        for key in ("name", "pool"):
            if below := part.get(key):
                below.normalised(f"zfs_dataset.{name}", "datasets are keys")
        sort, content = part.get("proxmox_storage_type"), part.get("proxmox_content_type")
        if sort is not None and text_of(sort) in ("zfspool", "dir") and content and words_of(content):
            entry: Section = {}
            put(entry, ("type",), sort, text_of(sort))
            if text_of(sort) == "dir":
                entry["path"] = Written(f"/{name}", part.origin)
                entry["is_mountpoint"] = Written(True, part.origin)
            else:
                entry["pool"] = Written(name, part.origin)
            put(entry, ("content",), content, words_of(content), "a list")
            found.setdefault("pve_storage", {})[storages[name]] = entry
        if below := part.get("storage_class"):
            below.obsolete("declared, and read by no script")
    ids = estate.hypervisor("proxmox_storage_ids")
    looked_up = {storage_key(name) for name in estate.datasets}
    for key, one in each(ids):
        if key in looked_up:
            one.normalised(f"pve_storage.{text_of(one)}", "the storage's own name")
        else:
            one.obsolete("no script looks it up by that key")


def _properties(part: Part | None) -> Section:
    found: Section = {}
    if part is None:
        return found
    if isinstance(part.tree.value, str):
        pairs = [pair.partition("=") for pair in text_of(part).split(",") if pair.strip()]
        if all(equals and value.strip() for _, equals, value in pairs):
            found = {key.strip(): Written(value.strip(), part.origin) for key, _, value in pairs}
            part.normalised(f"properties: {', '.join(found)}", "one text")
        else:
            part.refused("is no list of `property=value`")
    else:
        for key, below in each(part):
            if text_of(below):
                put(found, (key,), below, text_of(below))
    return found


def _templates(estate: Estate, found: Section) -> None:
    storages = estate.storages
    for guest in estate.containers.values():
        part = guest.get("template")
        path = as_mounted(text_of(part)) if part else ""
        if part is None or not path:
            continue
        storage = next((storages[name] for name in storages if path.startswith(f"/{name}/")), None)
        entry: Section = {"file": Written(path.rpartition("/")[2], part.origin)}
        if storage is None:
            estate.decide(f"the storage that has {path}: `ct_template`", part)
        else:
            entry["storage"] = Written(storage, part.origin)
        found.setdefault("ct_template", {})[template_name(path)] = entry


def _shares(estate: Estate, found: Section) -> None:
    anywhere = text_of(estate.hypervisor("network", "default_subnet")) or "127.0.0.1"
    for _, part in each(estate.hypervisor("nfs", "exports")):
        path, clients = part.get("path"), words_of(part.get("clients"))
        options = words_of(part.get("options"))
        if not (path and text_of(path) and clients):
            part.refused("needs `path` and `clients`")
            continue
        _export(found, part, path, clients, options)
    for _, part in each(estate.hypervisor("nfs", "shares")):
        path = part.get("path")
        if path is None or not text_of(path):
            part.refused("needs `path`")
            continue
        estate.decide(f"who may mount {text_of(path)} ({anywhere} is written)", part)
        _export(found, part, path, [anywhere], words_of(part.get("options")))
    for _, part in each(estate.hypervisor("samba", "shares")):
        _samba(found, part)


def _export(found: Section, part: Part, path: Part, clients: list[str], options: list[str]) -> None:
    target = as_mounted(text_of(path))
    entry = {client: Written(options or ["ro"], part.origin) for client in clients}
    found.setdefault("nfs_export", {})[target] = {"clients": entry}
    path.normalised(f"nfs_export.{target}", "exports are keys")
    for key in ("clients", "options"):
        if below := part.get(key):
            below.normalised(f"nfs_export.{target}.clients", "each client has its options")


def _samba(found: Section, part: Part) -> None:
    name, path, users = part.get("name"), part.get("path"), part.get("valid_users")
    if not (name and path and text_of(name) and text_of(path)):
        part.refused("needs `name` and `path`")
        return
    entry: Section = {}
    put(entry, ("path",), path, as_mounted("/" + text_of(path).lstrip("/")), "with its slash")
    if users is not None and words_of(users):
        put(entry, ("valid_users",), users, words_of(users))
    name.normalised(f"samba_share.{text_of(name)}", "shares are keys")
    options = part.get("options")
    for word in words_of(options):
        key, _, value = word.partition("=")
        switch = True if value in _TRUE else False if value in _FALSE else None
        if key == "writable" and switch is not None and options:
            entry["read_only"] = Written(not switch, options.origin)
        elif key in ("browseable", "browsable") and switch is not None and options:
            entry["browseable"] = Written(switch, options.origin)
        elif options:
            options.refused(f"`{key}` is not understood")
    if options is not None:
        options.normalised("read_only, browseable", "the predecessor never read it")
    found.setdefault("samba_share", {})[text_of(name)] = entry


def _folders(estate: Estate, found: Section) -> None:
    names, containers, datasets = estate.names, estate.containers, estate.datasets
    for name, part in each(estate.hypervisor("shared_volumes")):
        source = part.get("host_path")
        if name == "firewall" or source is None or not text_of(source):
            continue
        path = as_mounted(text_of(source))
        if not under(path, datasets):
            part.refused("lies under no dataset")
            estate.decide(f"where the shared folder `{name}` ({path}) is to lie: below a dataset", source)
            continue
        guests: Section = {}
        for vmid, target in each(part.get("mounts")):
            if vmid not in containers:
                target.refused("no container has that id")
            elif is_layer(containers[vmid]):
                target.refused("a layer with a folder of the node cannot be sealed")
            elif text_of(target) in private(containers[vmid]):
                target.refused("the container has a volume of its own there, and its data in it")
                estate.decide(f"whether {vmid} keeps its own volume at {text_of(target)}", target)
            elif text_of(target):
                put(guests, (names[vmid], "path"), target, text_of(target))
        if guests:
            found.setdefault("shared_volume", {})[name] = {
                "path": Written(path, source.origin),
                "guests": guests,
            }
            source.normalised(f"shared_volume.{name}.path", "where ZFS mounts the dataset")
        else:
            source.refused("no guest is left that it would be mounted in")


def private(guest: Part) -> set[str]:
    """Return where a container has volumes of its own."""
    return {
        text_of(one.get("mount_point"))
        for key in ("volumes", "zfs_volumes")
        for _, one in each(guest.get(key))
    }


def _driver(estate: Estate) -> None:
    part = estate.hypervisor("nvidia_driver")
    version = part.get("version") if part else None
    if part is None or version is None or not text_of(version):
        return
    install = part.get("install")
    if install is not None and install.flag() is False:
        part.obsolete("switched off")
        return
    text = f"nvidia_driver: {{version: {text_of(version)}, sha256: …}}"
    why = "the checksum of the runfile, which is run as root, is not said"
    estate.decide(f"the node's driver: `{text}`; {why}", part, f"configs/nodes/{estate.node}.yaml")
    for key in ("cuda_version", "install_vllm_libs"):
        if below := part.get(key):
            below.obsolete("declared, and read by no script")
    part.refused(why)
