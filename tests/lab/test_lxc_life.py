"""Containers from nothing to nothing: made, cut, restarted, locked, grown, cloned, destroyed."""

import pytest
from tests.lab.containers import BASE, NODE, Containers

from phoenix_hypervisor.config import load
from phoenix_hypervisor.converge.engine import Engine
from phoenix_hypervisor.converge.plan import Consent, build
from phoenix_hypervisor.errors import ExitCode
from phoenix_hypervisor.inspect.fleet import Fleet
from phoenix_hypervisor.inspect.looks import Status
from phoenix_hypervisor.inspect.opening import OpenSite
from phoenix_hypervisor.inspect.session import inspect
from phoenix_hypervisor.resource import Effect, Ref

ARCHIVE = "tank-archives:vztmpl/ubuntu-24.04-standard_24.04-2_amd64.tar.zst"
CONF = "/etc/pve/lxc/101.conf"
SIMPLE = {
    **BASE,
    "memory": "128M",
    "net": {"eth0": {"bridge": "vmbr0", "ip": "dhcp"}},
    "mounts": {"/data": {"storage": "tank-disks", "size": "1G"}, "/one": {"source": "/tank/one"}},
}


@pytest.fixture(scope="session")
def _ready_node(tmp_path_factory):
    made = Containers.fresh(tmp_path_factory.mktemp("containers") / "ready")
    assert made.apply().code is ExitCode.OK
    return made


@pytest.fixture(scope="session")
def _with_one(_ready_node, tmp_path_factory):
    made = _ready_node.copy(tmp_path_factory.mktemp("containers") / "one")
    made.declare({"101-sample": {"lxc": SIMPLE}})
    run = made.apply()
    assert (run.outcome.stuck, run.code) == ({}, ExitCode.OK)
    assert [ran.title for ran in run.outcome.ran] == run.titles
    assert made.apply().nothing
    return made


@pytest.fixture
def node(_ready_node, tmp_path):
    """A node with all that containers need, and none."""
    return _ready_node.copy(tmp_path / "site")


@pytest.fixture
def one(_with_one, tmp_path):
    """The same with one container."""
    return _with_one.copy(tmp_path / "site")


def simple(**settings):
    return {"101-sample": {"lxc": {**SIMPLE, **settings}}}


def mac(conf):
    return conf.partition("hwaddr=")[2].partition(",")[0]


# Made


def test_a_container_that_was_just_made_carries_our_tag_and_notes(one):
    assert "tags: phoenix\n" in one.conf()
    notes = one.on_node("cd /var/lib/phoenix/made/lxc && grep -H '' 101 101.parts").splitlines()
    assert notes[0] == f"101:from {ARCHIVE}"
    assert notes[1:] == [f"101.parts:{part}" for part in ("mounts./data", "mounts./one", "net.eth0")]


def test_one_that_has_nothing_but_its_root_is_whole(node):
    node.declare({"101-sample": {"lxc": {**BASE, "state": "stopped"}}})
    assert node.apply().code is ExitCode.OK
    assert node.run().nothing


@pytest.mark.parametrize("lock", ["", "lock: create\n", "lock: mounted\n"])
def test_one_that_a_run_left_half_made_is_finished(node, lock):
    node.on_node(
        "mkdir -p /var/lib/phoenix/made/lxc && echo from >/var/lib/phoenix/made/lxc/101 &&"
        f" pct create 101 {ARCHIVE} --hostname half --unprivileged 1 --rootfs tank-disks:1 --tags phoenix"
        f" && printf '%s' '{lock}' >>{CONF}"
    )
    node.declare(simple(hostname="half"))
    run = node.apply()
    assert (run.outcome.stuck, run.code) == ({}, ExitCode.OK)
    assert run.titles[0].startswith("pct create 101 ")
    assert node.run().nothing
    volumes = node.on_node("zfs list -Ho name -r tank/disks").split()
    assert volumes == ["tank/disks", "tank/disks/subvol-101-disk-0", "tank/disks/subvol-101-disk-1"]


