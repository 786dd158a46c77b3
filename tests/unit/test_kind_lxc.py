"""The kind `lxc` without a node: what is declared, what it is as a conf, which steps a difference makes."""

import shlex
import shutil
import subprocess

import pytest
from pydantic import ValidationError

from phoenix_hypervisor.containers import conf, devices, parts
from phoenix_hypervisor.containers.fingerprint import Layer
from phoenix_hypervisor.containers.seen import NO_NOTE, Note, Seen, note_of
from phoenix_hypervisor.dialects import lxc_conf
from phoenix_hypervisor.kinds.lxc import Lxc
from phoenix_hypervisor.render import Renderer
from phoenix_hypervisor.resource import (
    CREATE,
    REMOVE,
    Change,
    Difference,
    Effect,
    Given,
    GuestFacts,
    Ref,
    Refusal,
    Step,
)

BASE = {"template": "base", "rootfs": {"storage": "tank", "size": "8G"}}
FACTS = Given("guest", "web", GuestFacts("web", "101", "pve1", None, ""), None)
LAYER = {"vmid": "900", "mode": "snapshot", "fingerprint": "f00", "snapshot": "phoenix_layer"}


def lxc(*given, **settings):
    resource = Lxc(name="101", **({} if "clone" in settings else BASE) | settings)
    resource.bind([FACTS, *given])
    return resource


def refused(**settings):
    with pytest.raises(ValidationError) as error:
        lxc(**settings)
    return error.value.errors()[0]["msg"]


def seen(text="", running=True, **further):
    usual = {"started": "", "rewritten": False, "note": NO_NOTE, "window": False}
    return Seen(text, running, **{**usual, **further})


def change(resource, text, **further):
    """What the checks would find of a container with this conf."""
    now = seen(text, **further)
    noted = now.note.parts
    actual = conf.actual(resource, now.conf, noted)
    desired = conf.desired(resource, noted)
    differs = {
        name: Difference(actual.get(name), desired.get(name))
        for name in {**desired, **actual}
        if actual.get(name) != desired.get(name)
    }
    waits = conf.waiting(resource, now)
    if waits:
        differs["pending"] = Difference(waits, [])
    return Change(differs, now)


def steps(resource, text, **further):
    return list(resource.converge(change(resource, text, **further)))


def titles(found):
    return [step.title for step in found if isinstance(step, Step)]


def reasons(found):
    return [refusal.reason for refusal in found if isinstance(refusal, Refusal)]


HEAD = "hostname: web\nrootfs: tank:subvol-101-disk-0,size=8G\nunprivileged: 1\n"


