"""A node that is not as one would wish: each trouble is named, and what is not ours is left as it is."""

import hashlib
import json
import os

import pytest
from tests.lab.running import NODE_FILE, Sort, entry, statuses, steps

FAST = "nvme-Samsung_SSD_990_EVO_Plus_4TB_S7U8NJ0Y000003C"
QUICK = "nvme-Samsung_SSD_990_EVO_Plus_2TB_S7U8NJ0Y00000{}"
NFS, SHARE = "nfs_export:/fastData/shared-bulk-data", "samba_share:bulk-data"
NFS_FILE = "/etc/exports.d/phoenix-fastData.shared-bulk-data.exports"


# Disks


def disk(site, by_id):
    """The file behind a disk of the node."""
    rows = json.loads((site.node.folder / "phoenix-lab.json").read_text())["disks"]
    return site.node.folder / "disks" / next(kname for kname, name in rows if name == by_id)


def fingerprint(path):
    """A digest over everything that was ever written to a sparse file."""
    digest, place = hashlib.sha256(), 0
    with path.open("rb") as file:
        while True:
            try:
                place = os.lseek(file.fileno(), place, os.SEEK_DATA)
            except OSError:  # nothing but a hole up to the end
                return digest.hexdigest()
            end = os.lseek(file.fileno(), place, os.SEEK_HOLE)
            file.seek(place)
            digest.update(b"%d:" % place + file.read(end - place))
            place = end


def take_out(site):
    marker = site.node.folder / "phoenix-lab.json"
    content = json.loads(marker.read_text())
    content["disks"] = [row for row in content["disks"] if row[1] != FAST]
    marker.write_text(json.dumps(content))


def mount(site):
    path = site.node.root / "var/lib/phoenix-lab/model.json"
    model = json.loads(path.read_text())
    model["disks"]["nvme2n1"]["mountpoint"] = "/srv/old"
    path.write_text(json.dumps(model))


def write(site, *places):
    with disk(site, FAST).open("r+b") as file:
        for place, content in places:
            file.seek(place)
            file.write(content)


def put_ext4(site):
    write(site, (0x438, b"\x53\xef"), (0x45C, b"\x04\0\0\0\x40"), (0x468, bytes(range(16))))


def put_dos_table(site):
    partition = b"\0\0\0\0\x83\0\0\0" + (2048).to_bytes(4, "little") + (409600).to_bytes(4, "little")
    write(site, (446, partition), (510, b"\x55\xaa"))


def put_foreign_pool(site):
    site.on_node(f"zpool create other /dev/disk/by-id/{FAST} && zpool export other")


TAKEN = {
    "is missing": (take_out, "missing"),
    "is mounted": (mount, "mounted at /srv/old"),
    "carries a file system": (put_ext4, "ext4"),
    "carries a partition table": (put_dos_table, "a partition table (dos), the partition nvme2n1p1"),
    "belongs to a pool of somebody else": (
        put_foreign_pool,
        "a partition table (gpt), the partition nvme2n1p1, the partition nvme2n1p9",
    ),
}


@pytest.mark.parametrize("trouble", TAKEN)
def test_a_disk_that_is_not_blank_is_refused_with_its_contents_named(fresh, trouble):
    make, contents = TAKEN[trouble]
    file = disk(fresh, FAST)
    make(fresh)
    before = fingerprint(file)
    with fresh.nothing_done():
        planned = fresh.plan("--target", "zfs_pool:fastData")
        applied = fresh.run("apply", "--yes", "--target", "zfs_pool:fastData")
    pool = entry(planned, "zfs_pool:fastData")
    assert (planned["exit"], pool["steps"], pool["refusals"]) == (
        1,
        [],
        [{"attribute": "disks", "reason": f"only blank disks are taken, but {FAST}: {contents}"}],
    )
    assert applied.status == 1
    assert f"! not repaired: only blank disks are taken, but {FAST}: {contents}" in applied.out
    assert fingerprint(file) == before


