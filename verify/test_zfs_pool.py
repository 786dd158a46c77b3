"""ZFS pools: there, healthy, laid out and set as declared."""

import pytest

from phoenix_hypervisor.dialects import disks, zfs

HEALTH = "zpool list -Hpo name,health"
LAYOUT = "zpool list -vHP"
PROPERTIES = f"zpool get -Hpo name,property,value,source {','.join(zfs.POOL_PROPERTIES)}"


def test_present(host, zfs_pool):
    pools = zfs.health(host.run_expect([0], HEALTH).stdout)
    assert (zfs_pool.name in pools) == zfs_pool.present


@pytest.mark.precondition
def test_disks(host, zfs_pool):
    """Only blank disks may become a pool: no signature, no partition, no mount."""
    actual = {disk: _contents(host, f"/dev/disk/by-id/{disk}") for disk in zfs_pool.disks}
    assert actual == dict.fromkeys(zfs_pool.disks, disks.BLANK)


def test_health(host, zfs_pool):
    assert zfs.health(host.run_expect([0], HEALTH).stdout)[zfs_pool.name] == "ONLINE"


def test_layout(host, zfs_pool):
    assert zfs.layouts(host.run_expect([0], LAYOUT).stdout)[zfs_pool.name] == zfs_pool.layout


def test_ashift(host, zfs_pool):
    assert _properties(host, zfs_pool)["ashift"].value == str(zfs_pool.ashift)


def test_properties(host, zfs_pool):
    actual = _properties(host, zfs_pool)
    assert {name: actual[name].value for name in zfs_pool.properties} == zfs_pool.properties


def owned(host):
    """Pools that we made: marked on their root dataset."""
    asked = host.run_expect([0], f"zfs get -Hpo name,property,value,source -d 0 -t filesystem {zfs.POOL_MANAGED}")
    marks = zfs.properties(asked.stdout)
    return {name for name, mark in marks.items() if mark[zfs.POOL_MANAGED].source == "local"}


def _properties(host, zfs_pool):
    return zfs.properties(host.run_expect([0], PROPERTIES).stdout)[zfs_pool.name]


def _contents(host, device):
    if host.run_expect([0, 1], "test -e %s", device).rc:
        return disks.MISSING
    signatures = host.run_expect([0], "wipefs -n -J %s", device).stdout
    return disks.contents(signatures, host.run_expect([0], "lsblk -J -o NAME,TYPE,MOUNTPOINTS %s", device).stdout)
