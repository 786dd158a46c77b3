"""Templates of virtual machines: each a `vm_image` of the node."""

from __future__ import annotations

import re

from .estate import Estate, Section, Written, put, text_of
from .ledger import Part
from .machines import rest, said

_IMAGES = "https://cloud-images.ubuntu.com"
"""Where the predecessor fetched images: below the release's name, in `current`."""
_IMAGE = re.compile(r"([a-z]+)-[A-Za-z0-9._-]+\.(img|qcow2)")
"""The name of an image, which begins with that of its release."""
_NOT_ITS = {
    ("network_config",): "a template has no address: each clone would start with it",
    ("user_config", "gw"): "a gateway is no user's: it belongs into `network_config`",
    ("template_image",): "not the name of an image that begins with its release",
    ("clone_from_vmid",): "a template is made of an image",
}
_CLONES = (
    "user_config", "cores", "memory_mb", "disk_size_gb", "network_bridge", "mac_address", "start_at_boot",
    "boot_order", "boot_delay", "dependencies", "firewall", "volumes",
)  # fmt: skip


def convert(estate: Estate) -> Section:
    """Return the node's `vm_image`s: image → settings. The checksum of each is left to decide."""
    found: Section = {}
    for vmid, name in estate.images.items():
        part = estate.numbered[vmid]
        there = f"configs/nodes/{estate.node}.yaml"
        entry: Section = {}
        if address := _address(estate, part):
            entry["url"] = address
        else:
            what = "no image that is known is named"
            estate.decide(f"what {name} is made of: `vm_image.{name}.url` ({what})", part, there)
        if number := part.get("vmid"):
            put(entry, ("vmid",), number, number.number())
        storage = said(estate, part, "storage_pool")
        if storage is not None and text_of(storage):
            put(entry, ("storage",), storage, text_of(storage))
        else:
            estate.decide(f"on which storage {name} lies: `vm_image.{name}.storage`", part, there)
        what = f"the checksum of the image: `vm_image.{name}.sha256`"
        why = "no file says it, and `current` is another image tomorrow: take a release with a date"
        estate.decide(f"{what}; {why}", part.get("template_image") or part, there)
        _template(part, name)
        found[name] = entry
    return found


def _address(estate: Estate, part: Part) -> Written | None:
    """Return from where the predecessor fetched a template's image."""
    image, release = part.get("template_image"), estate.hypervisor("vm_defaults", "ubuntu_release")
    known = _IMAGE.fullmatch(text_of(image))
    if image is None or known is None:
        return None
    said = text_of(release)
    folder = said if re.fullmatch("[a-z]+", said) else known[1]
    if release is not None and folder == said:
        release.normalised("vm_image: url", "a part of the address")
    image.normalised("vm_image: url", "a part of the address")
    return Written(f"{_IMAGES}/{folder}/current/{known[0]}", image.origin)


def _template(part: Part, name: str) -> None:
    """Say what becomes of all else that is said of a template."""
    for key in ("name", "is_template"):
        if below := part.get(key):
            below.normalised(f"vm_image.{name}", "templates are keys")
    for path, why in _NOT_ITS.items():
        if below := part.get(*path):
            below.refused(why)
    for key in _CLONES:
        if below := part.get(key):
            below.obsolete("a template has none: its clones say it")
    rest(part)