def test_the_script_itself_refuses_a_disk_that_got_contents_after_the_plan(fresh):
    fresh.fault(Sort.CHANGE, 2, f"zpool create other /dev/disk/by-id/{FAST} && zpool export other")
    applied = fresh.apply("--target", "zfs_pool:fastData")
    assert applied["exit"] == 1
    (reason,) = applied["stuck"].values()
    assert f"pool fastData is not made: /dev/disk/by-id/{FAST} is not blank" in reason
    assert fresh.on_node("zpool import | grep pool:").split() == ["pool:", "other"]


CUT = f"""\
zpool create left /dev/disk/by-id/{QUICK.format("1A")}
zpool destroy left
zpool labelclear -f /dev/disk/by-id/{QUICK.format("1A")}-part1
zpool create -o ashift=12 fastData /dev/disk/by-id/{FAST}
zpool export fastData
"""
"""What two `zpool create` leave: one cut after a disk was partitioned, one at its very end."""
NOTE = """\
mkdir -p /var/lib/phoenix/begun/zfs_pool
printf '%s\\n' {} >/var/lib/phoenix/begun/zfs_pool/{}
"""


def test_a_pool_whose_making_was_cut_is_gone_on_with_and_one_that_others_began_is_refused(fresh, right):
    fresh.on_node(CUT)
    fresh.on_node(NOTE.format(QUICK.format("1A"), "quickOS"))  # begun, but not of these disks
    with fresh.nothing_done():
        planned = fresh.plan("--target", "zfs_pool:quickOS", "--target", "zfs_pool:fastData")
    for pool, by_id in (("quickOS", QUICK.format("1A")), ("fastData", FAST)):
        (refusal,) = entry(planned, f"zfs_pool:{pool}")["refusals"]
        assert f"only blank disks are taken, but {by_id}: a partition table (gpt)" in refusal["reason"]
    fresh.on_node(NOTE.format(f"{QUICK.format('1A')} {QUICK.format('2B')}", "quickOS"))
    fresh.on_node(NOTE.format(FAST, "fastData"))
    planned = fresh.plan("--target", "zfs_pool:quickOS", "--target", "zfs_pool:fastData")
    done = {pool: entry(planned, f"zfs_pool:{pool}")["steps"][0]["title"] for pool in ("quickOS", "fastData")}
    assert done["quickOS"].startswith("zpool create -o ashift=12 ")
    assert done["fastData"] == f"zpool import -d /dev/disk/by-id/{FAST}-part1 fastData"

    applied = fresh.apply()

    assert applied["stuck"] == {}
    assert (applied["exit"], statuses(applied)) == (0, {})
    assert fresh.on_node("ls -A /var/lib/phoenix/begun/zfs_pool") == ""
    assert fresh.state() == right


def test_a_note_that_a_pool_is_being_made_is_taken_away_once_it_is_there(converged, right):
    converged.on_node("zfs inherit phoenix:pool fastData")
    converged.on_node(NOTE.format(FAST, "fastData"))
    applied = converged.apply()
    done = "zfs set phoenix:pool=yes fastData; rm -f /var/lib/phoenix/begun/zfs_pool/fastData"
    assert (applied["exit"], steps(applied)) == (0, [done])
    assert converged.on_node("ls -A /var/lib/phoenix/begun/zfs_pool") == ""
    assert converged.state() == right


def test_a_pool_with_another_layout_is_reported_and_left(fresh):
    one, two = (f"/dev/disk/by-id/{QUICK.format(letter)}" for letter in ("1A", "2B"))
    fresh.on_node(f"zpool create -o ashift=12 -o autotrim=on quickOS {one} {two}")
    with fresh.nothing_done():
        planned = fresh.plan("--target", "zfs_pool:quickOS")
        applied = fresh.run("apply", "--yes", "--target", "zfs_pool:quickOS")
    pool = entry(planned, "zfs_pool:quickOS")
    mirror = [["mirror", [QUICK.format("1A"), QUICK.format("2B")]]]
    assert [(c["attribute"], c["desired"]) for c in pool["changes"]] == [("layout", mirror)]
    assert pool["refusals"] == [
        {
            "attribute": "layout",
            "reason": "a pool's layout is never changed: compare the cables and the files",
        }
    ]
    assert (planned["exit"], applied.status) == (1, 1)


