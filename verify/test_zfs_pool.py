"""ZFS pools: there, healthy, laid out and set as declared."""

import pytest

from phoenix_hypervisor.dialects import disks, zfs

HEALTH = "zpool list -Hpo name,health"
LAYOUT = "zpool list -vHP"
PROPERTIES = f"zpool get -Hpo name,property,value,source {','.join(zfs.POOL_PROPERTIES)}"

# Names of disks hold nothing that a shell would take for its own. One question for all of a pool's disks.
CONTENTS = """\
set -e
note=%s
if [ -e "$note" ]; then cat "$note"; fi
for disk in %s; do
    if [ -e "$disk" ]; then
        printf '\\037there\\037'; wipefs -n -J "$disk"; printf '\\037'
        lsblk -J -o NAME,TYPE,MOUNTPOINTS,FSTYPE,LABEL,PARTLABEL "$disk"
    else
        printf '\\037missing\\037\\037'
    fi
done
"""


def test_present(host, zfs_pool):
    pools = zfs.health(host.run_expect([0], HEALTH).stdout)
    assert (zfs_pool.name in pools) == zfs_pool.present


@pytest.mark.precondition
def test_disks(host, zfs_pool):
    """Only blank disks may become a pool: no signature, no partition, no mount; or what we began."""
    begun, said = _disks(host, zfs_pool)
    actual = {disk: disks.BLANK if begun[disk] else disks.contents(*said[disk]) for disk in zfs_pool.disks}
    assert actual == dict.fromkeys(zfs_pool.disks, disks.BLANK)


@pytest.mark.precondition
def test_begun(host, zfs_pool):
    """How far we came before, if the power failed while the pool was made."""
    actual = desired = "never"
    if _noted(host, zfs_pool):
        begun, _ = _disks(host, zfs_pool)
        actual = next((far for far in disks.FURTHEST_FIRST if far in begun.values()), "with other disks")
    assert {"begun": actual} == {"begun": desired}


def test_done(host, zfs_pool):
    """Nothing says any more that the pool is being made: another time that would be wrong."""
    assert {"begun": _noted(host, zfs_pool)} == {"begun": False}


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


def _noted(host, zfs_pool):
    return host.run_expect([0, 1], "test -e %s", zfs_pool.begun).rc == 0


def _disks(host, zfs_pool):
    """Return how far the making of the pool came on each disk, if it was begun, and what is on each."""
    devices = " ".join(f"/dev/disk/by-id/{disk}" for disk in zfs_pool.disks)
    note, *parts = host.run_expect([0], CONTENTS % (zfs_pool.begun, devices)).stdout.split("\x1f")
    said = {disk: tuple(parts[n * 3 : n * 3 + 3]) for n, disk in enumerate(zfs_pool.disks)}
    ours = tuple(note.splitlines()) == zfs_pool.disks
    return {disk: disks.unfinished(*said[disk], zfs_pool.name) if ours else "" for disk in said}, said


def _properties(host, zfs_pool):
    return zfs.properties(host.run_expect([0], PROPERTIES).stdout)[zfs_pool.name]
