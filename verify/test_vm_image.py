"""Templates of cloud images: there, made of what is declared, and without an address."""

import pytest

from phoenix_hypervisor.dialects import qemu_conf, qemu_properties, vmlist
from phoenix_hypervisor.kinds.vm_image import Sight
from phoenix_hypervisor.machines import seen as sight


def test_present(host, vm_image):
    """One that was cut before it was finished says so itself, and is made as if it were not there."""
    assert (vm_image.name in _templates(host)) == vm_image.present


@pytest.mark.precondition
def test_place(host, vm_image):
    """Nobody else has its VMID."""
    vmid = str(vm_image.vmid)
    place = vmlist.parse(host.run_expect([0], vmlist.QUESTION).stdout).get(vmid)
    own = vmid in _confs(host) and sight.is_image(qemu_conf.parse(_confs(host)[vmid]))
    what = {"lxc": "a container", "qemu": "a virtual machine"}
    found = "" if own or place is None else f"{what.get(place.type, 'a guest')} on the node {place.node}"
    assert {"foreign": found} == {"foreign": ""}


def test_made(host, vm_image):
    """It is made of what is declared, and has no address: each of its clones would start with it."""
    _, conf = _templates(host)[vm_image.name]
    actual = {
        "fingerprint": conf.description,
        "addresses": sorted(key for key in conf.keys if key.startswith("ipconfig")),
    }
    assert actual == {"fingerprint": vm_image.sign, "addresses": []}


def test_vmid(host, vm_image):
    vmid, _ = _templates(host)[vm_image.name]
    other = f"{vmid}, under which it is now" if vmid != str(vm_image.vmid) else ""
    assert {"foreign": other} == {"foreign": ""}


def seen(host, vm_image):
    """Which linked clones there are."""
    base = f":base-{vm_image.vmid}-disk-"
    volumes = {
        vmid: qemu_properties.volumes(qemu_conf.parse(text).keys).values()
        for vmid, text in _confs(host).items()
        if vmid != str(vm_image.vmid)
    }
    return Sight(tuple(vmid for vmid, found in volumes.items() if any(base in one for one in found)))


def owned(host):
    """Templates that we made of images, finished or not."""
    found = {vmid: qemu_conf.parse(text) for vmid, text in _confs(host).items()}
    return {conf.keys.get("name", "") for conf in found.values() if sight.is_image(conf)}


def _templates(host):
    """Our finished templates by their names: VMID and conf."""
    found = {vmid: qemu_conf.parse(text) for vmid, text in _confs(host).items()}
    return {
        conf.keys.get("name", ""): (vmid, conf)
        for vmid, conf in found.items()
        if sight.is_image(conf)
        and conf.keys.get("template") == "1"
        and not conf.description.endswith("being made")
    }


def _confs(host):
    return qemu_conf.split_all(host.run_expect([0], qemu_conf.QUESTION).stdout)
