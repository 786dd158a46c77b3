"""What a node answers → what can be declared, and what is left alone with a reason."""

import pytest

from phoenix_hypervisor.adopt.living import guests, people, reading, shares, storage, writing
from phoenix_hypervisor.adopt.living.found import Draft, Left, Thing
from phoenix_hypervisor.adopt.living.settling import refuse_unknown
from phoenix_hypervisor.errors import UsageError

NOTHING = dict.fromkeys(
    (
        *("name", "memory", "disks", "pools", "pool_properties", "datasets", "volumes", "owners", "arc"),
        *("storages", "exports", "shares", "users", "containers", "running", "cards", "guests", "firewalls"),
    ),
    "",
)


def found(reader, **answers):
    return list(reader({**NOTHING, **answers}))


def pool_lines(*rows):
    return "".join("\t".join(row) + "\n" for row in rows)


def pool(*rows):
    head = ("tank", *["1"] * 9)
    shown = [("", name, "1", alloc, *["-"] * 6) for name, alloc in rows]
    return pool_lines(head, *shown)


ONE = "/dev/disk/by-id/ata-ONE-part1"
TWO = "/dev/disk/by-id/ata-TWO-part1"
DISKS = "ata-ONE 1000\nata-TWO 2000\nata-ROM \n"


def test_a_pool_is_described_with_its_layout_and_properties():
    properties = "tank\tashift\t12\tlocal\ntank\tautotrim\ton\tlocal\ntank\tcomment\t-\tdefault\n"
    said = pool(("mirror-0", "1"), (ONE, "-"), (TWO, "-"))
    (thing,) = found(storage.pools, pools=said, pool_properties=properties, disks=DISKS)
    assert thing == Thing(
        "zfs_pool",
        "tank",
        {"vdevs": [{"type": "mirror", "disks": ["ata-ONE", "ata-TWO"]}], "ashift": 12, "autotrim": "on"},
    )


def test_disks_that_stand_alone_are_one_stripe():
    (thing,) = found(storage.pools, pools=pool((ONE, "1"), (TWO, "1")), disks=DISKS)
    assert thing.settings["vdevs"] == [{"type": "stripe", "disks": ["ata-ONE", "ata-TWO"]}]


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([("/dev/disk/by-id/ata-ONE-part3", "1")], "`ata-ONE-part3` is a partition"),
        ([("/dev/sdb1", "1")], "its device `/dev/sdb1` is no name in /dev/disk/by-id"),
        ([("draid1-0", "1"), (ONE, "-"), (TWO, "-")], "it has a `draid1`, which cannot be declared"),
    ],
)
def test_a_pool_that_cannot_be_declared_is_left_alone(rows, why):
    (left,) = found(storage.pools, pools=pool(*rows), disks=DISKS)
    assert isinstance(left, Left)
    assert why in left.why


def dataset(name, **properties):
    return "".join(f"{name}\t{key}\t{value}\t{source}\n" for key, (value, source) in properties.items())


def test_of_a_dataset_what_is_set_on_it_is_declared():
    said = dataset(
        "tank/x",
        recordsize=("1048576", "local"),
        quota=("0", "local"),
        compression=("lz4", "inherited from tank"),
        sync=("always", "received"),
        mountpoint=("/srv/x", "inherited from tank"),
        mounted=("yes", "-"),
    )
    (thing,) = found(storage.datasets, datasets=said, owners="root www-data 2775 /srv/x\n")
    assert thing.settings == {
        "recordsize": "1M",
        "quota": "none",
        "sync": "always",
        "mountpoint": "/srv/x",
        "owner": "root",
        "group": "www-data",
        "mode": "2775",
    }


def test_an_owner_without_a_name_is_not_declared():
    said = dataset("tank/x", mountpoint=("/tank/x", "default"), mounted=("yes", "-"))
    (thing,) = found(storage.datasets, datasets=said, owners="UNKNOWN root 700 /tank/x\n")
    assert thing.settings == {"group": "root", "mode": "700"}