def test_somebody_elses_container_of_that_number_is_left_alone_and_its_name_is_said(node):
    node.on_node(f"pct create 101 {ARCHIVE} --hostname theirs --unprivileged 1 --rootfs tank-disks:1")
    node.declare({"101-sample": {"lxc": {**BASE, "state": "stopped", "hostname": "ours"}}})
    run = node.apply()
    said = "VMID 101 is taken by the container theirs, which we did not make"
    assert (run.titles, run.reasons) == ([], [f"{said}: move it, or choose another VMID"])


def test_a_container_of_that_number_and_name_is_taken_over_as_it_is(node):
    node.on_node(f"pct create 101 {ARCHIVE} --hostname sample --unprivileged 1 --rootfs tank-disks:1")
    node.declare({"101-sample": {"lxc": {**BASE, "state": "stopped"}}})
    assert node.run().nothing
    node.declare({"101-sample": {"lxc": {**BASE, "state": "stopped", "memory": "128M"}}})
    assert node.apply().titles == ["pct set 101 --memory 128"]
    assert node.run().orphans == []


def test_a_number_that_a_virtual_machine_has_is_said_and_nothing_is_done(node):
    node.on_node("mkdir -p /etc/pve/nodes/pve2/qemu-server && touch /etc/pve/nodes/pve2/qemu-server/101.conf")
    node.on_node("lxc-ls")  # what is moved by hand the lab notices with that
    node.declare(simple())
    run = node.apply()
    assert run.reasons == [
        "VMID 101 is taken by a virtual machine on the node pve2: move it, or choose another VMID"
    ]
    assert (run.titles, run.code) == ([], ExitCode.FAILED)


def test_one_that_could_not_start_is_not_made_and_it_is_said_why(node):
    node.declare(simple(mounts={"/gone": {"source": "/tank/one/gone"}}))
    run = node.apply()
    lost = "the folder /tank/one/gone is not on the node, and without it sample cannot be started"
    assert (run.titles, run.reasons, run.code) == ([], [lost], ExitCode.FAILED)
    node.on_node("mkdir /tank/one/gone")
    assert node.apply().code is ExitCode.OK


def test_one_that_was_stopped_is_not_started_without_its_folder(one):
    one.declare(simple(mounts={**SIMPLE["mounts"], "/in": {"source": "/tank/one/in"}}))
    one.on_node("mkdir /tank/one/in")
    assert one.apply().code is ExitCode.OK
    one.on_node("pct stop 101 && rmdir /tank/one/in")
    run = one.apply()
    lost = "the folder /tank/one/in is not on the node, and without it sample cannot be started the next time"
    assert (run.titles, run.reasons) == ([], [lost])
    ended = one.node.run("sh /var/lib/phoenix/scripts/lxc/101-start.sh")
    said = "lxc:101 sample is not started: missing on the node: /tank/one/in\n"
    assert (ended.status, ended.stderr.decode()) == (1, said)


def test_one_that_does_not_get_ready_is_told_what_fails(node):
    node.declare(simple(ready={"command": "test -e /run/never", "seconds": 1}))
    run = node.apply()
    said = "was started, and is not ready after 1 s: this fails inside: test -e /run/never"
    assert said in run.outcome.ran[-1].said
    assert run.code is ExitCode.FAILED
    again = node.apply()
    assert (again.titles, again.entry().look.status) == ([], Status.UNHEALTHY)
    node.on_node("pct exec 101 -- touch /run/never")
    assert node.apply().nothing


# Changed


def test_what_waits_for_a_restart_is_told_until_somebody_restarts_it(one):
    one.declare(simple(features={"nesting": True}))
    run = one.apply()
    assert run.reasons == ["features waits for the next start of sample: `phoenix restart sample`"]
    assert (run.titles, run.code) == (["pct set 101 --features nesting=1"], ExitCode.FAILED)
    again = one.apply()
    assert (again.titles, again.differences()) == ([], {"pending": (["features"], [])})
    one.on_node("pct reboot 101")
    assert one.run().nothing


