"""ZFS itself, made and repaired by `phoenix apply` on blank virtual disks."""

from tests.vm.site import VmSite

DATASETS = "quickOS/shared-prod-data-sync fastData/shared-backups fastData/shared-bulk-data"
ASKED = "recordsize,compression,sync,quota,refquota,atime,xattr,acltype,dnodesize,snapdir,logbias,mounted"
# What each line of somebody's hand does, and which changes of which resource the plan should show for it:
# resource → attribute → (actual, desired).
BY_HAND = """\
zfs set quota=none refquota=200M recordsize=128K compression=gzip fastData/shared-backups
zfs set sync=disabled atime=on fastData/shared-backups
zfs set xattr=dir acltype=off dnodesize=legacy snapdir=hidden fastData/shared-bulk-data
zfs set mountpoint=/srv/other quickOS/shared-prod-data-sync
zfs set logbias=latency reservation=none refreservation=none relatime=on quickOS/shared-prod-data-sync
zfs set primarycache=all secondarycache=all redundant_metadata=all quickOS/shared-prod-data-sync
zfs set special_small_blocks=0 exec=on setuid=on devices=on quickOS/shared-prod-data-sync
zfs set canmount=noauto quickOS/shared-prod-data-sync
zfs unmount quickOS/lxc-disks
chown root:users /quickOS/shared-prod-data; chmod 755 /quickOS/shared-prod-data
zpool set autotrim=off quickOS; zpool set failmode=continue quickOS; zpool set autoexpand=on quickOS
zpool set comment=other quickOS
echo 268435456 >/sys/module/zfs/parameters/zfs_arc_max
echo 0 >/sys/module/zfs/parameters/zfs_arc_min
echo 'options zfs zfs_arc_max=1073741824' >/etc/modprobe.d/zzz-somebody.conf
usermod -c Nobody heads
printf 'x\\nx\\n' | smbpasswd -s heads
sed -i 's/rw,/ro,/' /etc/exports.d/phoenix-*.exports; exportfs -ra
sed -i 's/create mask = .*/create mask = 0600/' /etc/samba/phoenix.d/prod.conf
sed -i '/shared-backups$/,/^$/s/content .*/content iso/' /etc/pve/storage.cfg
systemctl disable --now --quiet smbd; systemctl stop nfs-server
"""
SEEN = {
    "zfs_dataset:fastData/shared-backups": {
        "recordsize": ("131072", "1048576"),
        "compression": ("gzip", "zstd"),
        "sync": ("disabled", "standard"),
        "quota": ("0", "314572800"),
        "refquota": ("209715200", "262144000"),
        "atime": ("on", "off"),
    },
    "zfs_dataset:fastData/shared-bulk-data": {
        "xattr": ("dir", "on"),
        "acltype": ("off", "posix"),
        "dnodesize": ("legacy", "auto"),
        "snapdir": ("hidden", "visible"),
    },
    "zfs_dataset:quickOS/shared-prod-data-sync": {
        "mountpoint": ("/srv/other", "/srv/sync"),
        "logbias": ("latency", "throughput"),
        "reservation": ("0", "4194304"),
        "refreservation": ("0", "2097152"),
        "relatime": ("on", "off"),
        "primarycache": ("all", "metadata"),
        "secondarycache": ("all", "none"),
        "redundant_metadata": ("all", "most"),
        "special_small_blocks": ("0", "4096"),
        "exec": ("on", "off"),
        "setuid": ("on", "off"),
        "devices": ("on", "off"),
        "canmount": ("noauto", "on"),
    },
    "zfs_dataset:quickOS/lxc-disks": {"mounted": ("no", "yes")},
    "zfs_dataset:quickOS/shared-prod-data": {
        "owner": ("root", "heads"),
        "group": ("users", "heads"),
        "mode": ("755", "770"),
    },
    "zfs_pool:quickOS": {
        "autotrim": ("off", "on"),
        "autoexpand": ("on", "off"),
        "failmode": ("continue", "wait"),
        "comment": ("other", "what must not be lost"),
    },
}
ALSO_SEEN = {
    "zfs_arc:phoenix",
    "unix_user:heads",
    "samba_user:heads",
    "nfs_export:/fastData/shared-bulk-data",
    "samba_share:prod",
    "pve_storage:fastData-shared-backups",
}


