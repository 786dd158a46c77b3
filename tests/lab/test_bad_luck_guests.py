"""Containers that are not as one would wish: each trouble is named, and what is not ours is left as it is."""

import re

import pytest
from tests.lab.containers import BASE
from tests.lab.running import Sort, entry, statuses, steps
from tests.lab.small import BASE_LAYER, DATABASE, GUESTS, WEB
from tests.lab.test_apply_cuts import wait_for

ARCHIVE = "tank-archives:vztmpl/ubuntu-24.04-standard_24.04-2_amd64.tar.zst"


def refusals(document, resource):
    return [one["reason"] for one in entry(document, resource)["refusals"]]


# What cannot be made


TAKEN = f"""
pct create 960 {ARCHIVE} --hostname theirs --rootfs tank-disks:1 >/dev/null
mkdir -p /etc/pve/nodes/pve1/qemu-server /etc/pve/nodes/pve2/lxc
printf 'name: theirs\\n' >/etc/pve/nodes/pve1/qemu-server/961.conf
printf 'hostname: elsewhere\\n' >/etc/pve/nodes/pve2/lxc/962.conf
printf 'arch: amd64\\nlock: create\\n' >/etc/pve/lxc/963.conf
"""
REFUSED = {
    960: ({}, "VMID 960 is taken by the container theirs, which we did not make: {}"),
    961: ({}, "VMID 961 is taken by a virtual machine on the node pve1: {}"),
    962: ({}, "VMID 962 is taken by a container on the node pve2: {}"),
    963: ({}, "VMID 963 is taken by the container without a name, which we did not make: {}"),
    964: (
        {"devices": {"/dev/nosuch": {}}},
        "the device /dev/nosuch is not on the node, and without it new964 cannot be started",
    ),
    965: (
        {"mounts": {"/x": {"source": "/tank/one/nosuch"}}},
        "the folder /tank/one/nosuch is not on the node, and without it new965 cannot be started",
    ),
}


def test_a_vmid_that_is_taken_and_what_the_node_does_not_have_are_said_and_nothing_is_changed(small):
    small.on_node(TAKEN)
    small.declare(
        {f"{vmid}-new{vmid}": {"lxc": {**BASE, **further}} for vmid, (further, _) in REFUSED.items()}
    )
    before = small.all_of_it()
    with small.nothing_done():
        planned = small.plan()
        applied = small.run("apply", "--yes")
        verbs = [small.run("stop", "new960"), small.run("recreate", "new960", "--yes")]
    said = {vmid: refusals(planned, f"lxc:{vmid}") for vmid in REFUSED}
    todo = "move it, or choose another VMID"
    assert said == {vmid: [reason.format(todo)] for vmid, (_, reason) in REFUSED.items()}
    assert (planned["exit"], applied.status, steps(planned)) == (1, 1, [])
    assert [ran.status for ran in verbs] == [1, 1]
    assert all("is the container theirs, which we did not make, not new960" in ran.err for ran in verbs)
    assert small.all_of_it() == before


def test_one_that_is_there_already_under_its_own_name_is_taken_as_it_is(small):
    small.on_node(f"pct create 960 {ARCHIVE} --hostname new --unprivileged 1 --rootfs tank-disks:1 --cores 3")
    small.declare({"960-new": {"lxc": {**BASE, "cores": 1}}})
    planned = small.plan()
    assert steps(planned) == ["pct set 960 --cores 1", "pct start 960, wait until it is ready"]
    assert small.run("apply", "--yes").status == 0
    assert "tags" not in small.conf(960)


def test_a_guest_that_moved_to_another_node_is_reported_and_left_there(small):
    small.on_node(
        "pct stop 950; mkdir -p /etc/pve/nodes/pve2/lxc; mv /etc/pve/lxc/950.conf /etc/pve/nodes/pve2/lxc/"
    )
    before = small.all_of_it()
    with small.nothing_done():
        planned = small.plan()
        applied = small.apply()
    reason = "VMID 950 is taken by a container on the node pve2: move it, or choose another VMID"
    assert refusals(planned, "lxc:950") == [reason]
    assert applied["stuck"] == {"pve1/lxc:950": reason}
    assert statuses(applied) == {"lxc:950": "drift", "host_file:/etc/web.conf": "blocked"}
    assert small.all_of_it() == before


