"""After a reboot everything is back, and nothing is left to do."""

from tests.vm.site import VmSite

THERE = """\
zpool list -Ho name,health
zfs list -Ho name,mounted
exportfs -s | cut -d' ' -f1
cat /sys/module/zfs/parameters/zfs_arc_max
systemctl is-active smbd nfs-server
"""


def test_after_a_reboot_everything_is_back_and_an_apply_does_nothing(converged: VmSite) -> None:
    converged.on_node("echo kept >/fastData/shared-bulk-data/file")
    booted, before = converged.node.boot_id(), converged.on_node(THERE)

    converged.node.reboot()
    converged.node.wait(booted)

    assert converged.on_node(THERE) == before
    assert converged.on_node("cat /fastData/shared-bulk-data/file") == "kept\n"
    applied = converged.apply()
    assert (applied.status, applied.steps) == (0, [])