# What cannot be changed


def test_a_quota_below_what_is_used_is_said_and_the_other_changes_are_made(converged):
    converged.on_node("head -c 9000000 /dev/urandom > /quickOS/vm-disks/blob")
    converged.edit(NODE_FILE, ("recordsize: 128K, quota: 600G", "recordsize: 64K, quota: 4M"))
    applied = converged.apply()
    planned = applied["plan"]
    (refusal,) = entry(planned, "zfs_dataset:quickOS/vm-disks")["refusals"]
    assert refusal["attribute"] == "quota"
    assert refusal["reason"].startswith("quota 4194304 is below what is used (")
    assert steps(applied) == ["zfs set recordsize=64K quickOS/vm-disks"]
    assert applied["exit"] == 1
    said = converged.on_node("zfs get -Hpo value quota,recordsize quickOS/vm-disks")
    assert said.split() == [str(600 * 2**30), str(64 * 2**10)]


def test_a_storage_of_another_type_under_our_id_is_reported_and_left(converged):
    converged.on_node(
        "pvesm remove quickOS-vm-disks; pvesm add dir quickOS-vm-disks --path /srv --content images"
    )
    with converged.nothing_done():
        planned = converged.plan()
        applied = converged.run("apply", "--yes")
    assert (planned["exit"], applied.status, steps(planned)) == (1, 1, [])
    assert entry(planned, "pve_storage:quickOS-vm-disks")["refusals"] == [
        {
            "attribute": "type",
            "reason": "storage `quickOS-vm-disks` has type dir, not zfspool; Proxmox cannot change it",
        }
    ]


# What somebody else wrote into the same files


FOREIGN = r"""
printf '# keep\n/srv\t*(ro,no_subtree_check)  # why\n' >> /etc/exports
mkdir -p /etc/exports.d; printf '"/srv/with space" 10.1.0.0/16(ro)\n' > /etc/exports.d/lab.exports
printf '\n; theirs\n[Theirs]\n\tpath = /srv\n   comment = kept ; as it is\n' >> /etc/samba/smb.conf
printf '\ndir: theirs\n\tpath /srv\n\tcontent iso\n\tmaxfiles 0\n' >> /etc/pve/storage.cfg
printf 'options zfs zfs_arc_max=1 # theirs\n' > /etc/modprobe.d/zfs.conf
"""
CONFLICT = r"""
printf '/fastData/shared-bulk-data\t10.0.0.0/24(ro,no_subtree_check)\n' >> /etc/exports
printf '\n[Bulk-Data]\n   path = /srv\n' >> /etc/samba/smb.conf
"""
THEIRS = ("etc/exports", "etc/samba/smb.conf", "etc/modprobe.d/zfs.conf")


def test_lines_of_others_are_kept_byte_for_byte_and_conflicts_are_said(fresh):
    fresh.on_node(FOREIGN + CONFLICT)
    read = {name: (fresh.node.root / name).read_bytes() for name in THEIRS}
    applied = fresh.apply()
    assert applied["exit"] == 1
    assert statuses(applied) == {NFS: "drift", SHARE: "drift"}
    assert applied["stuck"] == {
        f"phoenix/{NFS}": "somebody else exports /fastData/shared-bulk-data already, "
        "to 10.0.0.0/24 in /etc/exports",
        f"phoenix/{SHARE}": "somebody else's smb.conf defines the share [bulk-data] already",
    }
    announced = entry(applied["plan"], NFS)["steps"] + entry(applied["plan"], SHARE)["steps"]
    assert announced == []
    root = fresh.node.root
    assert (root / "etc/exports").read_bytes() == read["etc/exports"]
    assert (root / "etc/modprobe.d/zfs.conf").read_bytes() == read["etc/modprobe.d/zfs.conf"]
    smb = (root / "etc/samba/smb.conf").read_bytes()
    assert smb == read["etc/samba/smb.conf"] + b"include = /etc/samba/phoenix.conf\n"
    assert (root / "etc/exports.d/lab.exports").read_text() == '"/srv/with space" 10.1.0.0/16(ro)\n'
    storages = (root / "etc/pve/storage.cfg").read_text()
    assert "dir: theirs\n\tpath /srv\n\tcontent iso\n\tmaxfiles 0\n" in storages
    assert not (root / NFS_FILE[1:]).exists()
    assert not (root / "etc/samba/phoenix.d/bulk-data.conf").exists()