WRONG = {
    "960-small": {"lxc": {"clone": "base", "rootfs": {"size": "512M"}}},
    "961-placed": {"lxc": {**BASE, "rootfs": {"storage": "tank-hooks", "size": "1G"}}},
    "962-bound": {"lxc": {**BASE, "mounts": {"/x": {"source": "/srv/x"}}}},
    "963-layer": {"lxc": {**BASE, "mounts": {"/x": {"source": "/tank/one"}}}, "lxc_layer": {}},
    "964-child": {"lxc": {"clone": "web"}},
}


def test_what_the_files_alone_show_to_be_impossible_is_said_before_anything_is_asked(small):
    small.declare(WRONG)
    with small.nothing_done():
        planned = small.run("plan")
    said = re.findall(r"guests/(\d+)-\S+: (?:lxc:\d+: )?(.*) \[(V-\d\d)\]", planned.err)
    assert (planned.status, said) == (
        1,
        [
            ("960", "its disk of 512 MiB is smaller than the 1 GiB of its layer `base`", "V-13"),
            ("961", "the storage `tank-hooks` does not take `rootdir`", "V-17"),
            ("962", "`/srv/x` does not lie under a declared dataset's mountpoint", "V-30"),
            ("963", "`/tank/one` is mounted into the layer `layer`", "V-13"),
            ("964", "`web` is no layer on this node: a layer's file has a section `lxc_layer`", "V-13"),
        ],
    )


def test_a_layer_that_lost_its_seal_is_sealed_again_before_it_is_cloned(small):
    small.on_node("pct delsnapshot 900 phoenix_layer")
    small.declare({"960-new": {"lxc": {"clone": "base"}}})
    alone = small.apply("--target", "lxc:960")
    assert (alone["exit"], steps(alone)) == (1, [])  # its layer is not in the run's scope
    before = small.all_of_it()
    applied = small.apply()
    acts = [title.partition(" --")[0] for title in steps(applied)]
    assert (applied["exit"], acts[:3]) == (
        0,
        [
            "pct start 900, wait until it is ready",
            "pct shutdown 900; pct snapshot 900 phoenix_layer",
            "pct clone 900 960",
        ],
    )
    assert {step["resource"] for step in applied["steps"]} == {
        f"pve1/{ref}" for ref in ("lxc:900", "lxc_layer:900", "lxc:960")
    }
    after = small.all_of_it()
    assert {name: after[name] for name in before if "95" in name} == {
        name: text for name, text in before.items() if "95" in name
    }


# Locks


def lock(site, vmid, name):
    site.on_node(f"sed -i '1i lock: {name}' /etc/pve/lxc/{vmid}.conf")


def unlock(site, vmid):
    site.on_node(f"pct unlock {vmid}")


def test_who_holds_a_lock_is_waited_for_as_long_as_declared_and_then_said(small):
    small.change(WEB, memory="300M", lock_wait=1)
    lock(small, 950, "backup")
    before = small.conf(950)
    applied = small.apply()
    (reason,) = applied["stuck"].values()
    assert "lxc:950 web is locked (backup) for more than 1 s: a backup of it is running." in reason
    assert (applied["exit"], small.conf(950)) == (1, before)

    small.change(WEB, memory="300M", lock_wait=600)
    started = small.start("apply", "--yes")
    wait_for(lambda: len([act for act in small.node.actions() if "950-wait" in act["command"]]) > 2)
    unlock(small, 950)
    ended = started.end()
    assert ended.status == 0, ended
    assert "memory: 300\n" in small.conf(950)


def test_a_layer_that_somebody_else_clones_is_waited_for_and_not_unlocked(small):
    small.declare({"960-new": {"lxc": {"clone": "base", "lock_wait": 1}}})
    lock(small, 900, "disk")
    applied = small.apply()
    (reason,) = applied["stuck"].values()
    assert "its layer 900 is locked (disk) for more than 1 s: it is being cloned" in reason
    assert "lock: disk\n" in small.conf(900)
    assert applied["exit"] == 1


# Somebody else at the same time


MEANWHILE = (
    "pct set 950 --cores 1 --description theirs --tags 'phoenix;theirs' --nameserver 10.9.9.9 "
    "--net7 name=eth7,bridge=vmbr0 && printf 'lxc.environment: THEIRS=1\\n' >>/etc/pve/lxc/950.conf"
)


def test_a_conf_that_was_changed_since_the_look_is_never_overwritten(small):
    small.change(WEB, memory="300M", cores=4)
    small.fault(Sort.CHANGE, 1, MEANWHILE)
    applied = small.apply()
    first, second = applied["steps"]
    assert (first["title"], first["status"] != 0) == ("pct set 950 --memory 300 --cores 4", True)
    assert "detected modified configuration" in first["said"]
    assert (second["title"], second["status"]) == ("pct set 950 --memory 300 --cores 4", 0)
    assert (applied["exit"], statuses(applied)) == (0, {})
    conf = small.conf(950)
    kept = ("#theirs", "tags: phoenix;theirs", "lxc.environment: THEIRS=1", "nameserver: 10.9.9.9")
    assert all(f"{line}\n" in conf for line in (*kept, "memory: 300", "cores: 4"))
    assert "name=eth7,bridge=vmbr0" in conf


