"""Disks that hold anything are refused, and stay as they are byte for byte."""

from tests.vm.site import VmSite

POOLS = """\
zfs_pool:
  files: { vdevs: [{ type: stripe, disks: [nvme-LAB_D] }] }
  parts: { vdevs: [{ type: stripe, disks: [nvme-LAB_E] }] }
  other: { vdevs: [{ type: mirror, disks: [nvme-LAB_A, nvme-LAB_F] }] }
"""
FILLED = """\
udevadm settle
mke2fs -q -t ext4 /dev/disk/by-id/nvme-LAB_D
echo 'label: gpt
size=32M' | sfdisk -q /dev/disk/by-id/nvme-LAB_E
zpool create -m none foreign /dev/disk/by-id/nvme-LAB_F
zpool export foreign
udevadm settle
"""
# cksum is the quickest here, and nobody who writes by mistake chooses what has the same sum.
SUMS = """\
sync
echo 3 >/proc/sys/vm/drop_caches
for disk in D E F; do cksum <"/dev/disk/by-id/nvme-LAB_$disk"; done
"""


def test_a_file_system_a_partition_table_and_a_foreign_pool_are_refused(blank: VmSite) -> None:
    blank.declare(POOLS)
    # the first apply finds blank disks; they are filled between its look and its first step
    blank.faults.set("change-before", 1, f"{FILLED}({SUMS}) >/root/sums")

    surprised = blank.apply()
    planned = blank.run("plan")
    applied = blank.apply("--host", "phoenix")

    # the script by which a pool is made refuses by itself
    assert surprised.status == 1
    tried = [
        step for step in surprised.document["steps"] if ":" in step["resource"] and "zpool" in step["title"]
    ]
    assert {step["resource"].rpartition(":")[2] for step in tried} == {"files", "parts", "other"}
    for disk in "DEF":
        assert f"nvme-LAB_{disk} is not blank" in surprised.out
    # and whoever looks first does not even try
    assert planned.status == 1, planned
    for disk, holds in (("D", "ext4"), ("E", "gpt"), ("F", "gpt")):
        (line,) = [
            line for line in planned.out.splitlines() if f"nvme-LAB_{disk}" in line and "blank" in line
        ]
        assert holds in line
    assert applied.status == 1
    assert [step for step in applied.steps if "zpool" in step] == []
    before = blank.on_node("cat /root/sums")
    assert len(set(before.splitlines())) == 3
    assert blank.on_node(SUMS) == before
    assert blank.on_node("zpool list -Ho name; wipefs -n /dev/disk/by-id/nvme-LAB_A") == ""


CUT = """\
for disk in D E; do
    zpool create left /dev/disk/by-id/nvme-LAB_$disk
    zpool destroy left
    udevadm settle
    zpool labelclear -f /dev/disk/by-id/nvme-LAB_$disk-part1
done
zpool create -o ashift=12 -O mountpoint=/whole whole /dev/disk/by-id/nvme-LAB_F
echo kept >/whole/kept
zpool export whole
mkdir -p /var/lib/phoenix/begun/zfs_pool
printf '%s\\n' nvme-LAB_D nvme-LAB_E >/var/lib/phoenix/begun/zfs_pool/half
echo nvme-LAB_F >/var/lib/phoenix/begun/zfs_pool/whole
udevadm settle
"""
BEGUN = """\
zfs_pool:
  half: { vdevs: [{ type: mirror, disks: [nvme-LAB_D, nvme-LAB_E] }] }
  whole: { vdevs: [{ type: stripe, disks: [nvme-LAB_F] }] }
"""


def test_pools_whose_making_was_cut_are_made_again_or_imported(blank: VmSite) -> None:
    blank.declare(BEGUN)
    blank.on_node(CUT)

    applied = blank.apply("--host", "phoenix")

    assert applied.status == 0, applied
    steps = [step.partition(": ")[2] for step in applied.steps if "zpool" in step]
    verbs = [" ".join(step.split()[:2]) for step in steps]
    assert sorted(verbs) == ["zpool create", "zpool import", "zpool set"]
    assert blank.on_node("zpool list -Ho name,health") == "half\tONLINE\nwhole\tONLINE\n"
    assert blank.on_node("zfs get -Ho value phoenix:pool whole") == "yes\n"
    assert blank.on_node("cat /whole/kept; ls /var/lib/phoenix/begun/zfs_pool") == "kept\n"
