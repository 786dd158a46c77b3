"""What a node answers → what can be declared, and what is left alone with a reason."""

import pytest

from phoenix_hypervisor.adopt.living import (
    backups,
    firewalls,
    guests,
    network,
    people,
    questions,
    reading,
    settling,
    shares,
    storage,
    texts,
    writing,
)
from phoenix_hypervisor.adopt.living.found import Draft, Left, Thing
from phoenix_hypervisor.adopt.living.settling import refuse_unknown
from phoenix_hypervisor.errors import UsageError

NOTHING = dict.fromkeys(questions.QUESTIONS, "")


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


def test_machines_are_called_by_their_names():
    said = (
        "==> 200.conf <==\nname: Desk\nmemory: 2048\nballoon: 0\ncores: 4\nagent: enabled=1,type=isa\n"
        "scsi0: fast:vm-200-disk-0,size=32G,iothread=1,aio=native\nsata0: /dev/sdz,size=1G\n"
        "ide2: fast:vm-200-cloudinit,media=cdrom\ncipassword: $5$hidden\nipconfig0: ip=dhcp\n"
        "net0: virtio=BC:24:11:00:00:01,bridge=vmbr0,tag=7,disconnect=1\nhostpci0: 05:00,pcie=1\n"
        "hostpci1: 0000:06:00.1\nhotplug: 0\nargs: -S\nunused0: fast:vm-200-disk-9\n\n"
        "==> 201.conf <==\nname: golden\ntemplate: 1\n"
    )
    cards = "/proc/driver/nvidia/gpus/0000:05:00.0/information:Device Minor: \t 0\n"
    got = found(guests.machines, machines=said, machines_running="200.scope\n", cards=cards)
    left = {one.key[1]: one for one in got if isinstance(one, Left) and "template" in one.why}
    assert [*left] == ["201"]
    (thing,) = [one for one in got if isinstance(one, Thing)]
    assert (thing.key, thing.guest) == (("vm", "200"), "200-desk")
    assert thing.settings == {
        "hostname": "Desk",
        "memory": "2G",
        "balloon": "0",
        "cores": 4,
        "disks": {"scsi0": {"size": "32G", "storage": "fast", "iothread": True}},
        "net": {"net0": {"model": "virtio", "mac": "BC:24:11:00:00:01", "bridge": "vmbr0", "tag": 7}},
        "pci": {
            "hostpci0": {"gpu": "gpu0", "pcie": True},
            "hostpci1": {"address": "0000:06:00.1", "pcie": False},
        },
    }
    whys = [one.why for one in got if isinstance(one, Left)]
    assert "hidden" not in "".join(whys)
    begun = {why.partition(":")[0] for why in whys}
    assert begun >= {
        *("agent", "scsi0", "sata0", "ide2", "cipassword", "ipconfig0", "net0", "args", "unused0"),
    }


STEMS = {"101": "101-web", "200": "200-desk"}


def test_files_of_the_firewall_are_taken_over_with_a_word():
    files = {
        "/etc/pve/firewall/cluster.fw": "[OPTIONS]\nenable: 1\npolicy_in: REJECT\nebtables: 0\n"
        "log_ratelimit: enable=1,rate=2/second\n[IPSET management]\n10.0.0.0/24\n[IPSET names]\nlan\n"
        "[ALIASES]\nlan 10.0.0.0/24\n[group web]\nIN ACCEPT -p tcp -dport 80,443\n",
        "/etc/pve/firewall/101.fw": "# Written by phoenix: firewall_guest:101. Changed by hand, "
        "it is written again.\n[OPTIONS]\npolicy_out: DROP\nmacfilter: 0\n[RULES]\n"
        "|OUT DROP -dest 10.0.0.1,10.0.0.2 -p udp -sport 5 -log info # why\nGROUP web -i net0\nwhat\n",
        "/etc/pve/local/host.fw": "[OPTIONS]\nnf_conntrack_max: 262144\nlog_level_in: info\n[RULES]\n"
        "FORWARD REJECT -p icmp -icmp-type 3/1\n",
        "/etc/pve/firewall/300.fw": "[OPTIONS]\nenable: 1\n",
    }
    cluster, fault, guest, node, other = firewalls.firewalls({"firewalls": texts.joined(files)}, STEMS)
    assert cluster == Thing(
        "firewall_cluster",
        "",
        {
            "overwrite": True,
            "policy_in": "REJECT",
            "ebtables": False,
            "log_ratelimit": {"enable": True, "rate": "2/second"},
            "aliases": {"lan": "10.0.0.0/24"},
            "management": ["10.0.0.0/24"],
            "ipsets": {"names": ["lan"]},
            "groups": {"web": [{"action": "ACCEPT", "source": "any", "port": ["80", "443"]}]},
        },
    )
    assert fault == Left("firewall_guest", "101", "/etc/pve/firewall/101.fw: `what` is no line of a firewall")
    out = {"direction": "out", "action": "DROP", "dest": ["10.0.0.1", "10.0.0.2"], "proto": "udp"}
    out |= {"sport": "5", "log": "info", "comment": "why", "enabled": False}
    assert guest == Thing(
        "firewall_guest",
        "101",
        {
            "enable": False,
            "policy_out": "DROP",
            "options": {"macfilter": False},
            "rules": [out, {"group": "web", "interface": "net0"}],
        },
        "101-web",
    )
    assert node.settings == {
        "overwrite": True,
        "options": {"log_level_in": "info", "nf_conntrack_max": 262144},
        "rules": [{"direction": "forward", "action": "REJECT", "proto": "icmp", "icmp_type": "3/1"}],
    }
    assert other.key == ("firewall_guest", "300")


