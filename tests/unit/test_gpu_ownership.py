"""Whose a graphics card is: what the files may say, how cards are numbered, and what is refused."""

from pathlib import Path

import pytest
from tests.unit.site_files import NODE, loaded, problems

from phoenix_hypervisor import registry
from phoenix_hypervisor.resource import Kind, Offer, Ref, Want

VFIO = "0000:05:00.0"
HARDWARE = """\
hardware:
  gpus:
    gpu0: {{pci: "0000:01:00.0"}}
    gpu1: {{pci: "{0}", owner: {1}}}
  disks: {{a: {{id: d1, size: 1T}}}}
zfs_pool: {{tank: {{vdevs: [{{type: stripe, disks: [d1]}}]}}}}
zfs_dataset: {{tank/disks: {{}}, tank/iso: {{}}}}
pve_storage:
  disks: {{type: zfspool, pool: tank/disks, content: [rootdir]}}
  iso: {{type: dir, path: /tank/iso, content: [iso, vztmpl]}}
ct_template: {{base: {{storage: iso, file: base_1_amd64.tar.zst}}}}
"""
GIVEN = HARDWARE.format(VFIO, "vfio")
KEPT = HARDWARE.format(VFIO, "host")
IOMMU = "kernel_cmdline: {iommu: {value: pt}}\n"
GIVES = IOMMU + "vfio_device: {gpu1: {}}\n"
WORK = "configs/guests/950-work.yaml"
TAKES = "lxc:\n  template: base\n  rootfs: {{storage: disks, size: 8G}}\n  gpus: [{0}]\n"
LINE = 12
"""The first line behind GIVEN and KEPT."""
SECOND = f"{NODE}:{LINE + 1}"

