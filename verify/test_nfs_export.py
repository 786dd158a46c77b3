"""NFS exports: in our file, in the server's table, and mountable."""

import pytest

from phoenix_hypervisor.dialects import exports

FILES = "grep -sH '' /etc/exports /etc/exports.d/*.exports"
TABLE = "exportfs -s"
SERVER = 'cat /proc/filesystems; echo --; getent hosts "$(hostname)"'
MOUNT = """\
into=$(mktemp -d) || exit 9
trap 'umount "$into" 2>/dev/null; rmdir "$into"' EXIT
mount -t nfs -o vers=4.2,soft,timeo=50 %s "$into" && ls "$into" >/dev/null
"""


def test_present(host, nfs_export):
    found = nfs_export.file in _files(host)
    assert found == nfs_export.present


@pytest.mark.precondition
def test_client_is_free(host, nfs_export):
    """What somebody else exports to the same client would change under their hands."""
    assert {"foreign": _foreign(host, nfs_export)} == {"foreign": ""}


def test_foreign(host, nfs_export):
    """Nobody else exports the same path to the same client."""
    assert {"foreign": _foreign(host, nfs_export)} == {"foreign": ""}


def test_file(host, nfs_export):
    """What our file says: what the next boot exports."""
    actual = _files(host)[nfs_export.file].get(nfs_export.path, {})
    desired = {f"file {client}": options for client, options in nfs_export.table.items()}
    assert {f"file {client}": options for client, options in actual.items()} == desired


def test_served(host, nfs_export):
    """What the running server exports, but for the clients that others' files name."""
    table = exports.parse(host.run_expect([0], TABLE).stdout).get(nfs_export.path, {})
    foreign = {
        client
        for name, found in _files(host).items()
        for client in found.get(nfs_export.path, {})
        if name != nfs_export.file
    }
    actual = {
        client: options
        for client, options in table.items()
        if client not in foreign - nfs_export.table.keys()
    }
    assert actual == nfs_export.table


def test_service(host, nfs_export):
    said = host.run_expect([0], "systemctl show -p ActiveState,UnitFileState nfs-server").stdout
    found = dict(line.split("=", 1) for line in said.splitlines())
    actual = {"active": found["ActiveState"], "enabled": found["UnitFileState"]}
    assert actual == {"active": "active", "enabled": "enabled"}


@pytest.mark.probe
def test_mounts(host, nfs_export):
    """The node mounts its own export, where its address is among the clients."""
    known, _, named = host.run_expect([0], SERVER).stdout.partition("--")
    if "nfsd" not in known.split():
        pytest.skip("this kernel has no NFS server")
    address = named.split()[0]
    if not exports.covers(nfs_export.table, address):
        pytest.skip(f"no client of this export is the node's own address {address}")
    # mount(8) ends with 32 when the server refuses; 1 and 2 are `ls`
    assert host.run_expect([0, 1, 2, 32], MOUNT, f"{address}:{nfs_export.path}").rc == 0


def owned(host):
    """Paths of our own files."""
    names = {
        name: table for name, table in _files(host).items() if name.startswith("/etc/exports.d/phoenix-")
    }
    return {path for table in names.values() for path in table}


def _foreign(host, nfs_export):
    """Our clients to whom a file of somebody else exports the path, with that file."""
    found = {
        name: sorted(table.get(nfs_export.path, {}).keys() & nfs_export.table.keys())
        for name, table in _files(host).items()
        if name != nfs_export.file
    }
    return "; ".join(f"{', '.join(clients)} in {name}" for name, clients in found.items() if clients)


def _files(host):
    return exports.files(host.run_expect([0, 1, 2], FILES).stdout)