def test_what_belongs_to_a_guest_goes_with_it():
    draft = Draft([Thing("firewall_guest", "101", {}, "101-web"), Thing("lxc", "102", {}, "102-db")])
    settling.leave_what_guests_had(draft)
    assert [one.key for one in draft.things] == [("lxc", "102")]
    assert [one.why for one in draft.left] == ["its guest is not described"]


def test_interfaces_are_said_as_far_as_files_say_something():
    main = (
        "auto lo\niface lo inet loopback\n\niface eno1 inet manual\n\nauto vmbr0\niface vmbr0 inet static\n"
        "\taddress 10.0.0.2/24\n\tgateway 10.0.0.1\n\tbridge-ports eno1\n\tbridge-vlan-aware yes\n"
        "\tbridge-vids 2-9\n\tbridge-fd 2\n\nauto bond0\niface bond0 inet manual\n\tbond-slaves eno2 eno3\n"
        "\tbond-mode 4\n\tbond-miimon 100\n\niface vmbr0.7 inet dhcp\n\tup true\n\n"
        "auto ovs0\niface ovs0 inet manual\n\tovs_type OVSBridge\n"
    )
    got = list(network.network({"network": texts.joined({"/etc/network/interfaces": main})}))
    assert got == [
        Thing(
            "network_interface",
            "vmbr0",
            {
                "addresses": ["10.0.0.2/24"],
                "gateway": "10.0.0.1",
                "ports": ["eno1"],
                "vlan_aware": True,
                "vids": "2-9",
                "fd": 2,
            },
        ),
        Thing(
            "network_interface",
            "bond0",
            {"bond": {"members": ["eno2", "eno3"], "mode": "802.3ad", "miimon": 100}},
        ),
        Left("network_interface", "vmbr0.7", "its line `up true` cannot be declared; it stays as it is"),
        Thing("network_interface", "vmbr0.7", {"method": "dhcp", "auto": False}),
        Left("network_interface", "ovs0", "it is Open vSwitch's, which cannot be declared"),
    ]


def test_backup_jobs_name_their_guests():
    head = "vzdump: {}\n\tschedule daily\n\tstorage big\n"
    said = head.format("one") + "\tvmid 200,101\n\tenabled 0\n\tprune-backups keep-all=1\n\tmailto a@b\n\n"
    said += head.format("two") + "\tall 1\n\texclude 101\n\trepeat-missed 1\n\tbwlimit 10\n\n"
    said += head.format("three") + "\tpool prod\n\n" + head.format("four") + "\tvmid 300\n"
    one, option, two, three, four = backups.backups({"backups": said}, STEMS)
    both = {"schedule": "daily", "storage": "big"}
    mail = {"mail": {"to": ["a@b"], "when": "always"}}
    assert one.settings == {
        **both,
        "guests": ["desk", "web"],
        "enabled": False,
        "retention": {"keep_all": True},
        **mail,
    }
    assert option.why == "its option `bwlimit 10` cannot be declared; it stays as it is"
    assert two.settings == {**both, "guests": "all", "exclude": ["web"], "repeat_missed": True}
    assert [type(one) for one in (three, four)] == [Left, Left]


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