REFUSED = {
    "V-36 a container that asks for a card of a virtual machine's": (
        {NODE: GIVEN + GIVES, WORK: TAKES.format("gpu1")},
        (
            f"{WORK}:4:3: lxc:950: `gpu1` is given to virtual machines (`owner: vfio`) [V-36]\n"
            "  hint: take a card of the node's, or give this one back with `owner: host`"
        ),
    ),
    "V-36 a card that is given away and belongs to the node": (
        {NODE: KEPT + GIVES},
        (
            f"{SECOND}:15: vfio_device:gpu1: `gpu1` belongs to the node itself (`owner: host`) [V-36]\n"
            "  hint: `owner: vfio` in `hardware: gpus:` gives it away"
        ),
    ),
    "V-36 a card that belongs to vfio, and nobody gives it away": (
        {NODE: GIVEN},
        (
            f"{NODE}:4:33: pve: `gpu1` belongs to vfio, and nothing gives it to virtual machines [V-36]\n"
            "  hint: declare `vfio_device: {gpu1: {}}`, or `owner: host`"
        ),
    ),
    "V-36 a card by its address as well": (
        {NODE: GIVEN + IOMMU + 'vfio_device: {gpu1: {}, "0000:05:00.1": {id: "10de:22eb"}}\n'},
        (
            f"{SECOND}:25: vfio_device:0000:05:00.1: that is the card `gpu1`, or a part of it [V-36]\n"
            "  hint: name the card: all its functions go together (`gpu1: {}`)"
        ),
    ),
    "V-36 a card that is not there": (
        {NODE: KEPT + IOMMU + "vfio_device: {gpu7: {}}\n"},
        (
            f"{SECOND}:15: vfio_device:gpu7: there is no `gpu7` in the node's `hardware: gpus:` [V-36]\n"
            "  hint: known: gpu0, gpu1"
        ),
    ),
    "V-02 two cards at one address": (
        {NODE: HARDWARE.format("0000:01:00.1", "host")},
        (
            f"{NODE}:4:12: pve: the PCI address `0000:01:00.1` is that of `gpu0` already [V-02]\n"
            "  hint: each card has a slot of its own: `lspci -D` lists them"
        ),
    ),
    "a device that is given away without an IOMMU": (
        {NODE: GIVEN + "vfio_device: {gpu1: {}}\n"},
        (
            f"{NODE}:{LINE}:15: vfio_device:gpu1: nothing switches the IOMMU on, without which no device is "
            "given away\n"
            "  hint: declare `kernel_cmdline: {iommu: {value: pt}}`: what the node's CPU takes for it follows"
        ),
    ),
    "an IOMMU that is switched off": (
        {NODE: GIVEN + 'kernel_cmdline: {iommu: {value: "off"}}\nvfio_device: {gpu1: {}}\n'},
        (
            f"{SECOND}:15: vfio_device:gpu1: nothing switches the IOMMU on, without which no device is "
            "given away\n"
            "  hint: declare `kernel_cmdline: {iommu: {value: pt}}`: what the node's CPU takes for it follows"
        ),
    ),
    "an owner nobody knows": (
        {NODE: HARDWARE.format(VFIO, "nvidia")},
        f"{NODE}:4:33: `hardware.gpus.gpu1.owner` must be 'host' or 'vfio'",
    ),
    "a PCI address without what should be there": (
        {NODE: KEPT + IOMMU + 'vfio_device: {"0000:07:00.0": {}}\n'},
        (
            f"{SECOND}:15: vfio_device:0000:07:00.0: a PCI address needs the `id` of what should be "
            "there: `lspci -nn` prints it"
        ),
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_is_said_where_it_stands(what: str, tmp_path: Path) -> None:
    files, said = REFUSED[what]
    assert problems(tmp_path, files) == said


def test_a_card_of_each_is_fine(tmp_path: Path) -> None:
    site = loaded(tmp_path, {NODE: GIVEN + GIVES, WORK: TAKES.format("gpu0")})
    assert [ref.name for ref in site.resources if ref.kind == "vfio_device"] == ["gpu1"]


def test_the_driver_numbers_only_the_cards_it_has(tmp_path: Path) -> None:
    hardware = (
        'hardware: {gpus: {a: {pci: "0000:09:00.0"}, b: {pci: "0000:01:00.0", owner: vfio}, '
        'c: {pci: "0000:05:00.0", model: X, memory: 16G, uuid: GPU-11111111-2222-3333-4444-555555555555}}}\n'
    )
    site = loaded(tmp_path, {NODE: hardware + IOMMU + "vfio_device: {b: {}}\n"})
    cards = site.resources[Ref("pve", "vfio_device", "b")].given("gpus")[0].value
    assert {name: (card["owner"], card["minor"]) for name, card in cards.items()} == {
        "b": ("vfio", None),
        "c": ("host", 0),
        "a": ("host", 1),
    }
    assert cards["c"] == {
        "pci": "0000:05:00.0",
        "minor": 0,
        "memory": 16 * 1024**3,
        "model": "X",
        "uuid": "GPU-11111111-2222-3333-4444-555555555555",
        "owner": "host",
    }


# --- virtual machines, by topics alone --------------------------------------------------------------------


class Taking(Kind):
    """What a virtual machine will be to these rules: it takes a device for itself. Others are left alone."""

    scope = "guest"
    inhabited = True
    device: str

    def consumes(self) -> list[Want]:
        return [Want("vfio", self.device, "device", "", exact=True, required=False)]

    def provides(self) -> list[Offer]:
        return []


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind `vm` that only takes devices."""
    homes, kind = registry.homes(), registry.kind
    Taking.kind = "vm"
    monkeypatch.setattr(registry, "homes", lambda: {**homes, "vm": homes["lxc"]})
    monkeypatch.setattr(registry, "kind", lambda name: Taking if name == "vm" else kind(name))


@pytest.mark.usefixtures("machines")
def test_a_virtual_machine_takes_what_is_given_away_and_nothing_else(tmp_path: Path) -> None:
    files = {NODE: GIVEN + GIVES, "configs/guests/800-desktop.yaml": "vm: {device: gpu1}\n"}
    site = loaded(tmp_path, files)
    assert Ref("pve", "vfio_device", "gpu1") in site.needs[Ref("pve", "vm", "800")]
    wrong = {**files, "configs/guests/801-other.yaml": "vm: {device: gpu0}\n"}
    assert problems(tmp_path / "wrong", wrong) == (
        "configs/guests/801-other.yaml:1:6: vm:801: `gpu0` belongs to the node itself (`owner: host`) "
        "[V-36]\n"
        "  hint: containers share it: give it away with `owner: vfio`, or take another one"
    )


@pytest.mark.usefixtures("machines")
def test_a_device_is_given_to_one(tmp_path: Path) -> None:
    files = {
        NODE: GIVEN + GIVES,
        "configs/guests/800-desktop.yaml": "vm: {device: gpu1}\n",
        "configs/guests/801-other.yaml": "vm: {device: gpu1}\n",
    }
    assert problems(tmp_path, files) == (
        "configs/guests/801-other.yaml:1:6: vm:801: `gpu1` is taken by vm:800 [V-36]\n"
        "  hint: a device is given to one: take another one"
    )
