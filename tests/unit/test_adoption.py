"""A living container, said in the settings of `lxc`: all that can be said, and what cannot is named."""

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lab import transcripts

from phoenix_hypervisor.containers import adoption, conf
from phoenix_hypervisor.containers.settings import Settings
from phoenix_hypervisor.dialects import lxc_conf

from .recorded_confs import Recorded, load, name, said
from .test_dialect_lxc_conf import texts

recorded = pytest.mark.skipif(not transcripts.available(), reason="no recorded transcripts here")


@recorded
def test_a_container_with_nearly_everything() -> None:
    assert adoption.settings_of(said("02-pct", 41), "web") == (
        {
            "description": "first container: web",
            "arch": "amd64",
            "cores": 1,
            "features": {"keyctl": True, "nesting": True},
            "hostname": "web1",
            "memory": "128M",
            "nameserver": ["10.99.0.1"],
            "net": {
                "eth0": {
                    "bridge": "vmbr0",
                    "firewall": True,
                    "gw": "10.99.0.1",
                    "mac": "BC:24:11:54:80:23",
                    "ip": "10.99.0.100/24",
                }
            },
            "onboot": True,
            "ostype": "alpine",
            "rootfs": {"storage": "local", "size": "1G"},
            "searchdomain": ["oracle.test"],
            "startup": {"order": 2, "up": 5},
            "swap": "64M",
            "tags": ["prod", "web"],
        },
        (),
    )


@recorded
def test_mounts_interfaces_and_limits() -> None:
    found = adoption.settings_of(said("02-pct", 44), "db1", running=False)
    assert found.left_out == ()
    assert found.settings == {
        "state": "stopped",
        "arch": "amd64",
        "cores": 1,
        "cpulimit": 0.5,
        "cpuunits": 512,
        "memory": "64M",
        "mounts": {
            "/data": {"storage": "tank", "backup": True, "size": "1G"},
            "/media": {"source": "/srv/bind/media", "read_only": True},
        },
        "net": {
            "eth0": {
                "bridge": "vmbr0",
                "mac": "02:00:00:00:01:01",
                "ip": "dhcp",
                "ip6": "auto",
                "mtu": 1400,
                "rate": 10,
                "tag": 20,
            },
            "eth1": {"bridge": "vmbr1", "mac": "BC:24:11:07:FF:4B", "ip": "manual"},
        },
        "ostype": "alpine",
        "rootfs": {"storage": "tank", "mountoptions": ["noatime"], "size": "1G"},
        "swap": "0",
        "timezone": "host",
    }


@recorded
@pytest.mark.parametrize(
    ("topic", "number", "left_out"),
    [
        ("07-running-pending", 84, ()),
        ("03-pct-set-snap-clone", 166, ()),
        ("03-pct-set-snap-clone", 101, ("mp2: a volume needs a `size`", "net2: there is another of `eth0`")),
        ("08-template-clone-move", 6, ("template: the container is a template: declare `lxc_layer`",)),
        (
            "08-template-clone-move",
            47,
            (
                "unused0: `local:116/vm-116-disk-0.raw` belongs to the container and is not attached",
                "unused1: `data:116/vm-116-disk-0.raw` belongs to the container and is not attached",
            ),
        ),
        ("03-pct-set-snap-clone", 110, ("lock: the container is locked (backup)",)),
        (
            "03-pct-set-snap-clone",
            57,
            ("mp2: a volume", "net2: there is another of `eth0`", "hostname: there is none; it will be `CT`"),
        ),
        (
            "03-pct-set-snap-clone",
            102,
            (
                "bogus: `1` is no setting",
                "memory: `xyz` is no whole number",
                "mp2: a volume needs a `size`",
                "net2: there is another of `eth0`",
                "`this is no key value line`: Proxmox",
            ),
        ),
        (
            "07-running-pending",
            31,
            (
                "nameserver: it will be `10.99.0.53` after the container's next start",
                "ostype: it will be `debian` after the container's next start",
                "searchdomain: it will be `x.test`",
            ),
        ),
    ],
)
def test_what_cannot_be_said_is_named(topic: str, number: int, left_out: tuple[str, ...]) -> None:
    found = adoption.settings_of(said(topic, number), "CT").left_out
    assert [line[: len(start)] for line, start in zip(found, left_out, strict=True)] == list(left_out)


@recorded
def test_what_waits_is_described_as_it_will_be() -> None:
    found = adoption.settings_of(said("07-running-pending", 23), "run1b")
    assert (found.settings["ostype"], found.settings["features"]) == ("debian", {"nesting": True})
    assert "mounts" not in found.settings
    assert "mp0: it will be gone after the container's next start, and is described so" in found.left_out