def test_raw_lines_that_were_changed_since_the_look_are_never_overwritten(small):
    small.change(DATABASE, raw={"lxc.cap.drop": ["mac_override"]}, restart="auto")
    small.fault(Sort.CHANGE, 2, "printf 'lxc.environment: THEIRS=1\\n' >>/etc/pve/lxc/951.conf")
    applied = small.apply()
    assert [step["status"] for step in applied["steps"]] == [1, 0, 0]
    assert "somebody else has changed its conf meanwhile: look again" in applied["steps"][0]["said"]
    assert (applied["exit"], statuses(applied)) == (0, {})
    assert "lxc.environment: THEIRS=1\n" in small.conf(951)


STRANGE = r"""
pct snapshot 951 theirs --description 'before: all'
pct set 951 --description 'Theirs, 100 %' --mp7 /tank/two,mp=/two --tags 'ai;phoenix;web'
pct set 951 --tty 4 --searchdomain theirs.test --net7 name=eth7,bridge=vmbr0
printf 'lxc.environment: THEIRS=1\n' | sed -i '/^unprivileged/r /dev/stdin' /etc/pve/lxc/951.conf
"""
OUR_LINES = re.compile(
    r"^(#Ours|#The.*|memory: .*|cores: .*|lxc\.cap\.drop: .*|rootfs: .*|mp0: .*|hostname: .*)\n", re.MULTILINE
)


def test_what_others_put_into_a_conf_survives_every_path(small):
    """A setting, a resize, raw lines, a restart, and being made anew."""
    small.on_node(STRANGE)
    sections = re.split(r"^(?=\[)", small.conf(951), flags=re.MULTILINE)
    theirs = [OUR_LINES.sub("", section) for section in sections]
    assert [re.match(r"\[.*\]", section)[0] for section in sections[1:]] == ["[pve:pending]", "[theirs]"]

    small.change(
        DATABASE,
        description="Ours",
        memory="256M",
        cores=2,
        rootfs={"storage": "tank-disks", "size": "3G"},
        raw={"lxc.cap.drop": ["mac_override"]},
    )
    applied = small.apply()
    assert "pending" in entry(small.plan(), "lxc:951")["refusals"][0]["attribute"]
    assert applied["exit"] == 1  # raw lines wait for a start
    after = re.split(r"^(?=\[)", small.conf(951), flags=re.MULTILINE)
    assert [OUR_LINES.sub("", section) for section in after] == theirs
    assert {"#Ours", "memory: 256", "lxc.cap.drop: mac_override"} <= set(after[0].splitlines())


# Not ready


def test_one_that_does_not_come_up_is_said_with_its_last_words_and_blocks_only_what_needs_it(small):
    never = {"command": "test -e /nosuch", "seconds": 1}
    small.declare(
        {
            "960-new": {"lxc": {**BASE, "ready": never}, "host_file": {"/etc/x": {"content": "x"}}},
            "961-next": {"lxc": {**BASE, "after": ["new"]}},
            "962-other": {"lxc": BASE, "host_file": {"/etc/x": {"content": "x"}}},
        }
    )
    applied = small.apply()
    assert applied["exit"] == 1
    assert statuses(applied) == {
        "lxc:960": "unhealthy",
        "lxc:961": "blocked",
        "host_file:/etc/x": "blocked",
    }
    assert applied["resources"]["other/host_file:/etc/x"] == "ok"
    (reason,) = applied["stuck"].values()
    assert "Started pve-container@960.service" in reason
    assert reason.endswith(
        "lxc:960 new was started, and is not ready after 1 s: this fails inside: test -e /nosuch"
    )
    again = small.run("apply", "--yes")
    assert (again.status, "✗ pve1/lxc:960: unhealthy: ready: shell: 1, not 0" in again.out) == (1, True)


# What waits for a start


LATE = {"features": {"nesting": True}, "nameserver": ["10.0.0.9"], "raw": {"lxc.cap.drop": ["mac_override"]}}
NAMES = ["features", "nameserver", "raw.lxc.cap.drop"]


def pids(site):
    return {name: text for name, text in site.all_of_it().items() if name.startswith("pid ")}


