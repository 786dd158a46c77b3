"""Virtual machines: each a guest with a section `vm`, its firewall, its mounts; templates are images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...secrets import Secret
from .estate import Estate, Section, Written, as_mounted, each, put, text_of, words_of
from .firewall import guest_rules
from .guests import ROUTE, SCRIPTS, waits
from .ledger import Part

_OWN_STORAGE = "local"
"""The storage that Proxmox brings; the predecessor wrote cloud-init's documents to its folder."""
_NO_SNIPPETS = "no storage of the files takes snippets"
_DEFAULTS = ("cores", "memory_mb", "disk_size_gb", "storage_pool", "network_bridge")
_NEVER = "declared, and read by no script"
_NO_PORTAINER = "not yet: there is no kind for Portainer"
REFUSED = {
    "features": SCRIPTS,
    "docker_stacks": "a stack is a `compose_app`, whose images have digests: they are not said here",
    "portainer_role": _NO_PORTAINER,
    "portainer_environment_name": _NO_PORTAINER,
    "portainer_agent_hostname": _NO_PORTAINER,
    "traefik_service": ROUTE,
}
OBSOLETE = {
    "template_snapshot_name": "no script goes back to it; `phoenix snapshot` makes one when it is wanted",
    "trigger_sync_on_completion": "an apply does all that is to be done",
    "dns_records": _NEVER,
    "count": _NEVER,
    "qm_options": _NEVER,
    "snapshots": _NEVER,
}


def convert(estate: Estate) -> dict[str, Section]:
    """Return the guests by the stem of their files."""
    found = {
        f"{vmid}-{estate.names[vmid]}": _Machine(estate, vmid, part).sections()
        for vmid, part in estate.numbered.items()
        if vmid not in estate.images
    }
    own = Written(_OWN_STORAGE, _NO_SNIPPETS)
    asking = [stem for stem, one in found.items() if one["vm"].get("cloud_init", {}).get("snippets") == own]
    if asking:
        what = f"a storage that takes `snippets`, for `cloud_init`: `{_OWN_STORAGE}` is written"
        how = f"`pvesm set {_OWN_STORAGE} --content iso,vztmpl,backup,snippets`, or a `dir` storage of yours"
        there = f"configs/guests/{asking[0]}.yaml"
        first = estate.numbered[asking[0].partition("-")[0]]
        estate.decide(f"{what}, and does not take them by itself: {how}", first, there)
    return found


def _snippets(estate: Estate) -> Written:
    """Return the storage for cloud-init's documents: none of the predecessor's took them."""
    for name, part in estate.datasets.items():
        content = part.get("proxmox_content_type")
        kind = text_of(part.get("proxmox_storage_type"))
        if content is not None and kind == "dir" and "snippets" in words_of(content):
            return Written(estate.storages[name], content.origin)
    return Written(_OWN_STORAGE, _NO_SNIPPETS)


def rest(part: Part) -> None:
    """Say what becomes of what no machine and no template has here."""
    for key, why in REFUSED.items():
        if below := part.get(key):
            below.refused(why)
    for key, why in OBSOLETE.items():
        if below := part.get(key):
            below.obsolete(why)


def settle(estate: Estate) -> None:
    """Say what becomes of machines that no file is written for, and of defaults that nobody needed."""
    written = {id(part) for part in estate.numbered.values()}
    for part in estate.machines:
        if id(part) not in written:
            said = text_of(part.get("name")) or text_of(part.get("vmid")) or "?"
            why = "its VMID is another's, or no number from 100 on"
            part.refused(why)
            estate.decide(
                f"another `vmid` for the virtual machine `{said}`, which is not taken over: {why}", part
            )
    for root in (*estate.of("machines"), *estate.of("hypervisor")):
        defaults = root.get("vm_defaults")
        for key, part in each(defaults):
            if key in _DEFAULTS:
                part.obsolete("every machine says its own")
            elif key == "template":
                part.obsolete(_NEVER)
            elif key == "ubuntu_release":
                part.obsolete("there is no template of it")
        if defaults is not None and defaults.tree.value in ({}, None):
            defaults.obsolete("empty")
        machines = root.get("vms")
        if machines is not None and machines.tree.value == []:
            machines.obsolete("empty")