def test_blank_disks_become_what_is_declared_and_a_second_apply_does_nothing(
    converged: VmSite, first_apply
) -> None:
    assert first_apply.status == 0
    assert set(first_apply.document["resources"].values()) == {"ok"}
    values = converged.on_node(f"zfs get -Hpo name,property,value {ASKED} {DATASETS}").splitlines()
    said = {tuple(line.split("\t")[:2]): line.split("\t")[2] for line in values}
    assert {
        prop: said["fastData/shared-backups", prop] for prop in ("recordsize", "compression", "quota")
    } == {
        "recordsize": str(1 << 20),
        "compression": "zstd",
        "quota": str(300 << 20),
    }
    assert said["quickOS/shared-prod-data-sync", "sync"] == "always"
    # 2.3 tells `xattr=sa` as `on`, and `acltype=posixacl` as `posix`
    assert [said["fastData/shared-bulk-data", prop] for prop in ("xattr", "acltype", "mounted")] == [
        "on",
        "posix",
        "yes",
    ]
    assert converged.on_node("cat /sys/module/zfs/parameters/zfs_arc_max") == f"{128 << 20}\n"
    kept = converged.on_node("zpool list -Ho name,health; findmnt -no FSTYPE /fastData/shared-bulk-data")
    assert kept == "fastData\tONLINE\nquickOS\tONLINE\nzfs\n"

    second = converged.apply()
    assert (second.status, second.steps) == (0, [])
    verified = converged.run("verify")
    assert verified.status == 0, verified


def test_quotas_extended_attributes_and_lists_of_access_have_effect(converged: VmSite) -> None:
    full = converged.try_on_node("head -c 6M /dev/urandom >/fastData/small/big; sync")
    assert full[0] != 0
    assert "Disk quota exceeded" in full[1]
    said = converged.on_node(
        "cd /fastData/shared-bulk-data; touch one; setfacl -m u:heads:rw one;"
        "setfattr -n user.from -v lab one;"
        "getfacl -c --absolute-names one | grep heads; getfattr --only-values -n user.from one"
    )
    assert said == "user:heads:rw-\nlab"


def test_what_is_changed_by_hand_is_shown_value_by_value_and_repaired(converged: VmSite) -> None:
    converged.on_node(BY_HAND)

    planned = converged.run("plan", "--json")

    assert planned.status == 2, planned
    entries = {
        one["resource"].partition("/")[2]: one for one in planned.document["entries"] if one["changes"]
    }
    shown = {
        ref: {one["attribute"]: (one["actual"], one["desired"]) for one in entry["changes"]}
        for ref, entry in entries.items()
    }
    assert {ref: shown.get(ref) for ref in SEEN} == SEEN
    assert set(entries) == {*SEEN, *ALSO_SEEN}
    applied = converged.apply()
    # a file of somebody else's that is read after ours is a person's to decide on
    assert "zfs_arc:phoenix" in applied.err + applied.out
    converged.on_node("rm /etc/modprobe.d/zzz-somebody.conf")
    again = converged.apply()
    assert (again.status, again.steps) == (0, []), again
    verified = converged.run("verify")
    assert verified.status == 0, verified


def test_a_pool_that_lost_a_disk_fails_verify_and_nothing_is_done_about_it(converged: VmSite) -> None:
    before = converged.on_node("zpool history quickOS | grep -c .")
    converged.on_node(
        "disk=$(basename $(readlink /dev/disk/by-id/nvme-LAB_B)); echo 1 >/sys/block/$disk/device/delete;"
        "echo kept >/quickOS/shared-prod-data/file; sync; zpool sync quickOS"
    )
    assert converged.on_node("zpool list -Ho health quickOS") == "DEGRADED\n"

    verified = converged.run("verify", "-k", "quickOS")
    applied = converged.apply()

    assert verified.status == 1
    assert "DEGRADED" in verified.out
    assert applied.status == 1
    assert applied.steps == []
    assert "DEGRADED" in applied.out
    assert converged.on_node("zpool list -Ho health quickOS; cat /quickOS/shared-prod-data/file") == (
        "DEGRADED\nkept\n"
    )
    assert converged.on_node("zpool history quickOS | grep -c .") == before
