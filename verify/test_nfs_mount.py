"""Folders of NFS servers: in a unit of ours, mounted from where it should be, and answering."""

import pytest

from phoenix_hypervisor import units
from phoenix_hypervisor.dialects import systemd

MOUNTED = "findmnt -rn -o SOURCE --mountpoint %s"
ANSWERS = "timeout 20 ls %s >/dev/null"


def test_present(host, nfs_mount):
    assert (nfs_mount.unit.look(host).sort != "missing") == nfs_mount.present


def test_foreign(host, nfs_mount):
    """Somebody else's unit for that folder is not ours to change."""
    unit = nfs_mount.unit
    assert {"foreign": unit.foreign(unit.look(host))} == {"foreign": ""}


def test_settings(host, nfs_mount):
    actual, desired = nfs_mount.unit.look(host).differing(nfs_mount.unit.text)
    assert actual == desired


def test_read(host, nfs_mount):
    """systemd knows the file as it is now."""
    assert {"daemon_reload": nfs_mount.unit.state(host)["NeedDaemonReload"]} == {"daemon_reload": "no"}


def test_told(host, nfs_mount):
    """No change of the file still waits for its folder to be mounted anew."""
    assert {"waiting": nfs_mount.unit.look(host).waiting} == {"waiting": False}


def test_enabled(host, nfs_mount):
    assert {"enabled": nfs_mount.unit.state(host)["UnitFileState"]} == {"enabled": "enabled"}


def test_active(host, nfs_mount):
    assert {"active": nfs_mount.unit.active(host)} == {"active": "active"}


def test_mounted(host, nfs_mount):
    """What the kernel has mounted there; 1 when it is nothing."""
    found = host.run_expect([0, 1], MOUNTED, nfs_mount.name).stdout.split()
    assert {"source": found[-1] if found else "nothing"} == {"source": nfs_mount.source}


@pytest.mark.probe
def test_answers(host, nfs_mount):
    """A server that went away lets whoever looks into the folder wait for ever: not us."""
    assert host.run_expect([0, 1, 2, 124], ANSWERS, nfs_mount.name).rc == 0


def owned(host):
    """Mounts we noted as made by us whose file is still there."""
    return {systemd.mount_path(name) for name in units.owned(host, "nfs_mount")}