def test_what_waits_for_a_start_is_never_success_and_only_auto_restarts_and_only_that_one(small):
    before = pids(small)
    small.change(DATABASE, **LATE)
    applied = small.apply()
    wait = f"{', '.join(NAMES)} wait for the next start of database: `phoenix restart database`"
    assert (applied["exit"], applied["stuck"]) == (1, {"pve1/lxc:951": wait})
    with small.nothing_done():
        planned = small.plan()
        again = small.run("apply", "--yes")
        verified = small.run("verify", "--target", "lxc:951")
    assert (planned["exit"], again.status, verified.status) == (1, 1, 1)
    (change,) = entry(planned, "lxc:951")["changes"]
    assert (change["attribute"], change["actual"]) == ("pending", NAMES)
    assert pids(small) == before

    small.change(DATABASE, **LATE, restart="window", restart_window="00:00-00:01")
    small.on_node("printf '#!/bin/sh\\necho 12:00\\n' >/usr/local/sbin/date; chmod +x /usr/local/sbin/date")
    with small.nothing_done():
        planned = small.plan()
    when = "done between 00:00-00:01 by the node's clock"
    reason = f"{', '.join(NAMES)} wait for the next start of database: {when}"
    assert (planned["exit"], refusals(planned, "lxc:951")) == (1, [reason])
    small.on_node("printf '#!/bin/sh\\necho 00:00\\n' >/usr/local/sbin/date")
    (step,) = entry(small.plan(), "lxc:951")["steps"]
    assert (step["effect"], step["interrupts"]) == ("restart", "lxc:951 database")
    small.on_node("rm /usr/local/sbin/date")

    small.change(DATABASE, **LATE, restart="auto")
    planned = small.run("plan")
    assert planned.status == 2
    assert "interrupts: lxc:951 database\n" in planned.out
    applied = small.apply()
    assert (applied["exit"], steps(applied)) == (0, ["pct reboot 951, wait until it is ready"])
    after = pids(small)
    assert {name for name in before if after[name] != before[name]} == {"pid 951"}


def test_a_mount_that_is_declared_no_longer_waits_for_a_start_too(small):
    small.change(WEB, mounts={})
    applied = small.apply()
    assert applied["exit"] == 1
    assert applied["stuck"] == {
        "pve1/lxc:950": "mounts./one waits for the next start of web: `phoenix restart web`"
    }
    assert small.run("restart", "web").status == 0
    assert small.plan()["exit"] == 0


# Away with it


def test_a_container_goes_only_when_told_twice_and_takes_nothing_else_with_it(small):
    small.on_node("echo kept >/tank/more/subvol-951-disk-0/file")
    small.change(DATABASE, state="absent")
    before = small.all_of_it()
    with small.nothing_done():
        planned = small.plan()
        applied = small.run("apply", "--yes", "--prune")
    lost = "would destroy lxc:951 database: its root file system: needs `--allow-destroy lxc:951`"
    assert (planned["exit"], refusals(planned, "lxc:951"), applied.status) == (1, [lost], 1)
    (small.folder / f"configs/guests/{DATABASE}.yaml").unlink()
    with small.nothing_done():
        orphan = small.plan()
        pruned = small.run("apply", "--yes", "--prune")
    assert (orphan["exit"], orphan["orphans"], pruned.status) == (0, ["pve1/lxc:951"], 1)
    assert small.all_of_it() == before

    gone = small.apply("--prune", "--allow-destroy", "lxc:951")
    assert (gone["exit"], steps(gone)) == (0, ["pct shutdown 951; pct destroy 951"])
    after = small.all_of_it()
    assert before.keys() - after.keys() == {"/etc/pve/nodes/pve1/lxc/951.conf", "pid 951"}
    assert set(before["datasets"].split()) - set(after["datasets"].split()) == {
        "tank/disks/subvol-951-disk-0"
    }
    same = before.keys() & after.keys() - {"datasets", "notes", "running"}
    assert {name: after[name] for name in same} == {name: before[name] for name in same}

    small.declare({DATABASE: GUESTS[DATABASE]})
    assert small.run("apply", "--yes").status == 0
    assert "mp0: tank-more:subvol-951-disk-0,mp=/data" in small.conf(951)
    assert small.on_node("lxc-attach -n 951 --clear-env -- cat /data/file") == "kept\n"


# Inside


FILE = "web/host_file:/etc/web.conf"
ATTACH = "/usr/local/sbin/lxc-attach"


def inside(site, command):
    return site.on_node(f"lxc-attach -n 950 --clear-env -- /bin/sh -c '{command}'")