def test_a_conflict_that_comes_later_is_said_and_our_own_is_left_too(converged):
    converged.on_node(CONFLICT)
    with converged.nothing_done():
        applied = converged.apply()
    refusals = {ref: entry(applied["plan"], ref)["refusals"][0]["attribute"] for ref in (NFS, SHARE)}
    assert (applied["exit"], refusals) == (1, {NFS: "foreign", SHARE: "foreign"})


# A node that cannot be asked


def test_a_node_that_refuses_is_unknown_and_nothing_is_planned(converged):
    converged.fault(Sort.REFUSE)
    with converged.nothing_done():
        planned = converged.run("plan")
        applied = converged.run("apply", "--yes")
    said = "? host `phoenix` cannot be reached: Connection refused (a fault of the lab)"
    assert (planned.status, planned.out.splitlines()[0]) == (3, said)
    assert applied.status == 3
    assert "cannot be reached: Connection refused (a fault of the lab)" in applied.out + applied.err


def test_a_node_that_is_not_up_is_said_with_how_to_make_it(fresh):
    fresh.node.down()
    planned = fresh.run("plan")
    assert planned.status == 3
    assert planned.out.startswith(
        "? host `phoenix`: the lab node is not up\n  hint: `phoenix lab up phoenix`\n"
    )


def test_a_missing_tool_is_not_drift_and_the_rest_is_still_repaired(converged):
    converged.on_node("mv /usr/local/sbin/exportfs /root/")
    converged.drift("storage-content")
    planned = converged.plan()
    assert planned["exit"] == 3
    nfs = entry(planned, NFS)
    assert (nfs["status"], nfs["changes"], nfs["steps"]) == ("unknown", [], [])
    assert nfs["reasons"] == ["served: a tool is missing on the host: sh: 1: eval: exportfs: not found"]
    applied = converged.apply()
    assert steps(applied) == ["pvesm set quickOS-vm-disks --content images"]
    assert (applied["exit"], statuses(applied)) == (3, {NFS: "unknown"})


# Trouble in the middle


def test_a_full_disk_leaves_the_old_file_whole_and_no_new_one(converged):
    converged.drift("export-options")
    file = converged.node.root / NFS_FILE[1:]
    before = file.read_bytes()
    converged.fault(Sort.FULL, 0, "/etc/exports.d")
    applied = converged.apply()
    (reason,) = applied["stuck"].values()
    assert (applied["exit"], statuses(applied)) == (1, {NFS: "drift"})
    assert reason == f"`write {NFS_FILE}` ended with 1: cat: write error: No space left on device"
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    converged.faults.clear()
    assert converged.run("apply", "--yes").status == 0


@pytest.mark.parametrize(
    ("fault", "why"),
    [(Sort.HANG, "no answer for 8 seconds"), (Sort.DROP, "the connection ended")],
)
def test_a_connection_lost_before_a_step_leaves_all_of_the_host_unknown(converged, fault, why):
    converged.edit("inventory/defaults.yaml", ("command_seconds: 300", "command_seconds: 8"))
    for name in ("zfs-property", "storage-content"):
        converged.drift(name)
    converged.fault(fault, 2)
    with converged.acts() as done:
        applied = converged.apply()
    assert done == ["zfs set compression=lz4 fastData/heads-bulk-data"]
    assert applied["exit"] == 3
    assert set(applied["resources"].values()) == {"unknown"}
    again = converged.apply()
    assert (again["exit"], steps(again)) == (0, ["pvesm set quickOS-vm-disks --content images"])