def said(estate: Estate, machine: Part, key: str) -> Part | None:
    """Return what a machine says, or what is said for all that say nothing."""
    own = machine.get(key)
    if own is not None:
        return own
    roots = (*estate.of("machines"), *estate.of("hypervisor"))
    return next((part for root in roots if (part := root.get("vm_defaults", key))), None)


def _counted(unit: str) -> Callable[[Part], str | None]:
    return lambda part: None if (number := part.number()) is None else f"{number}{unit}"


def _text(part: Part) -> str | None:
    return text_of(part) or None


class _Machine:
    """One virtual machine on its way."""

    def __init__(self, estate: Estate, vmid: str, part: Part) -> None:
        self.estate, self.vmid, self.part = estate, vmid, part
        self.vm: Section = {}
        self.name = estate.names[vmid]
        self.file = f"configs/guests/{vmid}-{self.name}.yaml"

    def sections(self) -> Section:
        """Return the file's sections."""
        self._made_from()
        self._named()
        self._sizes()
        self._network()
        self._order()
        self._first_start()
        found: Section = {"vm": self.vm}
        rules = guest_rules(self.estate, self.part, self.file)
        if rules is not None:
            found["firewall_guest"] = rules
            origin = self.part.get("firewall")
            for net in self.vm.get("net", {}).values():
                net["firewall"] = Written(True, origin.origin if origin else "")
        self._mounts(found)
        rest(self.part)
        return found

    def _take(self, key: str, path: tuple[str, ...], form: Callable[[Part], Any]) -> None:
        part = said(self.estate, self.part, key)
        value = form(part) if part is not None else None
        if part is not None and value is not None:
            put(self.vm, path, part, value)

    def _made_from(self) -> None:
        source, image = self.part.get("clone_from_vmid"), self.part.get("template_image")
        name = self.estate.images.get(text_of(source))
        if source is not None and name is not None:
            put(self.vm, ("image",), source, name, "images are called by name")
        else:
            if source is not None:
                source.refused("no template has that id")
            what = f"what {self.vmid} is made of: `image`, a `vm_image` of the node"
            self.estate.decide(what, source or self.part, self.file)
        if image is not None:
            image.refused("only a template is made of an image")
        if (template := self.part.get("is_template")) and template.flag() is False:
            template.normalised("a guest")

    def _named(self) -> None:
        for key in ("name", "vmid"):
            if part := self.part.get(key):
                part.normalised(f"{self.file}, named {self.name}", "names are small letters, digits and `-`")

    def _sizes(self) -> None:
        self._take("cores", ("cores",), Part.number)
        self._take("memory_mb", ("memory",), _counted("M"))
        self._take("disk_size_gb", ("disks", "scsi0", "size"), _counted("G"))
        self._take("storage_pool", ("disks", "scsi0", "storage"), _text)

    def _network(self) -> None:
        net = ("net", "net0")
        part = self.part.get("network_config")
        self._take("network_bridge", (*net, "bridge"), _text)
        if part is not None and isinstance(part.tree.value, str):
            words = [word.strip() for word in part.tree.value.split(",")]
            for key, word in zip(("ip", "gw"), words, strict=False):
                self.vm.setdefault("net", {}).setdefault("net0", {})[key] = Written(word, part.origin)
            part.normalised("net.net0, cloud_init", "address, gateway and name servers in one text")
        elif part is not None:
            for key in ("bridge", "ip", "gw"):
                if (below := part.get(key)) and text_of(below):
                    put(self.vm, (*net, key), below, text_of(below))
            if given := part.get("name"):
                given.normalised("net.net0", "cards have numbers")
        if (mac := self.part.get("mac_address")) and text_of(mac):
            put(self.vm, (*net, "mac"), mac, text_of(mac))
        if "bridge" not in self.vm.get("net", {}).get("net0", {}):
            self.estate.decide(
                f"which bridge {self.vmid} is on: `net.net0.bridge`", part or self.part, self.file
            )

    def _order(self) -> None:
        self._take("start_at_boot", ("onboot",), Part.flag)
        self._take("boot_order", ("startup", "order"), Part.number)
        self._take("boot_delay", ("startup", "up"), Part.number)
        after = waits(self.estate, self.part)
        if after is not None:
            self.vm["after"] = after

    def _first_start(self) -> None:
        """What cloud-init is told: who comes in, whom it asks for names; and where that is kept."""
        init: Section = {}
        network = self.part.get("network_config")
        for key in ("nameservers", "nameserver"):
            if network and (below := network.get(key)) and words_of(below):
                put(init, ("nameserver",), below, words_of(below), "a list")
        if network is not None and isinstance(network.tree.value, str):
            servers = [word.strip() for word in network.tree.value.split(",")][2:]
            init |= {"nameserver": Written(servers, network.origin)} if servers else {}
        self._user(init)
        if not init and "image" not in self.vm:
            return
        storage = self.vm.get("disks", {}).get("scsi0", {}).get("storage")
        places = {"storage": storage, "snippets": _snippets(self.estate)}
        self.vm["cloud_init"] = {**{key: one for key, one in places.items() if one is not None}, **init}
        if storage is None:
            what = f"on which storage {self.vmid} has its cloud-init drive: `cloud_init.storage`"
            self.estate.decide(what, self.part, self.file)

    def _user(self, init: Section) -> None:
        user = self.part.get("user_config")
        name = user.get("username") if user else None
        if user is None or name is None or not text_of(name):
            return
        account: Section = {}
        for key in ("ssh_public_key", "ssh_key"):
            if (below := user.get(key)) and text_of(below):
                put(account, ("keys",), below, [text_of(below)], "a list")
        for key in ("password", "password_hash"):
            below = user.get(key)
            if below is not None and isinstance(below.tree.value, Secret):
                secret = below.tree.value
                account["password"] = Written(secret, below.origin)
                if key == "password":
                    below.used(f"cloud_init.users.{text_of(name)}.password")
                else:
                    why = "a hash cannot be turned into a password"
                    below.refused(f"{why}: `phoenix secrets set {secret.name}`")
        init["users"] = {text_of(name): account or Written({}, name.origin)}
        name.normalised(f"cloud_init.users.{text_of(name)}", "users are keys")
        if gateway := user.get("gw"):
            gateway.refused("a gateway is no user's: it belongs into `network_config`")
        if not account:
            what = f"how `{text_of(name)}` comes in: `cloud_init.users.{text_of(name)}.keys`, and its `sudo`"
            self.estate.decide(f"{what} (the predecessor's script had a password)", name, self.file)

    def _mounts(self, found: Section) -> None:
        """Folders of an NFS server; one that the node itself exports is called by that."""
        exported = {
            as_mounted(text_of(one.get("path"))) for _, one in each(self.estate.hypervisor("nfs", "exports"))
        }
        volumes = self.part.get("volumes")
        if volumes is not None and volumes.tree.value == []:
            volumes.obsolete("empty")
        for _, part in each(volumes):
            path, target, server = part.get("path"), part.get("mount_point"), part.get("server")
            if not (
                text_of(part.get("type")) == "nfs"
                and path and target and server and text_of(server)
                and text_of(path).startswith("/")
                and text_of(target).startswith("/")
            ):  # fmt: skip
                part.refused("needs `type: nfs`, `server`, `path` and `mount_point`")
                continue
            own = text_of(server) == self.estate.address
            entry: Section = {}
            put(entry, ("export",), path, as_mounted(text_of(path)) if own else text_of(path))
            if own and text_of(path) in exported:
                server.normalised("no `server`", "the node itself")
            else:
                put(entry, ("server",), server, text_of(server))
            found.setdefault("nfs_mount", {})[text_of(target)] = entry
            target.normalised(f"nfs_mount.{text_of(target)}", "mounts are keys")
            if kind := part.get("type"):
                kind.normalised("nfs_mount", "a kind of its own")
            if name := part.get("name"):
                name.obsolete("mounts are called by where they are")
            package = {"nfs-common": Written({}, f"{part.origin}, which needs it")}
            found.setdefault("apt_package", package)