def test_volumes_of_guests_belong_to_their_guests():
    plain = {"mountpoint": ("/x", "default"), "mounted": ("no", "-")}
    said = dataset("tank/subvol-101-disk-0", **plain) + dataset("tank/basevol-900-disk-0", **plain)
    said += dataset("tank", mountpoint=("/tank", "default"), mounted=("yes", "-"))
    owners = "root root 755 /tank\n"
    volumes = "tank/vm-200-disk-0\ntank/by-hand\n"
    (left,) = found(storage.datasets, datasets=said, owners=owners, volumes=volumes)
    assert left.key == ("zfs_volume", "tank/by-hand")


@pytest.mark.parametrize(
    ("said", "one"),
    [
        ("ours\nzfs_arc_max:4294967296\nzfs_arc_min:0\n", Thing("zfs_arc", "", {"max": "4G"})),
        ("others\nzfs_arc_max:0\nzfs_arc_min:0\n", None),
        ("others\nzfs_arc_max:4294967296\nzfs_arc_min:0\n", "the limit (max 4G) is set by somebody else"),
        ("others\n", None),
    ],
)
def test_only_a_limit_of_our_file_is_declared(said, one):
    (got,) = found(storage.arc, arc=said) or [None]
    assert (got.why.partition(";")[0] if isinstance(got, Left) else got) == one


def test_storages():
    said = (
        "dir: big\n\tpath /tank/big\n\tcontent iso,backup\n\tis_mountpoint yes\n"
        "\tprune-backups keep-all=1\n\n"
        "zfspool: disks\n\tpool tank/disks\n\tcontent rootdir\n\tmountpoint /tank/disks\n\tsparse\n\n"
        "nfs: far\n\tserver 10.0.0.1\n\texport /x\n"
    )
    option, big, disks, far = found(storage.storages, storages=said)
    assert option == Left("pve_storage", "big", "its option `prune-backups keep-all=1` cannot be declared")
    assert big.settings == {
        "type": "dir",
        "path": "/tank/big",
        "content": ["backup", "iso"],
        "is_mountpoint": True,
    }
    assert disks.settings == {"type": "zfspool", "pool": "tank/disks", "content": ["rootdir"], "sparse": True}
    assert far == Left("pve_storage", "far", "storages of the type `nfs` cannot be declared")


def test_quotas_beyond_a_pool_are_allowed_in_writing():
    tank = Thing("zfs_pool", "tank", {"vdevs": [{"type": "mirror", "disks": ["a", "b"]}]})
    things = [tank, *(Thing("zfs_dataset", f"tank/{n}", {"quota": "600"}) for n in (1, 2))]
    deep = Thing("zfs_dataset", "tank/1/deep", {"quota": "9000"})
    assert storage.quota_overcommit([*things, deep], {"a": 1000, "b": 1000}) == 1.2
    assert storage.quota_overcommit(things[:2], {"a": 1000, "b": 1000}) == 1.0


def test_exports_of_ours_and_of_others():
    said = (
        "/etc/exports.d/phoenix-tank.x.exports:/tank/x 10.0.0.0/24(rw,sync,no_root_squash) *(ro)\n"
        "/etc/exports:/tank/y *(rw)\n"
    )
    own, other = found(shares.exports, exports=said)
    assert own == Thing(
        "nfs_export", "/tank/x", {"clients": {"10.0.0.0/24": ["no_root_squash", "rw"], "*": ["ro"]}}
    )
    assert (other.key, other.why.partition(":")[0]) == (
        ("nfs_export", "/tank/y"),
        "/etc/exports exports it to *",
    )


def test_shares_of_ours_and_of_others():
    lines = ("[Films]", "path = /tank/f", "read only = No", "valid users = @b a", "vfs objects = acl_xattr")
    said = "".join(f"/etc/samba/phoenix.d/Films.conf:{line}\n" for line in lines)
    said += "/etc/samba/smb.conf:[global]\n/etc/samba/smb.conf:[old]\n/etc/samba/smb.conf:path = /x\n"
    own, other = found(shares.shares, shares=said)
    assert own == Thing(
        "samba_share",
        "Films",
        {
            "path": "/tank/f",
            "read_only": False,
            "valid_users": ["@b", "a"],
            "options": {"vfs objects": "acl_xattr"},
        },
    )
    assert other.key == ("samba_share", "old")