def test_raw_lines_wait_for_a_restart_even_when_proxmox_writes_its_configuration_anew(one):
    one.declare(simple(raw={"lxc.cap.drop": "mac_admin"}))
    one.apply()
    one.on_node("pct set 101 --memory 130 && pct set 101 --memory 128")
    run = one.run()
    assert run.differences() == {"pending": (["raw"], [])}
    assert run.reasons == ["raw waits for the next start of sample: `phoenix restart sample`"]
    one.on_node("pct reboot 101")
    assert one.run().nothing


def test_in_its_window_it_is_restarted_and_outside_of_it_not(one):
    clock = one.on_node("date +%H").strip()
    now, other = (
        f"{clock}:00-{(int(clock) + 2) % 24:02}:00",
        f"{(int(clock) + 3) % 24:02}:00-{(int(clock) + 4) % 24:02}:00",
    )
    late = {"features": {"nesting": True}, "restart": "window"}
    one.declare(simple(**late, restart_window=other))
    assert f"done between {other} by the node's clock" in one.run().reasons[0]
    one.declare(simple(**late, restart_window=now))
    run = one.apply()
    reboot = run.steps[-1]
    assert (reboot.effect, reboot.interrupts) == (Effect.RESTART, "lxc:101 sample")
    assert (run.code, one.run().nothing) == (ExitCode.OK, True)


def test_its_address_stays_whatever_else_of_an_interface_changes(one):
    before = mac(one.conf())
    one.declare(simple(net={"eth0": {"bridge": "vmbr0", "ip": "10.0.0.7/24", "tag": 5}}))
    assert one.apply().code is ExitCode.OK
    assert mac(one.conf()) == before


def test_a_mount_keeps_its_number_and_what_goes_is_only_detached(one):
    one.on_node("pct exec 101 -- sh -c 'echo precious >/data/file'")
    mounts = {"/one": {"source": "/tank/one"}, "/more": {"storage": "tank-disks", "size": "1G"}}
    one.declare(simple(mounts=mounts, restart="auto"))
    run = one.apply()
    assert run.titles[0] == "pct set 101 --mp2 tank-disks:1,mp=/more --delete mp0"
    conf = one.conf()
    assert "unused0: tank-disks:subvol-101-disk-1\n" in conf
    assert "mp1: /tank/one,mp=/one\n" in conf
    assert one.on_node("cat /tank/disks/subvol-101-disk-1/file") == "precious\n"
    assert one.run().nothing


def test_a_volume_grows_and_never_shrinks(one):
    one.declare(simple(rootfs={"storage": "tank-disks", "size": "2G"}))
    assert one.apply().titles == ["pct resize 101 rootfs 2G"]
    one.declare(simple())
    run = one.apply()
    assert run.reasons == ["its root file system has 2G, and no volume is made smaller (1G)"]
    assert run.titles == []


def test_a_volume_that_grew_in_a_run_that_was_cut_is_noticed(one):
    one.declare(simple(rootfs={"storage": "tank-disks", "size": "2G"}))
    one.apply()
    one.on_node(f"sed -i '/^rootfs/s/size=2G/size=1G/' {CONF}")
    assert one.apply().code is ExitCode.OK
    assert "size=2G" in one.conf().partition("rootfs")[2].partition("\n")[0]


def test_one_that_is_locked_is_waited_for_and_then_it_is_said_who_holds_it(one):
    one.on_node(f"printf 'lock: backup\\n' >>{CONF}")
    one.declare(simple(memory="256M", lock_wait=0))
    run = one.apply()
    assert run.titles[0] == "wait up to 0 s for the lock `backup` of 101"
    said = run.outcome.stuck[Ref(NODE, "lxc", "101")]
    assert "lxc:101 sample is locked (backup) for more than 0 s: a backup of it is running." in said
    one.on_node("pct unlock 101")
    assert one.apply().titles == ["pct set 101 --memory 256"]


