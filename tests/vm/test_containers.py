"""Containers in real LXC, on real datasets, under control groups of version 2; `pct` alone stands in."""

from pathlib import Path

import pytest
from tests.vm.housing import house
from tests.vm.site import VmSite

GUESTS = {
    "900-base": """\
node: phoenix
lxc:
  template: busybox
  rootfs: { storage: quickOS-lxc-disks, size: 64M }
  net: { eth0: { bridge: vmbr0, ip: 10.0.0.50/24 } }
lxc_layer: { mode: snapshot }
host_file:
  /etc/made: { content: "once, in the layer\\n" }
""",
    "951-chat": """\
node: phoenix
lxc:
  clone: base
  memory: 64M
  swap: 0
  cores: 1
  onboot: true
  net: { eth0: { bridge: vmbr0, ip: 10.0.0.51/24 } }
  mounts:
    /mnt/theirs: { source: /fastData/shared-bulk-data }
    /mnt/ours: { source: /fastData/ours, uid: 1000, gid: 1000 }
  ready: { network: true, command: "test -s /etc/machine-id" }
host_file:
  /etc/chat.conf: { content: "port = 8000\\n" }
""",
    "952-web": """\
node: phoenix
lxc: { clone: base, net: { eth0: { bridge: vmbr0, ip: 10.0.0.52/24 } } }
""",
}


@pytest.fixture
def housing(converged: VmSite, scratch: Path) -> VmSite:
    """A machine on which containers are declared and none is made."""
    house(converged, scratch, GUESTS)
    return converged


def test_a_layer_its_clone_and_their_limits_mounts_and_snapshots_are_real(housing: VmSite) -> None:
    applied = housing.apply()

    assert applied.status == 0, applied
    on = housing.on_node
    assert on("lxc-ls --running -1") == "951\n952\n"
    # the layer's root disk and the clone's are datasets with a quota; the layer is sealed by a snapshot
    kinds = on("zfs list -Hpo name,refquota -r quickOS/lxc-disks -t filesystem").splitlines()
    assert {line.partition("\t")[0].rpartition("/")[2].partition("-disk")[0] for line in kinds[1:]} == {
        "subvol-900",
        "subvol-951",
        "subvol-952",
    }
    assert {line.partition("\t")[2] for line in kinds[1:]} == {str(64 << 20)}
    assert "quickOS/lxc-disks/subvol-900-disk-0@phoenix_layer\n" in on("zfs list -Ho name -t snapshot")
    # limits are the kernel's own control groups, of version 2, and have effect
    group = "/sys/fs/cgroup/lxc/951"
    assert on(f"cat {group}/memory.max {group}/memory.swap.max") == f"{64 << 20}\n0\n"
    hog = "head -c 100000000 /dev/zero | tail -n 1 >/dev/null"
    housing.try_on_node(f"lxc-attach -n 951 --clear-env -- timeout 60 sh -c '{hog}'")
    assert int(on(f"sed -n 's/^oom_kill //p' {group}/memory.events")) >= 1
    # a folder of the node's is nobody's in there, unless an owner was declared
    inside = "lxc-attach -n 951 --clear-env -- "
    assert "Permission denied" in housing.try_on_node(f"{inside}touch /mnt/theirs/mine")[1]
    on(f"{inside}su chat -c 'touch /mnt/ours/mine'")
    assert on("stat -c %u:%g /fastData/ours/mine") == "101000:101000\n"
    assert on(f"{inside}cat /etc/made /etc/chat.conf") == "once, in the layer\nport = 8000\n"
    on("ping -c 1 -W 5 10.0.0.51")

    refused = housing.try_on_node("pct snapshot 951 before")[1]  # for its folders of the node
    assert "snapshot feature is not available" in refused
    other = "lxc-attach -n 952 --clear-env -- "
    on(f"pct snapshot 952 before; {other}rm /etc/made; pct rollback 952 before; pct start 952")
    assert on(f"{other}cat /etc/made") == "once, in the layer\n"
    on("pct delsnapshot 952 before")
    second = housing.apply()
    assert (second.status, second.steps) == (0, []), second


def test_linked_clones_share_what_their_template_holds(housing: VmSite) -> None:
    layer = GUESTS["900-base"].replace("{ mode: snapshot }", "{ mode: template }")
    clone = GUESTS["952-web"].replace("clone: base,", "clone: base, clone_mode: linked,")
    assert (layer, clone) != (GUESTS["900-base"], GUESTS["952-web"])
    (housing.guests / "900-base.yaml").write_text(layer)
    (housing.guests / "952-web.yaml").write_text(clone)

    applied = housing.apply()

    assert applied.status == 0, applied
    origins = dict(
        line.split("\t")
        for line in housing.on_node("zfs list -Ho name,origin -r quickOS/lxc-disks").splitlines()
    )
    assert origins["quickOS/lxc-disks/subvol-952-disk-0"] == "quickOS/lxc-disks/basevol-900-disk-0@__base__"
    assert origins["quickOS/lxc-disks/subvol-951-disk-0"] == "-"
    assert housing.on_node("lxc-attach -n 952 --clear-env -- cat /etc/made") == "once, in the layer\n"
