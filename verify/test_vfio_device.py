"""Devices for virtual machines: kept for vfio-pci by a unit of ours, and in its hands."""

import pytest

from phoenix_hypervisor.dialects import bootloader, lspci, modprobe
from phoenix_hypervisor.kinds.vfio_device import DRIVER, MODULES, UNIT, UNITS, WANTS, Sight, name_of

FILES = f"grep -sH '' {UNITS}/{UNIT}*.service"
LINKS = f"[ ! -d {WANTS} ] || find {WANTS} -name '{UNIT}*' -printf '%f\\n'"
LOADED = f"cd /sys/module && {{ ls -d {' '.join(MODULES)} 2>/dev/null || :; }}"
CONFIG = "modprobe --showconfig"


def test_present(host, vfio_device):
    assert (vfio_device.unit in _units(host)) == vfio_device.present


@pytest.mark.precondition
def test_can_be_given_away(host, vfio_device):
    assert {"in_the_way": _in_the_way(host, vfio_device)} == {"in_the_way": ""}


def test_in_the_way(host, vfio_device):
    """It is what was declared, and nothing that stays with the node goes with it, by its group or its id."""
    assert {"in_the_way": _in_the_way(host, vfio_device)} == {"in_the_way": ""}


def test_unit(host, vfio_device):
    same = _units(host)[vfio_device.unit] == vfio_device.text.splitlines()
    assert {"unit": "as declared" if same else "another"} == {"unit": "as declared"}


def test_at_boot(host, vfio_device):
    links = host.run_expect([0], LINKS).stdout.split()
    assert {"at_boot": vfio_device.unit in links} == {"at_boot": True}


def test_state_of_the_unit(host, vfio_device):
    said = host.run_expect([0, 3, 4], "systemctl is-active %s", vfio_device.unit).stdout.strip()
    assert {"unit_state": said} == {"unit_state": "active"}


def test_modules(host, vfio_device):
    loaded = host.run_expect([0], LOADED).stdout.split()
    assert {"modules": loaded} == {"modules": list(MODULES)}


def test_iommu(host, vfio_device):
    grouped = seen(host, vfio_device).grouped
    assert {"iommu": "on" if grouped else "off"} == {"iommu": "on"}


def test_driver(host, vfio_device):
    found = {f"driver {one.slot}": one.driver for one in seen(host, vfio_device).functions}
    assert found == dict.fromkeys(found, DRIVER)


def seen(host, vfio_device):
    """Its functions, and what the node boots with."""
    boot = bootloader.parse(host.run_expect([0], bootloader.QUESTION).stdout)
    return Sight(vfio_device.functions(_devices(host)), boot)


def owned(host):
    """Devices for which there is a unit of ours."""
    return {name_of(unit) for unit in _units(host)}


def _in_the_way(host, vfio_device):
    options = host.run_expect([0], CONFIG).stdout
    ids = [modprobe.options(options, name).get("ids", "") for name in ("vfio_pci", DRIVER)]
    return vfio_device.in_the_way(_devices(host), ",".join(ids).split(","))


def _devices(host):
    return lspci.parse(host.run_expect([0], lspci.COMMAND).stdout)


def _units(host):
    """Our units: name → the lines of its file."""
    found = {}
    for line in host.run_expect([0, 1, 2], FILES).stdout.splitlines():
        path, _, content = line.partition(":")
        found.setdefault(path.rpartition("/")[2], []).append(content)
    return found