@recorded
def test_a_snapshot_s_settings_are_not_the_container_s() -> None:
    settings = adoption.settings_of(said("03-pct-set-snap-clone", 144), "db1").settings
    assert (settings["memory"], settings["description"]) == ("128M", "changed")


@recorded
def test_raw_lines() -> None:
    settings = adoption.settings_of(said("03-pct-set-snap-clone", 101), "web1b").settings
    assert settings["raw"] == {
        "lxc.mount.entry": "/tmp mnt/x none bind,create=dir 0 0",
        "lxc.idmap": "u 0 100000 1000",
    }


CONF = "hostname: x\nunprivileged: 1\n"
SHARED = ["u 0 100000 1000", "u 1000 1000 1", "u 1001 101001 64535", "g 0 100000 65536"]
SHARED_LINES = "".join(f"lxc.idmap: {line}\n" for line in SHARED)


@pytest.mark.parametrize(
    ("lines", "settings"),
    [
        ([f"lxc.idmap: {line}" for line in SHARED], {"shared_ids": {"uids": {1000: 1000}}}),
        (["lxc.idmap: u 0 100000 65536", "lxc.idmap: g 0 100000 65536"], {}),
        (["lxc.idmap: u 0 200000 65536"], {"raw": {"lxc.idmap": "u 0 200000 65536"}}),
        (["lxc.idmap: what"], {"raw": {"lxc.idmap": "what"}}),
        (["lxc.apparmor.profile: unconfined"], {"apparmor": "unconfined"}),
        (
            ["lxc.apparmor.profile: a", "lxc.apparmor.profile: b"],
            {"raw": {"lxc.apparmor.profile": ["a", "b"]}},
        ),
        (
            ["lxc.cap.drop = sys_time", "lxc.autodev: 1", "lxc.cap.drop: "],
            {"raw": {"lxc.cap.drop": ["sys_time", ""], "lxc.autodev": "1"}},
        ),
        (["features: nesting=1,mount=nfs;cifs"], {"features": {"nesting": True, "mount": ["nfs", "cifs"]}}),
        (["startup: 5"], {"startup": {"order": 5}}),
        (["dev0: /dev/fuse,mode=0660,uid=1000"], {"devices": {"/dev/fuse": {"mode": "0660", "uid": 1000}}}),
        (["mp0: /srv/a,mp=/a,size=0T"], {"mounts": {"/a": {"source": "/srv/a"}}}),
        (
            ["mp0: tank:subvol-1-disk-0/subvol-2-disk-1,mp=/a,size=8G"],
            {"mounts": {"/a": {"storage": "tank", "size": "8G"}}},
        ),
        (["tags: phoenix;web"], {"tags": ["web"]}),
        (["tags: phoenix"], {}),
        (["tags: "], {}),
        (
            ["net0: name=eth7,bridge=b,trunks=20;9,type=veth"],
            {"net": {"eth7": {"bridge": "b", "trunks": [9, 20]}}},
        ),
    ],
)
def test_one_setting(lines: list[str], settings: dict[str, object]) -> None:
    text = CONF + "".join(f"{line}\n" for line in lines)
    assert adoption.settings_of(text, "x") == (settings, ())


def test_lines_of_a_privileged_container_s_map_stay_lines() -> None:
    text = "hostname: x\n" + "".join(f"lxc.idmap: {line}\n" for line in SHARED)
    assert adoption.settings_of(text, "x").settings == {"unprivileged": False, "raw": {"lxc.idmap": SHARED}}


