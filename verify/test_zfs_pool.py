"""ZFS pools: there, healthy, laid out and set as declared."""

import pytest

from phoenix_hypervisor.dialects import disks, zfs

HEALTH = "zpool list -Hpo name,health"
LAYOUT = "zpool list -vHP"
PROPERTIES = f"zpool get -Hpo name,property,value,source {','.join(zfs.POOL_PROPERTIES)}"

# Names of disks hold nothing that a shell would take for its own. One question for all of a pool's disks.
CONTENTS = """\
set -e
for disk in %s; do
    if [ -e "$disk" ]; then
        printf 'there\\037'; wipefs -n -J "$disk"; printf '\\037'
        lsblk -J -o NAME,TYPE,MOUNTPOINTS "$disk"; printf '\\037'
    else
        printf 'missing\\037\\037\\037'
    fi
done
"""


def test_present(host, zfs_pool):
    pools = zfs.health(host.run_expect([0], HEALTH).stdout)
    assert (zfs_pool.name in pools) == zfs_pool.present


@pytest.mark.precondition
def test_disks(host, zfs_pool):
    """Only blank disks may become a pool: no signature, no partition, no mount."""
    devices = " ".join(f"/dev/disk/by-id/{disk}" for disk in zfs_pool.disks)
    said = host.run_expect([0], CONTENTS % devices).stdout.split("\x1f")
    actual = {disk: disks.contents(*said[n * 3 : n * 3 + 3]) for n, disk in enumerate(zfs_pool.disks)}
    assert actual == dict.fromkeys(zfs_pool.disks, disks.BLANK)


def test_health(host, zfs_pool):
    assert zfs.health(host.run_expect([0], HEALTH).stdout)[zfs_pool.name] == "ONLINE"


def test_layout(host, zfs_pool):
    assert zfs.layouts(host.run_expect([0], LAYOUT).stdout)[zfs_pool.name] == zfs_pool.layout


def test_ashift(host, zfs_pool):
    assert _properties(host, zfs_pool)["ashift"].value == str(zfs_pool.ashift)


def test_properties(host, zfs_pool):
    actual = _properties(host, zfs_pool)
    # a comment that was never there is `-`, one that was taken away is empty
    assert {name: actual[name].value or "-" for name in zfs_pool.properties} == zfs_pool.properties


def owned(host):
    """Pools that we made: marked on their root dataset."""
    asked = host.run_expect(
        [0], f"zfs get -Hpo name,property,value,source -d 0 -t filesystem {zfs.POOL_MANAGED}"
    )
    marks = zfs.properties(asked.stdout)
    return {name for name, mark in marks.items() if mark[zfs.POOL_MANAGED].source == "local"}


def _properties(host, zfs_pool):
    return zfs.properties(host.run_expect([0], PROPERTIES).stdout)[zfs_pool.name]