# What may be declared


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"template": "base", "clone": "other"}, "from `template` or from `clone`, not from both"),
        ({"rootfs": None}, "made from a template it needs `rootfs` with `storage` and `size`"),
        ({"memory": "100500K"}, "`memory` must be whole MiB"),
        ({"raw": {"lxc.rootfs.path": "/x"}}, "declare `rootfs` instead"),
        ({"raw": {"lxc.cap.drop": "a\nb"}}, "cannot be written as a line"),
        ({"raw": {"lxc.apparmor.profile": "x"}, "apparmor": "y"}, "the profile is said twice"),
        ({"raw": {"lxc.idmap": "u 0 1 2"}, "shared_ids": {}}, "the map is said twice"),
        ({"unprivileged": False, "shared_ids": {}}, "shares all ids with the node"),
        ({"shared_ids": {"uids": {0: 5}}}, "container id 0 must stay"),
        ({"restart": "window"}, "`restart: window` and `restart_window` belong together"),
        ({"restart_window": "25:00-26:00"}, "two times of the day"),
        ({"clone_mode": "linked"}, "`clone_mode` belongs to `clone`"),
        ({"mounts": {"/data": {}}}, "needs `source` (a folder of the node) or `storage`"),
        ({"mounts": {"/data": {"storage": "tank"}}}, "a volume needs a `size`"),
        ({"mounts": {"/data": {"source": "/a", "size": "1G"}}}, "`size` belongs to a volume"),
        (
            {"mounts": {"/data": {"storage": "tank", "size": "1G", "uid": 1}}},
            "belong to a folder of the node",
        ),
        ({"mounts": {"/da,ta": {"source": "/a"}}}, "pattern"),
        ({"net": {"eth0": {"bridge": "vmbr0", "ip": "10.0.0.5"}}}, "must be an IPv4 address with its length"),
        ({"net": {"eth0": {"bridge": "vmbr0", "ip": "fd00::1/64"}}}, "must be an IPv4 address"),
        ({"net": {"eth0": {"bridge": "vmbr0", "gw6": "10.0.0.1"}}}, "must be an IPv6 address"),
        ({"net": {"eth0": {"bridge": "vmbr0", "mac": "01:00:00:00:00:01"}}}, "pattern"),
        ({"devices": {"/etc/passwd": {}}}, "pattern"),
        ({"devices": {"/dev/fuse": {"mode": "0999"}}}, "pattern"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(settings, said):
    assert said in refused(**settings)


# The conf

FULL = {
    "description": "A server: 100 %\nin two lines",
    "tags": ["web", "ai"],
    "cores": 2,
    "cpulimit": 1.5,
    "memory": "8G",
    "swap": 0,
    "nameserver": ["10.0.0.1", "10.0.0.2"],
    "onboot": True,
    "startup": {"order": 2, "up": 5},
    "features": {"nesting": True, "mount": ["nfs", "cifs"]},
    "net": {"eth0": {"bridge": "vmbr0", "ip": "10.0.0.5/24", "gw": "10.0.0.1", "mac": "02:aa:00:00:00:01"},
            "eth1": {"bridge": "vmbr1", "tag": 20, "rate": 5.5, "trunks": [30, 10], "firewall": True}},
    "mounts": {"/data": {"storage": "tank", "size": "50G", "backup": True},
               "/models": {"source": "/tank/models", "read_only": True}},
    "devices": {"/dev/fuse": {"mode": "0666", "deny_write": True}},
    "shared_ids": {"uids": {1000: 1000}, "gids": {1000: 1000}},
    "raw": {"lxc.cap.drop": ["mac_admin", "sys_time"]},
    "apparmor": "unconfined",
}  # fmt: skip
WRITTEN = """\
#A server%3A 100 %25
#in two lines
cores: 2
cpulimit: 1.5
dev0: /dev/fuse,deny-write=1,mode=0666
features: mount=cifs;nfs,nesting=1
hostname: web
memory: 8192
mp0: tank:<volume>,mp=/data,backup=1,size=50G
mp1: /tank/models,mp=/models,ro=1
nameserver: 10.0.0.1 10.0.0.2
net0: name=eth0,bridge=vmbr0,gw=10.0.0.1,hwaddr=02:AA:00:00:00:01,ip=10.0.0.5/24,type=veth
net1: name=eth1,bridge=vmbr1,firewall=1,hwaddr=<kept>,rate=5.5,tag=20,trunks=10;30,type=veth
onboot: 1
rootfs: tank:<volume>,size=8G
startup: 2,up=5
swap: 0
tags: ai;phoenix;web
unprivileged: 1
lxc.cap.drop: mac_admin
lxc.cap.drop: sys_time
lxc.apparmor.profile: unconfined
lxc.idmap: u 0 100000 1000
lxc.idmap: u 1000 1000 1
lxc.idmap: u 1001 101001 64535
lxc.idmap: g 0 100000 1000
lxc.idmap: g 1000 1000 1
lxc.idmap: g 1001 101001 64535
"""


def test_the_rendered_conf_is_what_proxmox_would_write_with_placeholders():
    resource = lxc(**FULL)
    artifact = next(iter(resource.artifacts()))
    assert Renderer().text("lxc", artifact, resource) == WRITTEN


def test_the_rendered_conf_differs_in_nothing_from_the_declaration():
    resource = lxc(**FULL)
    text = WRITTEN.replace("<volume>", "subvol-101-disk-0").replace("<kept>", "BC:24:11:00:00:01")
    assert change(resource, text).attributes == {}


def test_proxmoxs_own_spelling_and_defaults_are_no_difference():
    resource = lxc(
        features={"nesting": True}, onboot=False, protection=False, startup={"order": 2}, cpulimit=1,
        net={"eth0": {"bridge": "vmbr0", "ip": "dhcp"}}, mounts={"/data": {"source": "/tank/data"}},
    )  # fmt: skip
    text = HEAD + (
        "cpulimit: 1.0\nfeatures: keyctl=0,nesting=1\nstartup: order=2\n"
        "mp3: ro=0,mp=/data,replicate=1,volume=/tank/data\n"
        "net5: ip=dhcp,hwaddr=BC:24:11:00:00:01,firewall=0,name=eth0,bridge=vmbr0,type=veth\n"
    )
    assert change(resource, text).attributes == {}


def test_what_others_have_besides_is_no_difference():
    resource = lxc(tags=["ai"], net={"eth0": {"bridge": "vmbr0"}}, raw={"lxc.cap.drop": "a"})
    text = HEAD + (
        "foo: bar\nmp0: /theirs,mp=/theirs\nnet0: name=eth9,bridge=vmbr9\nnet1: name=eth0,bridge=vmbr0\n"
        "dev0: /dev/kvm\ntags: ai;phoenix;theirs\nunused0: tank:old\nmemory: 4096\n"
        "lxc.environment: A=1\nlxc.cap.drop: a\n"
    )
    assert change(resource, text).attributes == {}


# Changed


def test_a_changed_memory_is_one_command_and_hot():
    resource = lxc(memory="8G")
    text = HEAD + "memory: 4096\n"
    (step,) = steps(resource, text)
    digest = lxc_conf.digest(text)
    assert step.argv == ("pct", "set", "101", "--digest", digest, "--memory", "8192")
    assert (step.title, step.effect, step.locks) == ("pct set 101 --memory 8192", Effect.HOT, ("conf:101",))


def test_an_interface_keeps_its_address_and_what_nobody_declares():
    resource = lxc(net={"eth0": {"bridge": "vmbr1"}, "eth1": {"bridge": "vmbr0"}})
    text = HEAD + "net3: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:01,host-managed=1,tag=5,type=veth\n"
    assert titles(steps(resource, text))[0] == (
        "pct set 101 --net3 name=eth0,bridge=vmbr1,host-managed=1,hwaddr=BC:24:11:00:00:01"
        " --net0 name=eth1,bridge=vmbr0"
    )


def test_new_parts_take_the_first_free_numbers():
    mounts = {path: {"source": f"/tank{path}"} for path in ("/a", "/b", "/c")}
    text = HEAD + "mp0: /theirs,mp=/theirs\nmp2: /tank/b,mp=/b\n"
    assert titles(steps(lxc(mounts=mounts), text))[0] == (
        "pct set 101 --mp1 /tank/a,mp=/a --mp3 /tank/c,mp=/c"
    )


def test_a_volume_is_allocated_once_and_its_storage_is_locked_meanwhile():
    resource = lxc(mounts={"/data": {"storage": "tank", "size": "1.5G"}})
    step = steps(resource, HEAD)[0]
    assert step.title == "pct set 101 --mp0 tank:1.5,mp=/data"
    assert step.locks == ("conf:101", "storage:tank")
    there = HEAD + "mp4: tank:subvol-101-disk-1,mp=/data,backup=1,size=1536M\n"
    assert titles(steps(resource, there, running=False))[0] == (
        "pct set 101 --mp4 tank:subvol-101-disk-1,mp=/data,size=1536M"
    )


def test_what_was_noted_as_ours_goes_and_what_is_somebody_elses_stays():
    names = {"net.eth1", "mounts./old", "devices./dev/kvm", "raw.lxc.cap.drop", "tags.old"}
    note = Note("from x", frozenset(names), True)
    text = HEAD + (
        "dev0: /dev/kvm\nmp0: /a,mp=/old\nmp1: /b,mp=/theirs\nnet0: name=eth1,bridge=vmbr0\n"
        "tags: old;phoenix;theirs\nlxc.cap.drop: a\nlxc.environment: A=1\n"
    )
    found = steps(lxc(restart="auto"), text, note=note)
    assert titles(found) == [
        "pct set 101 --tags 'phoenix;theirs' --delete net0,dev0,mp0",
        "write into /etc/pve/lxc/101.conf: no lxc.cap.drop",
        "note which parts of 101 are ours",
        "pct reboot 101, wait until it is ready",
        "note which parts of 101 are ours",
    ]
    assert found[1].arguments == ("", "lxc.cap.drop")
    # what it has until it is started anew is ours until then
    assert [step.arguments for step in found[2:]] == [("devices./dev/kvm", "mounts./old"), ("reboot",), ()]


def test_a_cleared_list_is_deleted():
    assert titles(
        steps(lxc(nameserver=[], description=""), "#x\n" + HEAD + "nameserver: 10.0.0.1\n", running=False)
    ) == ["pct set 101 --delete nameserver,description"]


def test_a_volume_that_grows_while_its_options_change_is_written_with_its_new_size():
    resource = lxc(rootfs={"storage": "tank", "size": "9G", "mountoptions": ["noatime"]})
    found = steps(resource, HEAD, running=False)
    assert titles(found) == [
        "pct resize 101 rootfs 9G",
        "pct set 101 --rootfs tank:subvol-101-disk-0,mountoptions=noatime,size=9G",
    ]
    assert "--digest" not in found[1].argv


@pytest.mark.parametrize(
    ("settings", "lines", "said"),
    [
        ({"unprivileged": False}, "", "`phoenix recreate web` builds another"),
        ({"shared_ids": {"uids": {5: 5}}}, "", "files inside belong to ids of the present map"),
        ({"rootfs": {"storage": "tank", "size": "4G"}}, "", "no volume is made smaller (4G)"),
        ({"rootfs": {"storage": "more", "size": "8G"}}, "", "`pct move-volume 101 rootfs more`"),
        (
            {"mounts": {"/d": {"storage": "tank", "size": "1G"}}},
            "mp0: tank:x,mp=/d,size=2G\n",
            "volume at /d has 2G",
        ),
        (
            {"mounts": {"/d": {"storage": "tank", "size": "1G"}}},
            "mp0: more:x,mp=/d,size=1G\n",
            "another storage",
        ),
    ],
)
def test_what_is_never_done_is_said(settings, lines, said):
    found = steps(lxc(**settings), HEAD + lines)
    assert titles(found) == []
    assert [said in reason for reason in reasons(found)] == [True]


def test_a_missing_device_folder_or_card_is_said():
    differs = {
        "nodes./dev/nvidia0": Difference("missing", "there"),
        "sources./tank/x": Difference("missing", "there"),
        "cards.0000:01:00.0": Difference(1, 0),
    }
    found = list(lxc().converge(Change(differs, seen(HEAD))))
    assert reasons(found) == [
        "the device /dev/nvidia0 is not on the node, and without it web cannot be started the next time",
        "the folder /tank/x is not on the node, and without it web cannot be started the next time",
        "the card 0000:01:00.0 is /dev/nvidia1, not /dev/nvidia0: is every card in `hardware: gpus:`?",
    ]


def test_without_what_it_needs_it_is_not_started():
    differs = {
        "nodes./dev/fuse": Difference("missing", "there"),
        "power": Difference("stopped", "running"),
    }
    assert titles(lxc().converge(Change(differs, seen(HEAD, running=False)))) == []


@pytest.mark.parametrize(
    ("settings", "window", "titled", "said"),
    [
        ({}, False, [], ["features waits for the next start of web: `phoenix restart web`"]),
        ({"restart": "auto"}, False, ["pct reboot 101, wait until it is ready"], []),
        (
            {"restart": "window", "restart_window": "02:00-04:00"},
            True,
            ["pct reboot 101, wait until it is ready"],
            [],
        ),
        (
            {"restart": "window", "restart_window": "02:00-04:00"},
            False,
            [],
            ["features waits for the next start of web: done between 02:00-04:00 by the node's clock"],
        ),
    ],
)
def test_what_needs_a_restart_follows_the_declared_manner(settings, window, titled, said):
    found = steps(lxc(features={"nesting": True}, **settings), HEAD, window=window)
    assert titles(found) == ["pct set 101 --features nesting=1", *titled]
    assert reasons(found) == said


def test_a_stopped_container_takes_everything_at_once():
    found = steps(lxc(features={"nesting": True}), HEAD, running=False)
    assert (titles(found), reasons(found)) == (["pct set 101 --features nesting=1"], [])


def test_what_waits_and_is_declared_is_told_and_what_waits_otherwise_is_taken_back():
    waiting = HEAD + "\n[pve:pending]\nfeatures: nesting=1\ncmode: shell\n"
    found = change(lxc(features={"nesting": True}), waiting)
    assert found.attributes == {"pending": Difference(["features"], [])}
    found = steps(lxc(features={}), waiting, running=True)
    assert (titles(found), reasons(found)) == (["pct set 101 --delete features"], [])


def test_raw_lines_that_lxc_was_not_started_with_wait():
    resource = lxc(raw={"lxc.cap.drop": ["a", "b"]})
    text = HEAD + "lxc.cap.drop: a\nlxc.cap.drop: b\n"
    started = "lxc.apparmor.profile = generated\nlxc.cap.drop = a\nlxc.cap.drop = b\n"
    assert change(resource, text, started=started).attributes == {}
    older = "lxc.apparmor.profile = generated\nlxc.cap.drop = b\nlxc.cap.drop = a\n"
    assert change(resource, text, started=older).attributes == {
        "pending": Difference(["raw.lxc.cap.drop"], [])
    }
    unconfined = "lxc.cap.drop = a\nlxc.cap.drop = b\nlxc.apparmor.profile = unconfined\n"
    assert change(resource, text, started=unconfined).attributes == {
        "pending": Difference(["raw.lxc.apparmor.profile"], [])
    }


def test_a_lock_is_waited_for_before_anything_is_done():
    found = steps(lxc(memory="1G"), HEAD + "lock: backup\nmemory: 512\n")
    assert titles(found) == ["wait up to 60 s for the lock `backup` of 101", "pct set 101 --memory 1024"]
    assert steps(lxc(memory="512M"), HEAD + "lock: backup\nmemory: 512\n") == []


# Made and removed


def test_everything_that_making_one_takes_is_planned_at_once():
    resource = lxc(
        memory="1G", net={"eth0": {"bridge": "vmbr0", "ip": "dhcp"}}, raw={"lxc.cap.drop": "a"},
        mounts={"/data": {"storage": "tank", "size": "2G"}, "/x": {"source": "/t", "uid": 0, "gid": 5}},
    )  # fmt: skip
    found = list(resource.converge(CREATE))
    assert titles(found) == [
        "pct create 101 base --hostname web --unprivileged 1 --rootfs tank:8 --tags phoenix",
        (
            "pct set 101 --memory 1024 --tags phoenix --netN name=eth0,bridge=vmbr0,ip=dhcp"
            " --mpN tank:2,mp=/data --mpN /t,mp=/x"
        ),
        "write into /etc/pve/lxc/101.conf: lxc.cap.drop: a; no lxc.apparmor.profile",
        "chown 100000:100005 /t",
        "note which parts of 101 are ours",
        "pct start 101, wait until it is ready",
    ]
    assert found[0].locks == ("conf:101", "storage:tank")
    assert {step.effect for step in found} == {Effect.HOT}


def test_a_clone_holds_its_layer_while_it_is_made():
    layer = Given("layer", "base", LAYER, None)
    resource = lxc(layer, clone="base", rootfs={"storage": "tank", "size": "9G"})
    found = list(resource.converge(CREATE))
    assert titles(found)[0] == (
        "pct clone 900 101 --hostname web --snapname phoenix_layer --full 1 --storage tank"
    )
    assert titles(found)[2] == "pct resize 101 rootfs 9G"
    assert found[0].locks == ("conf:101", "clone:900", "storage:tank")
    assert resource.parent == Layer(**LAYER)


def test_a_linked_clone_needs_a_template():
    layer = Given("layer", "base", LAYER, None)
    found = list(lxc(layer, clone="base", clone_mode="linked").converge(CREATE))
    assert "the layer `base` is no template" in reasons(found)[0]
    template = Given("layer", "base", {**LAYER, "mode": "template", "snapshot": ""}, None)
    found = list(lxc(template, clone="base", clone_mode="linked").converge(CREATE))
    assert titles(found)[0] == "pct clone 900 101 --hostname web"


def test_one_that_is_made_from_nothing_must_be_there():
    resource = Lxc(name="101")
    assert "neither `template` nor `clone`" in reasons(resource.converge(CREATE))[0]


def test_removal_names_what_is_lost_and_whose_it_was():
    text = HEAD + "tags: phoenix\nmp0: tank:subvol-101-disk-1,mp=/data\nmp1: /a,mp=/a\nunused0: tank:old\n"
    kept = Change(REMOVE.attributes, seen(text))
    (step,) = lxc(state="absent").converge(kept)
    assert (step.destroys, step.arguments) == ("lxc:101 web: its root file system", ("101", "keep"))
    assert (step.effect, step.interrupts) == (Effect.RESTART, "lxc:101 web")
    (step,) = lxc(state="absent", destroy_volumes=True).converge(kept)
    assert step.destroys == (
        "lxc:101 web: its root file system, the volume tank:subvol-101-disk-1, the volume tank:old"
    )
    (step,) = lxc(state="absent").converge(Change(REMOVE.attributes, seen(HEAD)))
    assert step.destroys.startswith("lxc:101 web, which we did not make: ")


# Small things


def test_cards_become_devices_by_their_numbers():
    given = Given("gpu", "gpu1", {"pci": "0000:05:00.0", "minor": 1, "memory": None}, None)
    resource = lxc(given, gpus=["gpu1"])
    assert list(resource.all_devices) == ["/dev/nvidia1", *devices.SHARED]
    assert {device.mode for device in resource.all_devices.values()} == {"0666"}


def test_devices_that_a_declared_driver_brings_are_that_drivers_matter():
    card = Given("gpu", "gpu1", {"pci": "0000:05:00.0", "minor": 1, "memory": None}, None)
    driver = Given("nvidia_driver", "version", "580.76.05", Ref("pve1", "nvidia_driver", "pve1"))
    own = {"/dev/nvidiactl": {}, "/dev/fuse": {}}
    assert lxc(card, gpus=["gpu1"]).needed_devices == ["/dev/nvidia1", *devices.SHARED]
    assert lxc(card, driver, gpus=["gpu1"]).needed_devices == []
    assert lxc(card, driver, gpus=["gpu1"], devices=own).needed_devices == ["/dev/fuse"]


def test_the_drivers_numbers_are_read():
    text = (
        "/proc/driver/nvidia/gpus/0000:01:00.0/information:Device Minor: \t 0\n"
        "/proc/driver/nvidia/gpus/0000:05:00.0/information:Device Minor: \t 1\n"
    )
    assert devices.minors_of(text) == {"0000:01:00.0": 0, "0000:05:00.0": 1}


def test_folders_shared_with_others_are_mounts():
    shared = {"target": "/models", "source": "/tank/models", "read_only": True, "uid": None, "gid": None}
    resource = lxc(Given("mounts", "web", shared, None))
    assert titles(steps(resource, HEAD))[0] == "pct set 101 --mp0 /tank/models,mp=/models,ro=1"


@pytest.mark.parametrize(
    ("window", "clock", "inside"),
    [
        ("02:00-04:00", "02:00", True),
        ("02:00-04:00", "04:00", False),
        ("22:00-02:00", "23:30", True),
        ("22:00-02:00", "01:59", True),
        ("22:00-02:00", "12:00", False),
    ],
)
def test_a_window_may_go_over_midnight(window, clock, inside):
    assert parts.in_window(window, clock) is inside


@pytest.mark.parametrize(
    ("size", "said"), [("1G", "tank:1"), ("100M", "tank:0.09765625"), ("1.5T", "tank:1536")]
)
def test_sizes_are_allocated_in_gib(size, said):
    assert parts.Mount(storage="tank", size=size).allocation == said


def test_notes_are_read():
    text = "/n/101:from 900 f00\n/n/101.parts:net.eth0\n/n/101.parts:mounts./a\n/n/102:from x\n"
    assert note_of(text, "101") == Note("from 900 f00", frozenset({"net.eth0", "mounts./a"}), True)
    assert note_of(text, "102") == Note("from x", frozenset(), False)
    assert note_of(text, "103") == NO_NOTE


def test_titles_can_be_pasted_into_a_shell():
    resource = lxc(description="it's; `here`\nand there", tags=["a"])
    for step in resource.converge(CREATE):
        if step.title.startswith("pct set"):
            assert "it's; `here`\nand there" in shlex.split(step.title)


@pytest.mark.parametrize(
    "settings", [FULL, {"clone": "base", "rootfs": {"size": "9G"}}], ids=["full", "clone"]
)
def test_every_script_is_one_that_shells_accept(settings, tmp_path):
    resource = lxc(Given("layer", "base", LAYER, None), **settings)
    for artifact in resource.artifacts():
        if artifact.script:
            path = tmp_path / artifact.template
            path.write_text(Renderer().text("lxc", artifact, resource))
            for tool in (["sh", "-n"], ["shellcheck", "--shell=sh"]):
                if shutil.which(tool[0]):
                    ended = subprocess.run([*tool, path], capture_output=True, text=True, check=False)
                    assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")