MOST = "Input should be less than or equal to 8192"
PATH = "must be an absolute path without `//`, `.` or `..`, and not end with `/`; it is left alone"
VETH = "of the type veth can be declared; it is left alone"
UNREAD = "Proxmox cannot read this line, and drops it when it writes the file next"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("onboot: maybe", "onboot: `maybe` is neither on nor off"),
        ("cores: -1", "cores: `-1` is no whole number"),
        ("cpulimit: many", "cpulimit: `many` is no number"),
        ("rootfs: /srv/root", "rootfs: `/srv/root` lies on no storage; it is left alone"),
        ("rootfs: tank:x,size=big", "rootfs: `big` is no size"),
        ("mp0: tank:x,mp=data", f"mp0: {PATH}"),
        ("mp0: /srv/../a,mp=/data", f"mp0: `source`: {PATH}"),
        ("mp0: tank:x,mp=/a,idmap=1", "mp0: `idmap=1` cannot be declared; it is left alone"),
        ("net0: name=eth0", "net0: `bridge`: Field required; it is left alone"),
        ("net0: name=eth0,bridge=a,type=phys", f"net0: only interfaces {VETH}"),
        ("hookscript:  ", "hookscript: it is empty"),
        ("cores: 9000", f"cores: `9000` cannot be declared ({MOST}); it is left alone"),
        ("debug: 1", "debug: `1` is no setting of `lxc`; it is left alone"),
        ("lxc.cap_drop: x", f"`lxc.cap_drop: x`: {UNREAD}"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_said(line: str, why: str) -> None:
    assert adoption.settings_of(f"{CONF}{line}\n", "x") == ({}, (why,))


def test_a_setting_that_is_wrong_in_two_places_is_told_once() -> None:
    found = adoption.settings_of(f"{CONF}tags: Big;WEB;ok\ncores: 2\n", "x")
    assert found.settings == {"cores": 2}
    assert [line.partition(":")[0] for line in found.left_out] == ["tags"]


CARDS = {"small": 1, "big": 0, "spare": 2}
EVERY_USER_S = [
    "nvidiactl",
    "nvidia-uvm",
    "nvidia-uvm-tools",
    "nvidia-modeset",
    "nvidia-caps/nvidia-cap1",
    "nvidia-caps/nvidia-cap2",
]


def with_devices(*names: str) -> str:
    return CONF + "".join(f"dev{n}: /dev/{name},mode=0666\n" for n, name in enumerate(names))


def test_graphics_cards_are_called_by_their_names() -> None:
    text = with_devices("nvidia0", *EVERY_USER_S, "nvidia1", "fuse")
    assert adoption.settings_of(text, "x", cards=CARDS).settings == {
        "gpus": ["small", "big"],
        "devices": {"/dev/fuse": {"mode": "0666"}},
    }
    assert adoption.settings_of(with_devices(*EVERY_USER_S, "nvidia2"), "x", cards=CARDS).settings == {
        "gpus": ["spare"]
    }


@pytest.mark.parametrize(
    "text",
    [
        with_devices("nvidia0", *EVERY_USER_S[1:]),
        with_devices("nvidia7", *EVERY_USER_S),
        with_devices(*EVERY_USER_S),
        with_devices("nvidia0", *EVERY_USER_S).replace("nvidiactl,mode=0666", "nvidiactl,mode=0660"),
    ],
)
def test_cards_that_are_not_given_as_we_would_stay_devices(text: str) -> None:
    settings = adoption.settings_of(text, "x", cards=CARDS).settings
    assert set(settings) == {"devices"}
    assert len(settings["devices"]) == text.count("dev") // 2


def test_a_raw_key_of_old_is_left_alone() -> None:
    found = adoption.settings_of(f"{CONF}lxc.cgroup.cpu.shares: 1\n", "x")
    assert found.settings == {}
    assert "has another name today" in found.left_out[0]


def test_of_two_mounts_at_one_place_the_first_counts() -> None:
    text = f"{CONF}mp10: tank:b,mp=/a,size=1G\nmp2: fast:a,mp=/a,size=1G\n"
    found = adoption.settings_of(text, "x")
    assert found.settings == {"mounts": {"/a": {"storage": "fast", "size": "1G"}}}
    assert found.left_out == ("mp10: there is another of `/a`; this one is left alone",)


@given(texts())
def test_no_conf_is_too_strange(text: str) -> None:
    found = adoption.settings_of(text, "x")
    json.dumps(found.settings)
    Settings.model_validate({"name": "100", **found.settings})
    assert all(found.left_out)


@pytest.mark.parametrize("one", load(), ids=name)
def test_every_recorded_conf_is_described_with_all_its_keys(one: Recorded) -> None:
    found = adoption.settings_of(one.text, "CT")
    Settings.model_validate({"name": one.vmid, **found.settings})
    kept_back = {"unprivileged", "parent", "template"}
    for key in set(lxc_conf.parse(one.text).keys) - kept_back:
        setting = key.rstrip("0123456789")
        section = {"mp": "mounts", "dev": "devices"}.get(setting, setting)
        told = any(line.startswith(f"{key}: ") for line in found.left_out)
        assert section in found.settings or told or section == "tags"


def differing(text: str) -> set[str]:
    """What differs between a container and its own description."""
    found = adoption.settings_of(text, "CT100")
    lxc = Settings.model_validate({"name": "100", **found.settings})
    desired = conf.desired(lxc, frozenset())
    actual = conf.actual(lxc, lxc_conf.parse(text), frozenset())
    assert set(desired) == set(actual)
    return {key for key in desired if desired[key] != actual[key]}


switches = st.sampled_from(["0", "1", "yes", "off"])
options = {"acl": switches, "quota": switches, "replicate": switches, "shared": switches, "ro": switches}
options |= {"mountoptions": st.sampled_from(["noatime", "nodev;noatime", "discard"])}
volume_sizes = st.sampled_from(["8G", "1024M", "204M", "4T"])


def properties(
    alone: str, needed: dict[str, str], **optional: st.SearchStrategy[str]
) -> st.SearchStrategy[str]:
    """Property strings in any order, the value that may stand alone with its key or without."""

    def written(found: dict[str, str], chance: Random, bare: bool) -> str:
        parts = [f"{key}={value}" for key, value in {**needed, **found}.items()]
        chance.shuffle(parts)
        return ",".join(part.removeprefix(f"{alone}=") if bare else part for part in parts)

    chosen = st.fixed_dictionaries({}, optional=optional)
    return st.builds(written, chosen, st.randoms(use_true_random=False), st.booleans())


def net(name: str) -> st.SearchStrategy[str]:
    return properties(
        "", {"name": name, "bridge": "vmbr0"}, firewall=switches, link_down=switches,
        ip=st.sampled_from(["dhcp", "manual", "10.0.0.5/24"]), gw=st.just("10.0.0.1"),
        ip6=st.sampled_from(["auto", "dhcp", "FD00:0::2/64"]), gw6=st.just("fd00:0:0::1"),
        hwaddr=st.sampled_from(["bc:24:11:00:00:0a", "02:00:00:00:01:10"]), type=st.just("veth"),
        mtu=st.sampled_from(["1500", "0900"]), tag=st.sampled_from(["7", "007"]),
        rate=st.sampled_from(["5", "5.50", "0.5"]), trunks=st.sampled_from(["20;10", "9;100;9"]),
    )  # fmt: skip


def of_the_node(target: str) -> st.SearchStrategy[str]:
    return properties("volume", {"volume": "/srv/a b", "mp": target}, **options, backup=switches)


def of_its_own(target: str) -> st.SearchStrategy[str]:
    needed = {"volume": "tank:subvol-100-disk-1", "mp": target, "size": "8192M"}
    return properties("volume", needed, **options, backup=switches)


living = st.fixed_dictionaries(
    {"hostname": st.just("web"), "unprivileged": switches},
    optional={
        "net0": net("eth0"), "net10": net("eth1"), "net2": net("eth2"),
        "mp0": of_the_node("/a"), "mp3": of_its_own("/b"),
        "rootfs": properties("volume", {"volume": "tank:x"}, size=volume_sizes, **options),
        "dev0": properties("path", {"path": "/dev/fuse"}, uid=st.just("01"), mode=st.just("0660")),
        "dev1": properties("path", {"path": "/dev/kvm"}, gid=st.just("104"), **{"deny-write": switches}),
        "features": properties("", {}, nesting=switches, fuse=switches, mount=st.just("nfs;cifs")),
        "startup": properties("order", {"order": "3"}, up=st.just("05"), down=st.just("0")),
        "cores": st.just("4"), "cpulimit": st.sampled_from(["0", "1.50", "2"]), "cpuunits": st.just("100"),
        "memory": st.sampled_from(["512", "0256"]), "swap": st.just("0"), "onboot": switches,
        "console": switches,
        "nameserver": st.sampled_from(["10.0.0.1", "10.0.0.2 10.0.0.1", "::1,10.0.0.1"]),
        "searchdomain": st.just("b.test a.test"),
        "tags": st.sampled_from(["b;a", "phoenix;x", "a", "phoenix"]),
        "protection": switches, "tty": st.just("3"), "cmode": st.just("shell"), "timezone": st.just("host"),
        "arch": st.just("amd64"), "ostype": st.just("debian"), "hookscript": st.just("local:snippets/a.sh"),
    },
)  # fmt: skip
raw_of_the_living = st.sampled_from(
    ["", "lxc.apparmor.profile: unconfined\n", "lxc.cap.drop = sys_time\nlxc.cap.drop:\n", SHARED_LINES]
)


@given(living, raw_of_the_living, st.sampled_from(["", "#one%3A two\n", "#\n#a%25\n#\n"]))
def test_a_sound_container_is_described_whole(keys: dict[str, str], raw: str, description: str) -> None:
    text = description + "".join(f"{key}: {value}\n" for key, value in keys.items()) + raw
    assert adoption.settings_of(text, "CT100").left_out == ()
    assert differing(text) == set()


@given(texts())
def test_of_any_container_only_what_is_told_differs(text: str) -> None:
    told = {line.partition(":")[0] for line in adoption.settings_of(text, "CT100").left_out}
    assert differing(text) <= told


@pytest.mark.parametrize("one", load(), ids=name)
def test_a_recorded_container_is_what_its_description_says(one: Recorded) -> None:
    left_out = adoption.settings_of(one.text, "CT100").left_out
    nameless = any(line.startswith("hostname: ") for line in left_out)
    assert differing(one.text) == ({"hostname"} if nameless else set())
