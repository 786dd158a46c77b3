"""A node built by hand, without a file of ours → `phoenix adopt` → files whose plan is empty."""

import os

import pytest
from tests.lab.containers import ADDRESS, DISKS, NODE, PCI
from tests.lab.running import LabSite

from phoenix_hypervisor.errors import PhoenixError
from phoenix_hypervisor.lab.node import Gpu
from phoenix_hypervisor.lab.site import lab_node
from phoenix_hypervisor.observe.kinds_page import yaml

ALPINE = "ubuntu-24.04-standard_24.04-2_amd64.tar.zst"
BY_HAND = f"""
set -e
zpool create -o ashift=12 -o autotrim=on -O compression=zstd tank mirror \
    /dev/disk/by-id/{DISKS[0].by_id} /dev/disk/by-id/{DISKS[1].by_id}
zfs create tank/guests
zfs create -o recordsize=1M -o quota=2G -o atime=off -o xattr=sa -o acltype=posixacl tank/models
zfs create tank/models/small
zfs create -o mountpoint=/srv/archives tank/archives
zfs create -o canmount=noauto -o sync=always tank/later
zfs create -V 64M tank/by-hand
chown nobody:nogroup /tank/models
chmod 2770 /tank/models
mkdir -p /var/elsewhere
pvesm add zfspool guests --pool tank/guests --content images,rootdir --sparse 1
pvesm add dir archives --path /srv/archives --content vztmpl,iso,backup --is_mountpoint 1 \
    --prune-backups keep-last=3
pvesm add dir strange --path /var/lib/strange --content iso
pveam update >/dev/null
pveam download archives {ALPINE} >/dev/null
mkdir -p /etc/exports.d
echo '/tank/models 10.0.0.0/24(rw,no_subtree_check)' >>/etc/exports
printf '[films]\\n    path = /tank/models\\n' >>/etc/samba/smb.conf
pveum group add devs --comment people
pveum role add Restarter --privs 'VM.PowerMgmt VM.Audit'
pveum user add ada@pve --email ada@example.org --groups devs --comment 'writes programs'
pveum user add bob@pve --enable 0
pveum acl modify /vms --groups devs --roles Restarter
pveum acl modify /storage --users ada@pve --roles PVEAuditor --propagate 0
pct create 101 archives:vztmpl/{ALPINE} --hostname web --unprivileged 1 --rootfs guests:1 --cores 2 \
    --memory 256 --swap 0 --net0 name=eth0,bridge=vmbr0,ip=10.0.0.50/24,gw=10.0.0.1,firewall=1 \
    --mp0 /tank/models,mp=/models,ro=1 --mp1 guests:1,mp=/data,backup=1 --tags 'shop;old' \
    --onboot 1 --startup order=2,up=5 --features nesting=1 --description 'Two lines:
the second' --nameserver '10.0.0.1 10.0.0.2' --timezone host
pct start 101
pct create 102 archives:vztmpl/{ALPINE} --hostname db.example.org --rootfs guests:1 --memory 128 \
    --unprivileged 0 --mp0 /var/elsewhere,mp=/elsewhere --mp1 /srv/archives,mp=/archives
printf 'lxc.cap.drop: mac_admin\\nlxc.prlimit.nofile: 4096\\n' >>/etc/pve/lxc/102.conf
pct create 103 archives:vztmpl/{ALPINE} --hostname web --unprivileged 1 --rootfs guests:1
printf '[OPTIONS]\\n\\nenable: 0\\n' >/etc/pve/firewall/cluster.fw
"""
ADOPTED = {
    *("zfs_pool/tank", "zfs_dataset/tank", "zfs_dataset/tank/guests", "zfs_dataset/tank/models"),
    *("zfs_dataset/tank/models/small", "zfs_dataset/tank/archives", "zfs_dataset/tank/later"),
    *("pve_storage/guests", "pve_storage/archives"),
    *("pve_role/Restarter", "pve_user/ada@pve", "pve_user/bob@pve"),
    *("pve_acl//vms @devs", "pve_acl//storage ada@pve"),
    *("lxc/101", "lxc/102"),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A site of which nobody has described anything yet, with a node on which somebody has worked."""
    folder = tmp_path_factory.mktemp("adopt") / "site"
    (folder / "inventory").mkdir(parents=True)
    reach = {NODE: {"hostname": ADDRESS, "data": {"transport": "lab"}}}
    (folder / "inventory/hosts.yaml").write_text(yaml(reach))
    site = LabSite(folder, NODE)
    gpus = tuple(Gpu(pci, name) for name, pci in PCI.items())
    lab_node(folder, NODE).up(NODE, DISKS, ADDRESS, gpus)
    try:
        site.on_node("true")
    except PhoenixError as error:
        pytest.skip(f"this machine does not let us make a lab: {error}")
    site.on_node(BY_HAND)
    return site


def adopt(site, out, *arguments, node=NODE):
    ran = site.run("--site", str(site.folder), "adopt", node, "--json", "--out", str(out), *arguments)
    assert ran.out, ran.err
    assert ran.document["exit"] == ran.status
    return ran.document


def names(rows):
    return {"/".join((row["kind"], row["name"])) for row in rows}


def living_in(site, out):
    """The written site, with the lab node where it looks for its own."""
    os.symlink(site.folder / ".phoenix", out / ".phoenix")
    return LabSite(out, NODE)


def everything(site):
    said = site.on_node(
        "cat /etc/pve/*.cfg /etc/pve/lxc/*.conf; find /etc /tank /srv -ls; ls /var/lib/phoenix 2>&1 || :"
    )
    return site.state(), said


@pytest.fixture(scope="module")
def adopted(built, tmp_path_factory):
    out = tmp_path_factory.mktemp("adopted") / "site"
    before = everything(built)
    with built.nothing_done():
        document = adopt(built, out)
    assert everything(built) == before
    return living_in(built, out), document


def test_what_was_made_by_hand_is_described_and_its_plan_is_empty(adopted):
    site, document = adopted
    assert names(document["adopted"]) == ADOPTED
    planned = site.run("plan", "--json")
    assert (planned.status, planned.document["entries"]) == (0, [])
    assert planned.err == ""


def test_files_are_as_fmt_writes_them(adopted):
    site, _ = adopted
    assert site.run("fmt", "--check").status == 0


def test_what_cannot_be_described_is_listed_with_the_reason(adopted):
    _, document = adopted
    assert document["exit"] == 2
    left = {(f"{row['kind']}/{row['name']}", row["why"]) for row in document["left"]}
    assert left >= {
        ("zfs_volume/tank/by-hand", "there is no kind for volumes (zvols)"),
        ("pve_storage/archives", "its option `prune-backups keep-last=3` cannot be declared"),
        (
            "pve_storage/strange",
            "`/var/lib/strange` does not lie under a declared dataset's mountpoint [V-30]",
        ),
        (
            "nfs_export//tank/models",
            "/etc/exports exports it to 10.0.0.0/24: take it out there before it is declared",
        ),
        ("samba_share/films", "/etc/samba/smb.conf defines it: take it out there before it is declared"),
        ("firewall_cluster/", "/etc/pve/firewall/cluster.fw is not adopted"),
        ("lxc/102", "mounts./elsewhere: `/var/elsewhere` lies in no dataset that is declared"),
        ("lxc/103", "the hostname `web` belongs to lxc:101 [V-02]"),
    }


def test_nothing_is_overwritten(built, adopted):
    site, _ = adopted
    ran = built.run("adopt", NODE, "--out", str(site.folder), "--only", "lxc/101")
    assert ran.status == 64
    assert "there is no `lxc/101` to adopt" in ran.err
    file = site.folder / "configs/guests/101-web.yaml"
    text = file.read_text()
    file.unlink()
    document = adopt(built, site.folder, "--only", "lxc/101")
    assert (document["exit"], document["files"]) == (0, ["configs/guests/101-web.yaml"])
    assert file.read_text() == text
    node = site.folder / f"configs/nodes/{NODE}.yaml"
    before = node.read_text()
    assert built.run("adopt", NODE, "--out", str(site.folder)).status == 2
    assert node.read_text() == before


def test_only_one_and_what_it_needs(built, tmp_path):
    document = adopt(built, tmp_path / "one", "--only", "lxc/101")
    assert document["exit"] == 0
    assert names(document["adopted"]) == {
        *("zfs_pool/tank", "zfs_dataset/tank/guests", "zfs_dataset/tank/models"),
        *("pve_storage/guests", "lxc/101"),
    }
    site = living_in(built, tmp_path / "one")
    assert site.run("plan").status == 0


def test_what_is_not_as_its_description_would_have_it_is_left_out(built, tmp_path):
    """Not mounted, a dataset would be mounted by an apply: that one is left out, the others are not."""
    site = built.copy(tmp_path / "site")
    site.on_node("zfs unmount tank/models/small")
    document = adopt(site, tmp_path / "out", "--only", "zfs_dataset")
    assert document["exit"] == 2
    assert "zfs_dataset/tank/models/small" not in names(document["adopted"])
    (why,) = [row["why"] for row in document["left"]]
    assert why == "declared, it would be changed (mounted: no → yes)"


def test_a_node_that_does_not_answer_is_unknown(built, tmp_path):
    ran = built.run(
        "adopt", "nobody", "--address", "127.0.0.1", "--user", "nobody", "--out", str(tmp_path / "x")
    )
    assert ran.status == 3
    assert not (tmp_path / "x").exists()


def test_a_node_of_ours_says_what_was_declared(converged, tmp_path):
    """What another site made there is described as it was: exports and the ARC's limit among it."""
    document = adopt(converged, tmp_path / "out", node="phoenix")
    found = names(document["adopted"])
    assert "zfs_arc/" in found
    planned = converged.run("--site", str(tmp_path / "out"), "validate")
    assert planned.status == 0
    declared = {ref.partition("/")[2].replace(":", "/", 1) for ref in converged.plan()["resources"]}
    made = {
        ref for ref in declared if ref.startswith(("zfs_pool", "zfs_dataset", "nfs_export", "pve_storage"))
    }
    assert found >= made
    # nobody can read a password: shares of named users are left alone, and it is said why
    shares = {row["name"]: row["why"] for row in document["left"] if row["kind"] == "samba_share"}
    assert any("which is not declared" in why for why in shares.values()), shares