def test_what_somebody_changes_between_plan_and_apply_is_looked_at_again(one):
    one.declare(simple(memory="256M"))
    site = load(one.folder)
    opened = OpenSite(site, Fleet(site.inventory, one.folder, guests=site.guests.values()))
    told = []

    def tell(event, facts):
        if event == "step" and not told:
            told.append(facts)
            one.on_node("pct set 101 --cores 1")

    looks = inspect(opened, opened.scope(()), probes=True).looks()
    outcome = Engine(opened, build(site, looks), looks, Consent(), tell).run()
    opened.fleet.close()
    assert (outcome.stuck, outcome.code) == ({}, ExitCode.OK)
    assert {line for line in one.conf().splitlines() if line.startswith(("cores", "memory"))} == {
        "cores: 1",
        "memory: 256",
    }


def test_it_is_shut_down_when_it_should_not_run(one):
    one.declare(simple(state="stopped"))
    run = one.apply()
    assert run.titles == ["pct shutdown 101 --timeout 60"]
    assert (run.effect, run.steps[0].interrupts) == (Effect.RESTART, "lxc:101 sample")
    assert one.run().nothing


def test_a_protected_one_keeps_its_volumes_until_protection_ends(one):
    one.declare(simple(protection=True))
    one.apply()
    larger = {"/data": {"storage": "tank-disks", "size": "1G", "backup": True}}
    one.declare(simple(protection=True, mounts=larger))
    assert "is protected" in one.apply().reasons[0]
    one.declare(simple(protection=False, mounts=larger, restart="auto"))
    assert one.apply().code is ExitCode.OK
    assert one.run().nothing


# Raw lines


def raw_script(site):
    return "sh /var/lib/phoenix/scripts/lxc/101-raw.sh"


def test_all_but_the_declared_raw_lines_stays_byte_for_byte(one):
    theirs = (
        r"#a note\nlxc.environment: A=1\nlxc.cap.drop: sys_time\nfoo: bar\n\n[pve:pending]\ncmode: shell\n"
        r"\n[snap]\nlxc.cap.drop: sys_boot\nmemory: 9\n"
    )
    one.on_node(f"printf '{theirs}' >>{CONF}")
    before = one.conf()
    one.declare(simple(raw={"lxc.cap.drop": ["mac_admin", "mac_override"]}, cmode="shell"))
    one.apply()
    expected = before.replace(
        "lxc.cap.drop: sys_time\nfoo: bar\n\n[",
        "foo: bar\nlxc.cap.drop: mac_admin\nlxc.cap.drop: mac_override\n\n[",
    )
    assert one.conf() == expected


def test_raw_lines_are_not_written_while_proxmox_changes_the_conf_or_after_somebody_did(one):
    one.declare(simple(raw={"lxc.cap.drop": "mac_admin"}))
    one.apply()
    one.on_node(f"sed -i /cap.drop/d {CONF}")
    ended = one.node.run(f"{raw_script(one)} {'0' * 40}")
    assert (ended.status, ended.stderr.decode()) == (
        1,
        "lxc:101 sample keeps its raw lines: somebody else has changed its conf meanwhile: look again\n",
    )
    assert "cap.drop" not in one.conf()
    one.on_node(raw_script(one))
    assert "lxc.cap.drop: mac_admin\n" in one.conf()


# Cloned

LAYERS = {
    "100-base": {"lxc": {**BASE, "memory": "128M"}, "lxc_layer": {"mode": "snapshot"}},
    "101-sample": {
        "lxc": {
            "clone": "base",
            "memory": "256M",
            "rootfs": {"storage": "tank-more", "size": "2G"},
            "net": {"eth0": {"bridge": "vmbr0", "ip": "dhcp"}},
            "raw": {"lxc.cap.drop": "mac_admin"},
        }
    },
}


