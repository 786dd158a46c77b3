"""A node built by hand, without a file of ours → `phoenix adopt` → files whose plan is empty."""

import os

import pytest
from tests.api import standin
from tests.lab.containers import ADDRESS, DISKS, NODE, PCI
from tests.lab.running import LabSite

from phoenix_hypervisor.dialects import lxc_conf, qemu_conf, storage_cfg
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
cat >/etc/pve/firewall/cluster.fw <<'END'
[OPTIONS]
enable: 1
log_ratelimit: burst=9,enable=1,rate=2/second

[ALIASES]
lan 10.0.0.0/24
sites 10.0.0.0/8

[IPSET management]
10.0.0.0/24

[IPSET office]
10.2.0.0/24
!10.2.0.9

[RULES]
GROUP web -i vmbr0
IN SSH(ACCEPT) -source lan -log info
|IN DROP -source 10.9.0.0/16,10.8.0.0/16 -p udp -dport 53,67:68 # not now
OUT ACCEPT -p icmp -icmp-type echo-request

[group web]
IN ACCEPT -p tcp -dport 80
END
printf '[OPTIONS]\\nenable: 1\\nlog_level_in: info\\nnf_conntrack_max: 262144\\n' >/etc/pve/local/host.fw
printf '[OPTIONS]\\nenable: 1\\ndhcp: 1\\n\\n[RULES]\\nIN HTTP(ACCEPT) -i net0\\n' >/etc/pve/firewall/101.fw
printf '[RULES]\\nIN NOTHING\\n' >/etc/pve/firewall/102.fw
printf '[OPTIONS]\\nenable: 1\\n' >/etc/pve/firewall/999.fw
cat >>/etc/network/interfaces <<'END'

iface eno3 inet manual

auto vmbr1
iface vmbr1 inet static
	address 10.9.0.1/24
	bridge-ports none
	bridge-stp off
	bridge-fd 0
	post-up true
END
ifreload -a
qm create 200 --name desk --memory 1024 --cores 2 --cpu host --scsihw virtio-scsi-single --ostype l26 \
    --scsi0 guests:1,ssd=1,discard=on,aio=native --net0 virtio,bridge=vmbr0,firewall=1 \
    --agent 1,fstrim_cloned_disks=1 --bios ovmf --efidisk0 guests:1,efitype=4m,pre-enrolled-keys=1 \
    --machine q35 --vga std --serial0 socket --boot 'order=scsi0;net0' --onboot 1 --startup order=3 \
    --tags desktop --ide2 none,media=cdrom --ciuser ada
qm create 201 --memory 512 --net0 e1000,bridge=vmbr1
qm create 202 --name golden --memory 512 --scsi0 guests:1
qm template 202
pvesh create /cluster/backup --id nightly --schedule 'mon..fri 02:30' --storage archives --vmid 200 \
    --prune-backups keep-last=3,keep-daily=7 --mode snapshot --compress zstd --comment 'all that matters' \
    --mailto root@example.org --mailnotification failure --enabled 1
pvesh create /cluster/backup --id gone --schedule daily --storage archives --vmid 777 --mode snapshot
"""
ADOPTED = {
    *("zfs_pool/tank", "zfs_dataset/tank", "zfs_dataset/tank/guests", "zfs_dataset/tank/models"),
    *("zfs_dataset/tank/models/small", "zfs_dataset/tank/archives", "zfs_dataset/tank/later"),
    *("pve_storage/guests", "pve_storage/archives"),
    *("pve_role/Restarter", "pve_user/ada@pve", "pve_user/bob@pve"),
    *("pve_acl//vms @devs", "pve_acl//storage ada@pve"),
    *("lxc/101", "lxc/102", "vm/200", "network_interface/vmbr0", "network_interface/vmbr1"),
    *("firewall_cluster/", "firewall_node/", "firewall_guest/101", "backup_job/nightly"),
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
        "cat /etc/pve/*.cfg /etc/pve/lxc/*.conf; ls /var/lib/phoenix 2>&1 || :; "
        "find /etc /tank /srv -not -path '*/phoenix-lab*' -ls"
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
        ("firewall_guest/102", "`rules.0.action` string should match pattern '^(ACCEPT|DROP|REJECT)$'"),
        (
            "firewall_guest/999",
            "/etc/pve/firewall/999.fw: no guest of that number on this node is described",
        ),
        ("network_interface/vmbr1", "its line `post-up true` cannot be declared; it stays as it is"),
        ("vm/200", "scsi0: `aio=native` cannot be declared; it is left alone"),
        ("vm/201", "declared, it would be changed (name:  → vm201)"),
        ("vm/202", "it is a template: declare what is cloned from it, or a `vm_image`"),
        ("backup_job/gone", "it is about 777: no such guest of this node is described"),
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
    document = adopt(built, site.folder, "--only", "lxc/101", "--only", "firewall_guest/101")
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


def shown_by_the_api(site):
    """What Proxmox's API would tell of the node's guests and storages."""
    guests = []
    for sort, dialect in (("lxc", lxc_conf), ("qemu", qemu_conf)):
        for vmid, text in dialect.split_all(site.on_node(dialect.QUESTION)).items():
            conf = dialect.parse(text)
            config = {**conf.keys, "description": f"{conf.description}\n", "lxc": conf.raw}
            config = {key: value for key, value in config.items() if value not in ("\n", ())}
            name = conf.keys.get("hostname") or conf.keys.get("name")
            guests.append({"type": sort, "vmid": int(vmid), "name": name, "node": NODE, "config": config})
            guests[-1] |= {"status": "running"} if vmid == "101" else {}
    storages = storage_cfg.parse(site.on_node("cat /etc/pve/storage.cfg"))
    return guests, {name: {"type": one.type, **one.options} for name, one in storages.items()}


def test_over_https_it_is_described_as_by_its_shell(built, adopted, tmp_path):
    """An API that is not ours tells of the same node, and the node's own shell proves the plan empty."""
    guests, storages = shown_by_the_api(built)
    cluster = standin.Standin(tmp_path, nodes=[NODE], guests=guests, storages=storages)
    (tmp_path / "token").write_text(standin.VALUE)
    way = ("--api", cluster.url, "--token-id", standin.TOKEN_ID, "--token-file", str(tmp_path / "token"))
    out = tmp_path / "site"
    try:
        only = ("--only", "lxc", "--only", "vm")
        document = adopt(built, out, *way, "--ca-file", str(cluster.certificate), *only)
    finally:
        cluster.close()
    assert (document["plan"], document["unproven"]) == (0, "")
    assert names(document["adopted"]) >= {"lxc/101", "lxc/102", "vm/200", "pve_storage/guests"}
    site, _ = adopted
    for file in ("102-db.yaml", "200-desk.yaml"):
        assert (out / "configs/guests" / file).read_text() == (
            site.folder / "configs/guests" / file
        ).read_text()


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
