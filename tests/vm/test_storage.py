"""ZFS itself, made and repaired by `phoenix apply` on blank virtual disks."""

from tests.vm import sequence
from tests.vm.recording import Use, recorded, written
from tests.vm.site import Result, VmSite

from phoenix_hypervisor.dialects import zfs

DATASETS = "quickOS/shared-prod-data-sync fastData/shared-backups fastData/shared-bulk-data"
ASKED = "recordsize,compression,sync,quota,refquota,atime,xattr,acltype,dnodesize,snapdir,logbias,mounted"
# What each line of somebody's hand does, and which changes of which resource the plan should show for it:
# resource → attribute → (actual, desired).
BY_HAND = """\
zfs set quota=none refquota=200M recordsize=128K compression=gzip \\
    sync=disabled atime=on fastData/shared-backups
zfs set xattr=dir acltype=off dnodesize=legacy snapdir=hidden fastData/shared-bulk-data
zfs set mountpoint=/srv/other quickOS/shared-prod-data-sync
zfs set logbias=latency reservation=none refreservation=none relatime=on primarycache=all \\
    secondarycache=all redundant_metadata=all special_small_blocks=0 exec=on setuid=on devices=on \\
    quickOS/shared-prod-data-sync
zfs set canmount=noauto quickOS/shared-prod-data-sync
zfs set logbias=throughput fastData/small
zfs unmount quickOS/lxc-disks
chown root:users /quickOS/shared-prod-data; chmod 755 /quickOS/shared-prod-data
zpool set autotrim=off quickOS; zpool set failmode=continue quickOS; zpool set autoexpand=on quickOS
zpool set comment=other quickOS
echo 268435456 >/sys/module/zfs/parameters/zfs_arc_max
echo 0 >/sys/module/zfs/parameters/zfs_arc_min
sed -i 's/_max=.*/_max=1073741824/' /etc/modprobe.d/zz-phoenix-zfs_arc.conf
usermod -c Nobody -s /bin/sh -G video -e 2098-12-31 heads
printf 'x\\nx\\n' | smbpasswd -s heads; smbpasswd -d heads
sed -i 's/rw,/ro,/' /etc/exports.d/phoenix-*.exports; exportfs -ra
sed -i 's/content backup/content iso/; s/nodes phoenix/nodes other/' /etc/pve/storage.cfg
sed -i 's/shared 0/shared 1/; s/is_mountpoint 1/is_mountpoint 0/; s/sparse 1/sparse 0/' /etc/pve/storage.cfg
printf '[prod]\\npath = /srv\\nguest ok = yes\\nmax connections = 5\\n' >/etc/samba/phoenix.d/prod.conf
cd /etc/systemd/system/multi-user.target.wants; rm smbd.service nfs-server.service; systemctl daemon-reload
systemctl stop smbd nfs-server
"""
EXPORTED = "hide,no_all_squash,no_subtree_check,root_squash,rw,sec=sys,secure,sync,wdelay"
LEFT_OUT = {
    "browseable": ("yes", "no"),
    "comment": ("", "What is kept"),
    "create mask": ("0744", "0660"),
    "directory mask": ("0755", "0770"),
    "force group": ("", "heads"),
    "force user": ("", "heads"),
    "read only": ("yes", "no"),
    "valid users": ("", "heads"),
}
"""What the share has by default, and what is declared."""
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
    "zfs_dataset:fastData/small": {"logbias": ("throughput", None)},
    "zfs_pool:quickOS": {
        "autotrim": ("off", "on"),
        "autoexpand": ("on", "off"),
        "failmode": ("continue", "wait"),
        "comment": ("other", "what must not be lost"),
    },
    "zfs_arc:phoenix": {
        "zfs_arc_max": ("268435456", "134217728"),
        "zfs_arc_min": ("0", "67108864"),
        "boot_zfs_arc_max": ("1073741824", "134217728"),
        "boot_zfs_arc_min": (None, "67108864"),
        "initramfs_older_than_the_limit": (["/boot/initrd.img-6.14.11-4-pve"], []),
    },
    "unix_user:heads": {
        "comment": ("Nobody", "Owner of the shares"),
        "shell": ("/bin/sh", "/usr/sbin/nologin"),
        "groups": (["video"], ["users"]),
        "expires": ("2098-12-31", "2099-12-31"),
    },
    "samba_user:heads": {"enabled": (True, False), "password": ("another one", "as declared")},
    "nfs_export:/fastData/shared-bulk-data": {
        "active": ("inactive", "active"),
        "enabled": ("disabled", "enabled"),
        "file 10.0.0.0/24": (EXPORTED.replace("root_squash,rw", "ro,root_squash"), EXPORTED),
        "10.0.0.0/24": (None, EXPORTED),
    },
    "pve_storage:quickOS-lxc-disks": {"sparse": ("0", "1")},
    "pve_storage:fastData-shared-backups": {
        "content": ("iso", "backup"),
        "is_mountpoint": ("0", "1"),
        "nodes": ("other", "phoenix"),
        "shared": ("1", "0"),
    },
    "samba_share:prod": {
        "active": ("inactive", "active"),
        "enabled": ("disabled", "enabled"),
        "path": ("/srv", "/quickOS/shared-prod-data"),
        "file path": ("/srv", "/quickOS/shared-prod-data"),
        "guest ok": ("yes", "no"),
        "file guest ok": ("yes", "no"),
        "max connections": ("5", "20"),
        "file max connections": ("5", "20"),
        **{
            name: (actual if not name.startswith("file ") else None, desired)
            for field, (actual, desired) in LEFT_OUT.items()
            for name in (field, f"file {field}")
        },
    },
}
# All of it, as the tools tell it without us.
STATE = f"""\
zpool get -Hpo name,property,value autotrim,autoexpand,comment,failmode
zfs get -Hpo name,property,value -t filesystem {",".join(zfs.PROPERTIES)},mounted
stat -c '%U %G %a %n' /quickOS/shared-prod-data
cat /sys/module/zfs/parameters/zfs_arc_m??
modprobe --showconfig | grep '^options zfs '
getent passwd heads; id -nG heads; awk -F: '$1 == "heads" {{ print $8 }}' /etc/shadow
pdbedit -L -w | cut -d: -f1-5
exportfs -s
testparm -s --suppress-prompt 2>/dev/null
tr ' ,\\t' '\\n' </etc/pve/storage.cfg | sort
systemctl is-active smbd nfs-server; systemctl is-enabled smbd nfs-server
"""
# Of these the answers tell of the machine that they are asked on.
OF_THE_MACHINE = {
    ("uname", "", ("-r",)),  # the kernel
    ("lspci", "", ("-Dvmmnnk",)),  # what is plugged in
    ("locale", "", ("-a",)),
}