@pytest.mark.parametrize("mode", ["snapshot", "template"])
def test_a_clone_is_a_machine_of_its_own(node, mode):
    linked = {"clone_mode": "linked", "rootfs": {"size": "2G"}} if mode == "template" else {}
    clone = {"lxc": {**LAYERS["101-sample"]["lxc"], **linked}}
    node.declare({"100-base": {**LAYERS["100-base"], "lxc_layer": {"mode": mode}}, "101-sample": clone})
    run = node.apply()
    assert (run.outcome.stuck, run.code) == ({}, ExitCode.OK)
    assert [ran.title for ran in run.outcome.ran if ran.ref.name == "101"] == [
        step.title for step in run.entry().steps
    ]
    again = node.apply()
    assert (again.titles, again.notices) == ([], [])
    ours = {line.partition(":")[0]: line for line in node.conf().splitlines()}
    assert ours["rootfs"].endswith("size=2G")
    assert ours["lxc.cap.drop"] == "lxc.cap.drop: mac_admin"
    names = {node.on_node(f"pct exec {vmid} -- hostname 2>/dev/null || :") for vmid in ("101",)}
    assert names == {"sample\n"}
    mine, base = (node.on_node(f"cat {root(node, vmid)}/etc/ssh/ssh_host_*_key.pub") for vmid in (101, 100))
    assert len(mine.splitlines()) >= len(base.splitlines()) >= 1
    assert set(mine.splitlines()).isdisjoint(base.splitlines())


def root(site, vmid):
    """Where the root of a container lies on the node."""
    return site.on_node(
        f"pvesm path $(sed -n 's/^rootfs: \\([^,]*\\).*/\\1/p' /etc/pve/lxc/{vmid}.conf | head -n 1)"
    ).strip()


def test_a_clone_of_an_older_layer_is_told_and_left_alone(node):
    node.declare(LAYERS)
    assert node.apply().code is ExitCode.OK
    newer = {"lxc": {**LAYERS["100-base"]["lxc"], "features": {"nesting": True}, "restart": "auto"}}
    node.declare({**LAYERS, "100-base": {**LAYERS["100-base"], **newer}})
    assert node.apply().code is ExitCode.OK
    run = node.apply()
    assert (run.titles, run.code) == ([], ExitCode.OK)
    assert any("101" in str(notice) or "from 100" in str(notice) for notice in run.notices)


# Destroyed


def test_it_is_destroyed_only_when_it_is_named_and_its_further_volumes_stay(one):
    one.on_node("pct exec 101 -- sh -c 'echo precious >/data/file'; echo shared >/tank/one/file")
    one.declare(simple(state="absent"))
    assert one.apply().titles == []
    run = one.apply(destroy=("lxc:101",))
    assert (run.outcome.stuck, run.code) == ({}, ExitCode.OK)
    assert run.steps[0].destroys == "lxc:101 sample: its root file system"
    assert one.run().nothing
    volumes = one.on_node("zfs list -Ho name -r tank/disks").split()
    assert volumes == ["tank/disks", "tank/disks/subvol-101-disk-1"]
    assert one.on_node("cat /tank/one/file") == "shared\n"
    one.declare(simple())
    assert one.apply().code is ExitCode.OK
    assert one.on_node("pct exec 101 -- cat /data/file") == "precious\n"


def test_its_volumes_go_with_it_when_that_is_declared(one):
    one.declare(simple(state="absent", destroy_volumes=True))
    run = one.apply(destroy=("lxc:101",))
    assert run.steps[0].destroys == (
        "lxc:101 sample: its root file system, the volume tank-disks:subvol-101-disk-1"
    )
    assert one.on_node("zfs list -Ho name -r tank/disks").split() == ["tank/disks"]


def test_one_that_is_declared_no_longer_is_an_orphan_and_goes_only_when_it_is_named(one):
    one.declare({})
    assert one.run().orphans == ["lxc:101"]
    assert one.apply(prune=True).titles == []
    assert one.apply(prune=True, destroy=("lxc:101",)).code is ExitCode.OK
    assert (one.run().orphans, one.run().nothing) == ([], True)


def test_somebody_elses_container_is_no_orphan(one):
    one.on_node(f"pct create 200 {ARCHIVE} --hostname theirs --unprivileged 1 --rootfs tank-disks:1")
    assert one.run().orphans == []