def test_a_guest_that_somebody_stopped_is_started_and_looked_into_again(small):
    inside(small, "echo other >/etc/web.conf")
    small.on_node("pct stop 950")
    planned = small.plan()
    assert entry(planned, "host_file:/etc/web.conf")["after"] == "pve1/lxc:950"
    applied = small.apply()
    assert (applied["exit"], [step["resource"] for step in applied["steps"]]) == (0, ["pve1/lxc:950", FILE])


@pytest.mark.parametrize(
    ("tool", "why"),
    [
        (
            "echo lxc-attach: no such cgroup >&2; exit 1",
            "guest `web` cannot be entered: lxc-attach: no such cgroup",
        ),
        ("kill -9 $$", "guest `web` cannot be entered: "),
        ("echo only noise; exit 0", "guest `web` cannot be entered: lxc-attach ended with 0"),
    ],
    ids=["is refused", "dies", "says something else"],
)
def test_a_guest_that_cannot_be_entered_is_unknown_inside_and_the_rest_is_repaired(small, tool, why):
    small.on_node(
        f"mv {ATTACH} {ATTACH}.real; printf '%s\\n' '#!/bin/sh' 'case \"$*\" in *\"-n 950\"*) {tool};; esac' "
        f"'exec {ATTACH}.real \"$@\"' >{ATTACH}; chmod +x {ATTACH}; pct set 951 --memory 100"
    )
    planned = small.plan()
    assert (planned["exit"], planned["resources"][FILE]) == (3, "unknown")
    reasons = entry(planned, "host_file:/etc/web.conf")["reasons"]
    assert reasons
    assert all(why in reason for reason in reasons)
    applied = small.apply()
    assert (applied["exit"], steps(applied)) == (3, ["pct set 951 --memory 128"]) or (
        applied["exit"],
        statuses(applied)["lxc:950"],
    ) == (1, "unhealthy")
    assert "host_file:/etc/web.conf" in statuses(applied)
    assert small.node.actions()[-1]["command"].startswith("pct set 951")


def test_what_is_declared_no_longer_inside_is_an_orphan_there_and_only_there(small):
    inherited = small.plan()["orphans"]
    small.change(WEB, "host_file", **{"/etc/more.conf": {"content": "more\n"}})
    assert small.run("apply", "--yes").status == 0
    small.declare({WEB: GUESTS[WEB]})
    planned = small.plan()
    assert (inherited, planned["exit"]) == ([], 0)
    assert planned["orphans"] == ["web/host_file:/etc/more.conf"]
    pruned = small.apply("--prune")
    assert (pruned["exit"], {step["resource"] for step in pruned["steps"]}) == (
        0,
        {"web/host_file:/etc/more.conf"},
    )
    assert inside(small, "ls /etc/more.conf /etc/layer.conf 2>/dev/null || true") == "/etc/layer.conf\n"


@pytest.mark.parametrize("narrowed", [("--host", "web"), ("--target", "web")])
def test_a_guest_can_be_changed_alone(small, narrowed):
    inside(small, "echo other >/etc/web.conf")
    small.on_node("pct set 950 --memory 100; pct set 951 --memory 100; zfs set atime=off tank/one")
    applied = small.apply(*narrowed)
    assert {step["resource"] for step in applied["steps"]} == {"pve1/lxc:950", FILE}
    assert applied["exit"] == 0
    assert "memory: 100\n" in small.conf(951)


def test_a_new_content_of_a_layer_seals_it_anew_and_leaves_its_clones(small):
    before = small.all_of_it()
    small.change(BASE_LAYER, "host_file", **{"/etc/layer.conf": {"content": "layer = 2\n"}})
    applied = small.apply()
    assert (applied["exit"], {step["resource"] for step in applied["steps"]}) == (
        0,
        {"pve1/lxc:900", "base/host_file:/etc/layer.conf", "pve1/lxc_layer:900"},
    )
    with small.nothing_done():
        planned = small.plan()
        verified = small.run("verify")
    assert (planned["exit"], planned["entries"], verified.status) == (0, [], 0)
    assert list(planned["notices"]) == ["pve1/lxc:950"]
    assert "worth knowing" in verified.out
    after = small.all_of_it()
    seal = "/etc/pve/nodes/pve1/lxc/900.conf"
    assert {name for name in before if after[name] != before[name]} <= {seal, "notes"}
    assert small.run("recreate", "web", "--yes").status == 0
    assert (small.plan()["notices"], small.plan()["exit"]) == ({}, 0)
    assert inside(small, "cat /etc/layer.conf") == "layer = 2\n"
