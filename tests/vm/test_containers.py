"""Containers in real LXC, on real datasets, under control groups of version 2; `pct` alone stands in."""

from tests.vm.site import VmSite

INSIDE = "lxc-attach -n 951 --clear-env -- "
OTHER = "lxc-attach -n 952 --clear-env -- "
GROUP = "/sys/fs/cgroup/lxc/951"


def test_layers_and_clones_are_datasets_and_a_second_apply_does_nothing(housed: VmSite) -> None:
    second = housed.apply()

    assert (second.status, second.steps) == (0, []), second
    assert housed.on_node("lxc-ls --running -1") == "951\n952\n"
    disks = [
        line.removeprefix("quickOS/lxc-disks/").split("\t")
        for line in housed.on_node("zfs list -Hpo name,refquota,origin -r quickOS/lxc-disks").splitlines()[1:]
    ]
    size = str(64 << 20)
    assert disks == [
        ["basevol-910-disk-0", size, "-"],
        ["subvol-900-disk-0", size, "-"],
        ["subvol-951-disk-0", size, "-"],  # a full clone: nothing is shared
        ["subvol-952-disk-0", size, "quickOS/lxc-disks/basevol-910-disk-0@__base__"],
    ]
    sealed = housed.on_node("zfs list -Ho name -t snapshot -r quickOS/lxc-disks/subvol-900-disk-0")
    assert sealed == "quickOS/lxc-disks/subvol-900-disk-0@phoenix_layer\n"
    assert housed.on_node(f"{INSIDE}cat /etc/made /etc/chat.conf") == "once, in the layer\nport = 8000\n"
    assert housed.on_node(f"{OTHER}cat /etc/debian_version") == "12.11\n"


def test_limits_mounts_and_snapshots_are_real(housed: VmSite) -> None:
    on = housed.on_node
    # limits are the kernel's own control groups, of version 2, and have effect
    limits = ("memory.max", "memory.swap.max", "cpu.max", "cpu.weight")
    said = on(f"cd {GROUP}; cat {' '.join(limits)}")
    assert said == f"{64 << 20}\n0\n50000 100000\n50\n"
    assert housed.try_on_node(f"{INSIDE}dd if=/dev/zero of=/dev/null bs=80M count=1")[0] == 128 + 9
    killed, throttled = on(
        f"cd {GROUP}; sed -n 's/^oom_kill //p' memory.events; sed -n 's/^nr_throttled //p' cpu.stat"
    ).split()
    assert int(killed) >= 1
    assert int(throttled) >= 1
    # a folder of the node's is nobody's in there, unless an owner was declared
    assert "Permission denied" in housed.try_on_node(f"{INSIDE}touch /mnt/theirs/mine")[1]
    on(f"{INSIDE}su chat -c 'touch /mnt/ours/mine'")
    assert on("stat -c %u:%g /fastData/ours/mine") == "101000:101000\n"

    refused = housed.try_on_node("pct snapshot 951 before")[1]  # for its folders of the node
    assert "snapshot feature is not available" in refused
    on(f"pct snapshot 952 before; {OTHER}rm /etc/debian_version")
    assert housed.try_on_node(f"{OTHER}cat /etc/debian_version")[0] != 0
    on("pct rollback 952 before; pct start 952")
    assert on(f"{OTHER}cat /etc/debian_version; pct delsnapshot 952 before") == "12.11\n"
