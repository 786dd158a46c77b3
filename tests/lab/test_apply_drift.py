"""What somebody changes by hand is found with attribute, actual and desired, and put right alone."""

import pytest
from tests.lab.running import entry, statuses, steps

from phoenix_hypervisor.lab.drift import DRIFTS

NFS = "nfs_export:/fastData/shared-bulk-data"
NFS_FILE = "/etc/exports.d/phoenix-fastData.shared-bulk-data.exports"
OPTIONS = "hide,no_all_squash,no_subtree_check,{},sec=sys,secure,sync,wdelay"
READ_ONLY, READ_WRITE = OPTIONS.format("ro,root_squash"), OPTIONS.format("root_squash,rw")
SCRIPTS = "/var/lib/phoenix/scripts"
RELOAD = (
    "sh -c 'systemctl enable smbd && systemctl reload-or-restart smbd && rm -f /var/lib/phoenix/pending/smbd'"
)
SHARES = (
    "shared-prod-data",
    "shared-prod-data-sync",
    "shared-test-data",
    "shared-test-data-sync",
    "bulk-data",
)

REPAIRED = {
    "zfs-property": (
        {"zfs_dataset:fastData/heads-bulk-data": {"compression": ("gzip-9", "lz4")}},
        ["zfs set compression=lz4 fastData/heads-bulk-data"],
    ),
    "storage-content": (
        {"pve_storage:quickOS-vm-disks": {"content": ("rootdir", "images")}},
        ["pvesm set quickOS-vm-disks --content images"],
    ),
    "export-options": (
        {NFS: {"file 10.0.0.0/24": (READ_ONLY, READ_WRITE), "10.0.0.0/24": (READ_ONLY, READ_WRITE)}},
        [f"push {NFS_FILE}", "exportfs -ra"],
    ),
    "samba-share": (
        {"samba_share:bulk-data": {"guest ok": ("yes", "no"), "file guest ok": ("yes", "no")}},
        [
            "push /etc/samba/phoenix.d/bulk-data.conf",
            f"push {SCRIPTS}/samba_share/include.sh",
            f"sh {SCRIPTS}/samba_share/include.sh",
            RELOAD,
        ],
    ),
    "samba-password": (
        {"samba_user:heads": {"password": ("another one", "as declared")}},
        [f"push {SCRIPTS}/samba_user/heads.sh", f"sh {SCRIPTS}/samba_user/heads.sh"],
    ),
    "samba-user": (
        {"samba_user:heads": {"present": (False, True)}},
        [f"push {SCRIPTS}/samba_user/heads.sh", f"sh {SCRIPTS}/samba_user/heads.sh"],
    ),
    "arc-limit": (
        {"zfs_arc:phoenix": {"zfs_arc_max": ("1073741824", "34359738368")}},
        [f"push {SCRIPTS}/zfs_arc/limit.sh", f"sh {SCRIPTS}/zfs_arc/limit.sh"],
    ),
    "arc-limit-at-boot": (
        {
            "zfs_arc:phoenix": {
                "boot_zfs_arc_max": ("1073741824", "34359738368"),
                "initramfs_older_than_the_limit": (["/boot/initrd.img-6.14.11-4-pve"], []),
            }
        },
        ["push /etc/modprobe.d/zz-phoenix-zfs_arc.conf", "update-initramfs -u -k all"],
    ),
    "service-stopped": (
        {f"samba_share:{name}": {"active": ("inactive", "active")} for name in SHARES},
        [RELOAD],
    ),
}
NOT_OURS = {
    "foreign-export": ("exported", "/srv/somebody-elses  10.9.9.0/24("),
    "foreign-dataset": ("zfs", "fastData/somebody-elses\tmounted\tyes\t-"),
}


def test_every_drift_of_the_lab_is_tried_here():
    assert {*REPAIRED, *NOT_OURS, "degraded-pool"} == {*DRIFTS}


@pytest.mark.parametrize("name", REPAIRED)
def test_drift_is_found_repaired_where_it_is_and_then_gone(converged, right, name):
    changed, acts = REPAIRED[name]
    converged.drift(name)

    planned = converged.plan()
    found = {
        one["resource"].partition("/")[2]: {
            c["attribute"]: (c["actual"], c["desired"]) for c in one["changes"]
        }
        for one in planned["entries"]
        if one["changes"]
    }
    assert (planned["exit"], found) == (2, changed)

    with converged.acts() as done:
        applied = converged.apply()
    assert (applied["exit"], statuses(applied), done) == (0, {}, acts)
    assert {step["resource"].partition("/")[2] for step in applied["steps"]} <= changed.keys()
    assert converged.state() == right
    with converged.nothing_done():
        assert converged.run("apply", "--yes").status == 0


def test_a_degraded_pool_is_said_and_not_repaired(converged):
    converged.drift("degraded-pool")
    with converged.nothing_done():
        planned = converged.plan()
        applied = converged.run("apply", "--yes")
    pool = entry(planned, "zfs_pool:quickOS")
    assert planned["exit"] == 1
    assert pool["changes"] == [
        {"attribute": "health", "actual": "DEGRADED", "desired": "ONLINE", "relation": "=="}
    ]
    assert pool["refusals"] == [
        {"attribute": "health", "reason": "look at `zpool status`: a disk may need a person"}
    ]
    assert steps(planned) == []
    assert applied.status == 1
    assert "! not repaired: look at `zpool status`: a disk may need a person" in applied.out
    assert "DEGRADED" in converged.state()["zpool"]


@pytest.mark.parametrize("name", NOT_OURS)
def test_what_somebody_else_makes_is_neither_reported_nor_touched(converged, name):
    converged.drift(name)
    before = converged.state()
    part, line = NOT_OURS[name]
    assert line in before[part]
    with converged.nothing_done():
        planned = converged.run("plan", "--prune")
        applied = converged.run("apply", "--yes", "--prune")
    for ran in (planned, applied):
        assert (ran.status, ran.out, ran.err) == (0, "26 resources as declared, nothing to do\n", "")
    assert converged.state() == before