def test_blank_disks_become_what_is_declared_and_a_second_apply_does_nothing(
    converged: VmSite, first_apply: Result
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
    kept = converged.on_node(
        "zpool list -Ho name,health; findmnt -no FSTYPE /fastData/shared-bulk-data;"
        "zpool status quickOS | grep -c mirror-0;"
        "awk '$1 == \"c_max\" { print $3 }' /proc/spl/kstat/zfs/arcstats"
    )
    assert kept == f"fastData\tONLINE\nquickOS\tONLINE\nzfs\n1\n{128 << 20}\n"

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


def test_what_is_changed_by_hand_is_shown_value_by_value_and_repaired(
    converged: VmSite, uses: set[Use]
) -> None:
    before = converged.on_node(STATE)
    converged.on_node(BY_HAND)

    with recorded(converged, uses):
        planned = converged.run("plan", "--json")
        applied = converged.apply()

    assert planned.status == 2, planned
    shown = {
        entry["resource"].partition("/")[2]: {
            one["attribute"]: (one["actual"], one["desired"]) for one in entry["changes"]
        }
        for entry in planned.document["entries"]
        if entry["changes"]
    }
    assert shown == SEEN
    changed = {name for ref, found in SEEN.items() if ref.startswith("zfs_dataset:") for name in found}
    assert changed == {*zfs.PROPERTIES, "mounted", "owner", "group", "mode"}
    assert applied.status == 0, applied
    assert set(applied.document["resources"].values()) == {"ok"}
    assert converged.on_node(STATE) == before
    # what the first apply called is among them, so what made all of it; and probes were not left out
    assert {("zpool", "create", "ashift"), ("zfs", "set", "quota"), ("smbpasswd", "", ("-a", "-s"))} < uses
    assert {("mount", "", "vers"), ("smbclient", "", ("-A", "-c"))} < uses
    compared = {use for lines in sequence.PARTS.values() for use in written(lines.splitlines())}
    assert uses - compared - OF_THE_MACHINE == set()


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