def test_people_without_their_passwords():
    said = (
        "user:root@pam:1:0:::r@example.org:::\nuser:ada@pve:0:1800000000:Ada::::\ntoken:ada@pve!ci:0:1::\n"
        "group:devs:ada@pve::\nrole:Own:VM.Audit,VM.Console:\n"
        "acl:1:/vms:@devs:Own:\nacl:0:/:ada@pve:Own:\nacl:1:/:ada@pve:PVEAuditor:\n"
    )
    got = found(people.people, users=said)
    assert got == [
        Thing("pve_role", "Own", {"privileges": ["VM.Audit", "VM.Console"]}),
        Thing(
            "pve_user",
            "ada@pve",
            {"firstname": "Ada", "expire": 1800000000, "enable": False, "groups": ["devs"]},
        ),
        Left("pve_token", "ada@pve!ci", "Proxmox shows a token's value once: it cannot be read"),
        Thing("pve_acl", "/vms @devs", {"roles": ["Own"]}),
        Left("pve_acl", "/ ada@pve", "some of its roles hold below the path and some do not"),
    ]


def test_containers_are_called_by_their_hostnames():
    def conf(vmid, hostname):
        return f"==> {vmid}.conf <==\nhostname: {hostname}\nmemory: 256\nunprivileged: 1\n\n"

    said = conf(101, "Web.example.org") + conf(102, "web") + conf(9, "never")
    first, second = found(guests.containers, containers=said.rstrip("\n") + "\n", running="102\n")
    assert (first.guest, first.settings) == (
        "101-web",
        {"state": "stopped", "hostname": "Web.example.org", "memory": "256M"},
    )
    assert (second.guest, second.settings) == ("102-web-102", {"hostname": "web", "memory": "256M"})
    assert guests.called("", "103", ()) == "ct103"


def test_machines_and_firewalls_are_left_alone():
    places = '{"ids": {"200": {"node": "pve1", "type": "qemu"}, "201": {"node": "pve2", "type": "qemu"}}}'
    answers = {**NOTHING, "name": "pve1\n", "guests": places}
    answers["firewalls"] = "/etc/pve/firewall/cluster.fw\n/etc/pve/firewall/101.fw\n/etc/pve/local/host.fw\n"
    assert [str(one) for one in guests.others(answers)] == [
        *("vm/200", "firewall_cluster", "firewall_guest/101", "firewall_node")
    ]


def test_the_hardware_is_what_pools_and_containers_use():
    draft = reading.draft(
        {
            **NOTHING,
            "pools": pool((ONE, "1")),
            "disks": DISKS,
            "memory": "MemTotal:       16777215 kB\nMemFree: 1 kB\n",
            "cards": "/proc/driver/nvidia/gpus/0000:05:00.0/information:Device Minor: \t 0\n",
        }
    )
    assert draft.hardware == {
        "disks": {"disk0": {"id": "ata-ONE", "size": "1000"}},
        "gpus": {"gpu0": {"pci": "0000:05:00.0"}},
    }
    assert draft.memory == "16383M"


def test_every_line_of_the_files_is_somebodys():
    things = [
        Thing("zfs_dataset", "tank/x", {"quota": "1G", "atime": "off"}),
        Thing("zfs_arc", "", {"min": "1G", "max": "2G"}),
        Thing("lxc", "101", {"memory": "256M", "state": "stopped"}, "101-web"),
    ]
    files = writing.files("pve1", Draft(things), whole=True)
    path = "configs/nodes/pve1.yaml"
    lines = files.texts[path].splitlines()
    assert files.said_at(path, lines.index("    quota: 1G") + 1) == things[0]
    assert files.said_at(path, lines.index("  max: 2G") + 1) == things[1]
    assert files.said_at(path, 1) is None
    assert files.said_at("configs/guests/101-web.yaml", 1) == things[2]
    assert [*writing.files("pve1", Draft(things), whole=False).texts] == ["configs/guests/101-web.yaml"]


def test_a_name_that_nothing_has_is_refused():
    draft = Draft([Thing("lxc", "950", {})], [Left("zfs_arc", "", "why")])
    for known in ("lxc", "lxc/950", "zfs_arc"):
        refuse_unknown(draft, [known])
    with pytest.raises(UsageError, match="did you mean `lxc/950`"):
        refuse_unknown(draft, ["lxc/905"])
