"""ZFS file systems: there, set, mounted and owned as declared."""

from phoenix_hypervisor.dialects import zfs

ALL = f"zfs get -Hpo name,property,value,source -t filesystem {','.join(zfs.ASKED)}"

# All mountpoints of the node at once, however many datasets it has; those not mounted have no directory.
OWNERS = "zfs list -Ho mountpoint -t filesystem | grep '^/' | tr '\\n' '\\0' | xargs -0 stat -c '%U %G %a %n'"


def test_present(host, zfs_dataset):
    assert (zfs_dataset.name in _datasets(host)) == zfs_dataset.present


def test_properties(host, zfs_dataset):
    actual = _datasets(host)[zfs_dataset.name]
    assert {name: actual[name].value for name in zfs_dataset.properties} == zfs_dataset.properties


def test_undeclared(host, zfs_dataset):
    """With `exact`, nothing else is set on the dataset itself."""
    actual = _datasets(host)[zfs_dataset.name]
    undeclared = [name for name in zfs.PROPERTIES if zfs_dataset.exact and name not in zfs_dataset.properties]
    local = {name: actual[name].value for name in undeclared if actual[name].source == "local"}
    assert local == {}


def test_room(host, zfs_dataset):
    """A quota below what is used cannot be set."""
    used = int(_datasets(host)[zfs_dataset.name]["used"].value)
    quota = zfs_dataset.quota if isinstance(zfs_dataset.quota, int) and zfs_dataset.quota else used
    assert used <= quota


def test_mounted(host, zfs_dataset):
    actual = _datasets(host)[zfs_dataset.name]["mounted"].value
    assert actual == ("yes" if zfs_dataset.mounts else actual)


def test_owner(host, zfs_dataset):
    """Of the file system's own root, wherever it is mounted now; unmounted, the mount comes first."""
    declared = {"owner": zfs_dataset.owner, "group": zfs_dataset.group, "mode": zfs_dataset.mode}
    desired = {name: value for name, value in declared.items() if value is not None}
    found = _datasets(host)[zfs_dataset.name]
    path = found["mountpoint"].value
    seen = desired and found["mounted"].value == "yes" and path.startswith("/")
    actual = _owner(host, path) if seen else desired
    assert {name: actual.get(name) for name in desired} == desired


def owned(host):
    """Datasets that carry our mark themselves."""
    return {name for name, found in _datasets(host).items() if found[zfs.MANAGED].source == "local"}


def _datasets(host):
    return zfs.properties(host.run_expect([0], ALL).stdout)


def _owner(host, path):
    return zfs.owners(host.run_expect([0, 123], OWNERS).stdout).get(path, {})
