"""Containers: each an `lxc` section, its seal, its firewall."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .estate import Estate, Section, Written, as_mounted, each, is_layer, put, text_of, words_of
from .firewall import guest_rules
from .ledger import Part

_NOT_YET = "not yet: there is no kind for it"
_HOST_PATH = "/usr/local/phoenix_hypervisor/"
_NEVER = "declared, and read by no script"
SCRIPTS = "scripts of the predecessor's: what they brought is declared by kinds, in the guest's file"
_MODEL = "what serves a model is declared as `vllm_server`, in the guest's file"
ROUTE = "a gateway finds its routes itself: `nginx_gateway`, in the gateway's file"
REFUSED = {
    "features": SCRIPTS,
    "application_script": SCRIPTS,
    **dict.fromkeys(("vllm_engine_config", "vllm_args", "vllm_model", "vllm_served_model_name"), _MODEL),
    "vllm_model_type": _MODEL,
    "traefik_service": ROUTE,
    "bootstrap_ca_url": _NOT_YET,
}
OBSOLETE = {
    "portainer_role": "the script that read it was never called",
    "ports": "a container on a bridge has all its ports; who may reach them is the firewall's matter",
    "apparmor_manages_nesting": "it has no effect on what it says",
    "enable_lifecycle_snapshots": "layers are sealed, and made anew when what they are made of changes",
    "trigger_sync_on_completion": "an apply does all that is to be done",
    "id_maps": "the predecessor read no further than that it is there, and wrote the default map",
    "tests": "the script that would run them was never called",
    "integration_tests": _NEVER,
    "run_integration_tests": _NEVER,
    "vllm": _NEVER,
    "vllm_parameters": _NEVER,
    "vllm_quantization": _NEVER,
    "vllm_max_model_len": _NEVER,
    "vllm_gpu_memory_utilization": _NEVER,
    "vllm_tensor_parallel_size": _NEVER,
    "vllm_trust_remote_code": _NEVER,
    "vllm_port": "only a script that nobody called read it",
    "health_checks": "the script that would run them was never called",
}


def convert(estate: Estate) -> dict[str, Section]:
    """Return the guests by the stem of their files."""
    found: dict[str, Section] = {}
    names = estate.names
    for vmid, part in estate.containers.items():
        if not re.fullmatch(r"[1-9][0-9]{2,8}", vmid):
            part.refused("a VMID is a number from 100 on")
            continue
        guest = _Guest(estate, names, vmid, part)
        found[f"{vmid}-{names[vmid]}"] = guest.sections()
    return found


class _Guest:
    """One container on its way."""

    def __init__(self, estate: Estate, names: Mapping[str, str], vmid: str, part: Part) -> None:
        self.estate, self.names, self.vmid, self.part = estate, names, vmid, part
        self.lxc: Section = {}
        self.file = f"configs/guests/{vmid}-{names[vmid]}.yaml"

    def sections(self) -> Section:
        """Return the file's sections."""
        self._name()
        self._made_from()
        self._sizes()
        self._network()
        self._cards()
        self._features()
        self._raw()
        self._apparmor()
        self._volumes()
        self._folders()
        self._order()
        self._ready()
        found: Section = {"lxc": self.lxc}
        if (seal := self.part.get("template_snapshot_name")) and is_layer(self.part):
            put(found, ("lxc_layer", "mode"), seal, "snapshot", "our own snapshot is its seal")
        rules = guest_rules(self.estate, self.part, self.file)
        if rules is not None:
            found["firewall_guest"] = rules
            origin = self.part.get("firewall")
            for net in self.lxc.get("net", {}).values():
                net["firewall"] = Written(True, origin.origin if origin else "")
        self._rest()
        return found

    def _take(self, key: str, path: tuple[str, ...], form: Callable[[Part], Any], why: str = "") -> None:
        part = self.part.get(key)
        value = form(part) if part is not None else None
        if part is not None and value is not None:
            put(self.lxc, path, part, value, why)

    def _name(self) -> None:
        part = self.part.get("name")
        name = self.names[self.vmid]
        if part is None:
            return
        said = text_of(part)
        part.normalised(f"{self.file}, named {name}", "names are small letters, digits and `-`")
        if said != name and re.fullmatch(
            r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*", said
        ):
            self.lxc["hostname"] = Written(said, part.origin)

    def _made_from(self) -> None:
        source, archive = self.part.get("clone_from_ctid"), self.part.get("template")
        if source is not None:
            name = self.names.get(text_of(source))
            if name is None:
                source.refused("no container has that id")
                self.estate.decide(f"what {self.vmid} is cloned from: `clone`", source, self.file)
            else:
                put(self.lxc, ("clone",), source, name, "guests are called by name")
        if archive is not None and text_of(archive):
            name = template_name(text_of(archive))
            put(self.lxc, ("template",), archive, name, "a ct_template of the node")

    def _sizes(self) -> None:
        def megabytes(part: Part) -> str | None:
            number = part.number()
            return None if number is None else f"{number}M"

        self._take("cores", ("cores",), Part.number)
        self._take("memory_mb", ("memory",), megabytes)
        self._take("swap_mb", ("swap",), megabytes, "the predecessor never applied it")
        self._take("unprivileged", ("unprivileged",), Part.flag)
        self._take("storage_pool", ("rootfs", "storage"), Part.text)
        self._take(
            "storage_size_gb", ("rootfs", "size"), lambda part: f"{n}G" if (n := part.number()) else None
        )

    def _network(self) -> None:
        part = self.part.get("network_config")
        if part is None:
            return
        if isinstance(part.tree.value, str):
            self._network_in_one_text(part)
            return
        name = text_of(part.get("name")) or "eth0"
        for key, to in (("bridge", "bridge"), ("ip", "ip"), ("gw", "gw")):
            below = part.get(key)
            if below is not None and text_of(below):
                put(self.lxc, ("net", name, to), below, text_of(below))
        if given := part.get("name"):
            given.normalised(f"net.{name}", "interfaces are keys")
        for key in ("nameservers", "nameserver"):
            if (below := part.get(key)) and words_of(below):
                put(self.lxc, ("nameserver",), below, words_of(below), "a list")
        mac = self.part.get("mac_address")
        if mac is not None and text_of(mac):
            put(self.lxc, ("net", name, "mac"), mac, text_of(mac))

    def _network_in_one_text(self, part: Part) -> None:
        """`10.0.0.1/24,10.0.0.254,8.8.8.8`: address, gateway, name servers."""
        ip, *rest = [word.strip() for word in text_of(part).split(",")]
        net: Section = {"ip": Written(ip, part.origin)}
        if rest:
            net["gw"] = Written(rest[0], part.origin)
        if rest[1:]:
            self.lxc["nameserver"] = Written(rest[1:], part.origin)
        self.lxc["net"] = {"eth0": net}
        part.normalised("net.eth0", "address, gateway and name servers in one text")
        self.estate.decide(f"which bridge {self.vmid} is on: `net.eth0.bridge`", part, self.file)
        mac = self.part.get("mac_address")
        if mac is not None and text_of(mac):
            put(self.lxc, ("net", "eth0", "mac"), mac, text_of(mac))

    def _cards(self) -> None:
        part = self.part.get("gpu_assignment")
        if part is None:
            return
        cards = words_of(part)
        if cards in ([], ["none"]):
            part.normalised("no gpus")
        elif all(re.fullmatch("[0-9]{1,3}", card) for card in cards):
            put(self.lxc, ("gpus",), part, [f"gpu{int(card)}" for card in cards], "cards have names")
        else:
            part.refused("is neither `none` nor numbers of cards")

    def _features(self) -> None:
        for key in ("pct_options", "features"):
            part = self.part.get(key)
            if part is None or (key == "features" and not isinstance(part.tree.value, str)):
                continue  # a list of features are scripts; a text is Proxmox's own
            ends = [one for _, one in part.each()] or [part]
            for end in ends:
                said = dict(re.findall(r"(\w+)=(\d+)", text_of(end)))
                if said and {*said} <= {"nesting", "keyctl", "fuse", "mknod", "force_rw_sys"}:
                    for name, value in said.items():
                        put(self.lxc, ("features", name), end, value == "1", "a switch")
                elif not isinstance(end.tree.value, list):
                    end.refused("no feature of a container that Proxmox knows")
                else:
                    end.obsolete("empty")

    def _raw(self) -> None:
        part = self.part.get("lxc_options")
        lines: dict[str, list[str]] = {}
        for _, end in each(part):
            key, equals, value = (word.strip() for word in text_of(end).partition("="))
            if not equals or not re.fullmatch(r"lxc\.[a-z0-9_.-]+", key) or not value:
                end.refused("is no `lxc.key=value`")
                continue
            if key == "lxc.apparmor.profile":
                put(self.lxc, ("apparmor",), end, value, "a setting of its own")
                continue
            if key.startswith("lxc.apparmor.") and self._unconfined():
                end.obsolete("it does nothing: the container is unconfined")
                continue
            kept = value.replace(",", " ").split() if key == "lxc.cap.keep" else [value]
            lines.setdefault(key, []).extend(kept)
            end.normalised(f"raw.{key}")
        if lines and part is not None:
            for key, values in lines.items():
                self.lxc.setdefault("raw", {})[key] = Written(values, part.origin)
        if part is not None and not [*part.each()]:
            part.obsolete("empty")

    def _unconfined(self) -> bool:
        said = [text_of(end).replace(" ", "") for _, end in each(self.part.get("lxc_options"))]
        profile = text_of(self.part.get("apparmor_profile"))
        return "unconfined" in (profile, *(text.removeprefix("lxc.apparmor.profile=") for text in said))

    def _apparmor(self) -> None:
        part = self.part.get("apparmor_profile")
        if part is None or not text_of(part):
            return
        profile = text_of(part)
        put(self.lxc, ("apparmor",), part, profile)
        if profile not in ("unconfined", "generated"):
            what = f"the text of the AppArmor profile `{profile}`"
            self.estate.decide(f"{what}: a host_file below /etc/apparmor.d of the node", part, self.file)

    def _volumes(self) -> None:
        for key in ("volumes", "zfs_volumes"):
            for _, part in each(self.part.get(key)):
                target, pool, size = part.get("mount_point"), part.get("pool"), part.get("size_gb")
                number = size.number() if size else None
                if not (target and pool and size and text_of(target).startswith("/") and number):
                    part.refused("needs `pool`, `size_gb` and `mount_point`")
                    continue
                at = ("mounts", text_of(target))
                put(self.lxc, (*at, "storage"), pool, text_of(pool))
                put(self.lxc, (*at, "size"), size, f"{number}G")
                target.normalised(".".join(at), "mounts are keys")
                part.obsolete("volumes are called by where they are mounted")

    def _folders(self) -> None:
        for _, part in each(self.part.get("mount_points")):
            source, target = part.get("host_path"), part.get("container_path")
            if not (source and target and text_of(source) and text_of(target).startswith("/")):
                part.refused("needs `host_path` and `container_path`")
                continue
            path = as_mounted(text_of(source))
            at = ("mounts", text_of(target))
            put(self.lxc, (*at, "source"), source, path, "where ZFS mounts the dataset")
            target.normalised(".".join(at), "mounts are keys")
            for key, to in (("owner_uid", "uid"), ("owner_gid", "gid")):
                if (owner := part.get(key)) is not None and (number := owner.number()) is not None:
                    put(self.lxc, (*at, to), owner, number)
            if not any(f"{path}/".startswith(f"/{name}/") for name in self.estate.datasets):
                self.estate.decide(f"a dataset for {path}, or another path", source, self.file)

    def _order(self) -> None:
        self._take("start_at_boot", ("onboot",), Part.flag)
        self._take("boot_order", ("startup", "order"), Part.number)
        self._take("boot_delay", ("startup", "up"), Part.number)
        after = waits(self.estate, self.part)
        if after is not None:
            self.lxc["after"] = after

    def _ready(self) -> None:
        part = self.part.get("health_check")
        command = part.get("command") if part else None
        if part is None or command is None or not text_of(command):
            return
        if text_of(command).startswith(_HOST_PATH):
            part.refused("a script of the node; `ready.command` runs inside")
            return
        put(self.lxc, ("ready", "command"), command, text_of(command))
        tries, pause = part.get("retries"), part.get("interval")
        if tries and pause and tries.number() and pause.number():
            seconds = min(3600, (tries.number() or 1) * (pause.number() or 1))
            self.lxc["ready"]["seconds"] = Written(seconds, part.origin)
            for one in (tries, pause):
                one.normalised("ready.seconds", "together")

    def _rest(self) -> None:
        for key, why in REFUSED.items():
            if part := self.part.get(key):
                part.refused(why)
        for key, why in OBSOLETE.items():
            if part := self.part.get(key):
                part.obsolete(why)


def waits(estate: Estate, guest: Part) -> Written | None:
    """Return the names of those whom a container or machine waits for; None for nobody."""
    after: list[str] = []
    needs = guest.get("dependencies")
    for _, end in each(needs):
        name = estate.names.get(text_of(end))
        if name is None:
            end.refused("a template never runs" if text_of(end) in estate.images else "no such guest")
        elif guest.get("vmid") is None and is_layer(guest):
            end.refused("a layer waits for no workload")
        else:
            after.append(name)
            end.normalised(f"after: {name}")
    if needs is not None and not [*needs.each()]:
        needs.obsolete("empty")
    return Written(after, needs.origin) if needs is not None and after else None


def template_name(path: str) -> str:
    """Return a name for an archive: `ubuntu-24.04` for `…/ubuntu-24.04-standard_24.04-2_amd64.tar.zst`."""
    file = path.rpartition("/")[2]
    return file.partition("_")[0].removesuffix("-standard") or "template"
