"""The ARC's limit: in the running module, for the next boot, in the initramfs."""

from phoenix_hypervisor.dialects import modprobe

PARAMETERS = "/sys/module/zfs/parameters"
CONF = "/etc/modprobe.d/zz-phoenix-zfs_arc.conf"


def test_present(host, zfs_arc):
    assert (host.run_expect([0, 1], "test -e %s", CONF).rc == 0) == zfs_arc.present


def test_running(host, zfs_arc):
    said = host.run_expect([0], f"cd {PARAMETERS} && grep -H '' {' '.join(zfs_arc.parameters)}").stdout
    assert dict(line.split(":", 1) for line in said.splitlines()) == zfs_arc.parameters


def test_boot(host, zfs_arc):
    """What the next boot will set, all files of /etc/modprobe.d taken together."""
    options = modprobe.options(host.run_expect([0], "modprobe --showconfig").stdout, "zfs")
    actual = {f"boot_{name}": options.get(name) for name in zfs_arc.parameters}
    assert actual == {f"boot_{name}": value for name, value in zfs_arc.parameters.items()}


def test_initramfs(host, zfs_arc):
    """The module may be loaded from an initramfs, which has its own copy of the options."""
    stale = host.run_expect(
        [0], "find /boot -maxdepth 1 -name 'initrd.img-*' ! -newer %s", CONF
    ).stdout.split()
    assert {"initramfs_older_than_the_limit": stale} == {"initramfs_older_than_the_limit": []}


def owned(host):
    """The one file of ours."""
    return {"limit"} if host.run_expect([0, 1], "test -e %s", CONF).rc == 0 else set()
