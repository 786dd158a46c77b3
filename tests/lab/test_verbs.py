"""The verbs for named guests on a lab node: what they do, what they leave alone, what they say."""

import json
import os
import re
import signal
import time

import pytest
from tests.lab.running import LONGEST, NODE, NODE_FILE, LabSite

from phoenix_hypervisor.errors import PhoenixError
from phoenix_hypervisor.lab.faults import Sort
from phoenix_hypervisor.observe import history_screen
from phoenix_hypervisor.records import files

NODE_TEXT = """\
hardware:
  disks:
    a: {id: d1, size: 20G}
    b: {id: d2, size: 20G}
zfs_pool:
  tank: {vdevs: [{type: mirror, disks: [d1, d2]}]}
zfs_dataset:
  tank/disks: {}
  tank/archives: {}
  tank/models: {}
pve_storage:
  tank-disks: {type: zfspool, pool: tank/disks, content: [rootdir, images]}
  tank-archives: {type: dir, path: /tank/archives, content: [vztmpl]}
ct_template:
  base: {storage: tank-archives, file: ubuntu-24.04-standard_24.04-2_amd64.tar.zst}
"""
BASE = """\
lxc: {template: base, rootfs: {storage: tank-disks, size: 1G}}
lxc_layer: {}
host_file:
  /etc/layer: {content: "of the layer\\n"}
"""
CHAT = """\
lxc:
  clone: base
  memory: 4G
  shutdown_seconds: 7
  net: {eth0: {bridge: vmbr0, ip: 10.0.0.50/24, gw: 10.0.0.1}}
  mounts: {/data: {storage: tank-disks, size: 1G}}
  after: [gateway]
host_file:
  /etc/chat: {content: "hello\\n"}
"""
GATEWAY = """\
lxc:
  clone: base
  mounts: {/models: {source: /tank/models}}
"""
FILES = {
    "configs/site.yaml": "name: verbs\n",
    NODE_FILE: NODE_TEXT,
    "configs/guests/900-base.yaml": BASE,
    "configs/guests/950-vllm-chat.yaml": CHAT,
    "configs/guests/953-gateway.yaml": GATEWAY,
    "inventory/hosts.yaml": f"{NODE}: {{data: {{transport: lab}}}}\n",
}
MARK = "precious"


@pytest.fixture(scope="session")
def _with_guests(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verbs") / "site"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    site = LabSite(folder)
    site.run("lab", "up")
    try:
        site.on_node("true")
    except PhoenixError as error:
        pytest.skip(f"this machine does not let us make a lab: {error}")
    ran = site.run("apply", "--yes")
    assert ran.status == 0, ran
    site.on_node(f"pct exec 950 -- sh -c 'echo {MARK} >/data/file; echo lost >/root/lost'")
    return site


@pytest.fixture
def site(_with_guests, tmp_path):
    """A converged node with a layer, a container with a volume, and one with a folder of the node."""
    return _with_guests.copy(tmp_path / "site")


def said(ran):
    """Both streams, without how long steps took."""
    return re.sub(r"\(\d+\.\d s\)", "(… s)", ran.err + ran.out)


def conf(site, vmid="950"):
    return site.on_node(f"cat /etc/pve/lxc/{vmid}.conf")


def running(site):
    return site.on_node("lxc-ls --running -1").split()


def pids(site):
    """Each running container's init: another one after a restart."""
    return {vmid: site.on_node(f"lxc-info -n {vmid} -pH").strip() for vmid in running(site)}


def inside(site, command, vmid="950"):
    return site.on_node(f"pct exec {vmid} -- sh -c '{command}'")


# --- status -----------------------------------------------------------------------------------------------


def test_status_is_a_table_with_what_is_worth_knowing(site) -> None:
    site.on_node("pct shutdown 953; pct set 950 --delete net0")
    site.on_node("sed -i '1i lock: backup' /etc/pve/lxc/900.conf")
    ran = site.run("status")
    assert (ran.status, ran.err) == (1, "")
    assert ran.out == (
        "  VMID  NAME       NODE     STATE    UP  MEMORY   ADDRESS\n"
        "✓ 900   base       phoenix  stopped      512 MiB                locked: backup; layer\n"
        "✓ 950   vllm-chat  phoenix  running      4 GiB    10.0.0.50/24\n"
        "~ 953   gateway    phoenix  stopped      512 MiB                declared running\n"
    )


def test_status_of_one_guest_asks_its_node_once(site) -> None:
    ran = site.run("status", "950", "--json")
    assert ran.status == 0
    (guest,) = ran.document["guests"]
    assert {key: guest[key] for key in ("name", "vmid", "node", "state", "declared", "addresses")} == {
        "name": "vllm-chat",
        "vmid": 950,
        "node": NODE,
        "state": "running",
        "declared": "running",
        "addresses": ["10.0.0.50/24"],
    }
    assert ran.document["round_trips"] == {NODE: 2}  # one of them to connect
    with site.nothing_done():
        site.run("status")


def test_what_waits_for_a_restart_is_told(site) -> None:
    site.on_node("pct set 950 --features nesting=1")
    assert "waits for a restart: features" in site.run("status", "vllm-chat").out
    assert site.run("restart", "vllm-chat").status == 0
    assert "waits" not in site.run("status", "vllm-chat").out


# --- start, stop, restart ---------------------------------------------------------------------------------


def test_a_guest_is_stopped_and_started_and_nobody_else(site) -> None:
    before = pids(site)
    stopped = site.run("stop", "950")
    assert (stopped.status, said(stopped)) == (
        0,
        "950 vllm-chat is declared running: the next apply makes it so again\n"  # noqa: ISC004
        "  ✓ phoenix: pct shutdown 950 --timeout 7  (… s)\n"
        "✓ 950 vllm-chat is stopped\n",
    )
    assert pids(site) == {"953": before["953"]}
    assert site.run("stop", "950").out == "✓ 950 vllm-chat does not run\n"
    started = site.run("start", "vllm-chat")
    assert (started.status, said(started)) == (
        0,
        "  ✓ phoenix: pct start 950, wait until it is ready  (… s)\n✓ 950 vllm-chat runs\n",
    )
    assert pids(site)["953"] == before["953"]
    with site.nothing_done():
        assert site.run("start", "950").out == "✓ 950 vllm-chat runs already\n"
    done = files.listed(site.folder)[:4]
    assert [(one.run["verb"], one.end["exit"], one.counts.get("ran", 0)) for one in done] == [
        ("start", 0, 0), ("start", 0, 1), ("stop", 0, 0), ("stop", 0, 1),
    ]  # fmt: skip
    assert "done, 1 step" in "\n".join(history_screen.lines(done))


def test_a_restart_starts_anew_and_needs_a_guest_that_runs(site) -> None:
    before = pids(site)
    assert site.run("restart", "vllm-chat").status == 0
    after = pids(site)
    assert after["950"] != before["950"]
    assert after["953"] == before["953"]
    site.on_node("pct stop 950")
    with site.nothing_done():
        ran = site.run("restart", "950")
    assert (ran.status, ran.err) == (
        1,
        "error: guest 950 vllm-chat does not run\n  hint: `phoenix start vllm-chat`\n",
    )


def test_guests_that_need_each_other_are_told_and_left_as_they_are(site) -> None:
    ran = site.run("stop", "gateway")
    assert "950 vllm-chat runs and needs 953 gateway\n" in ran.err
    assert running(site) == ["950"]
    ran = site.run("restart", "950")
    assert (ran.status, running(site)) == (0, ["950"])
    assert "953 gateway does not run; 950 vllm-chat needs it\n" in ran.err
    assert "needs" not in site.run("snapshot", "950", "s1").err
    site.run("stop", "950")
    assert "needs" not in site.run("start", "953", "950").err


def test_several_guests_are_done_one_after_the_other_and_a_failure_keeps_none_back(site) -> None:
    site.on_node("sed -i '1i lock: backup' /etc/pve/lxc/950.conf")
    ran = site.run("stop", "950", "953", "gateway")
    assert ran.status == 1
    assert running(site) == ["950"]
    assert ran.err.count("error:") == 1


def test_a_guest_that_does_not_obey_is_ended_only_by_force(site) -> None:
    model = site.node.root / "var/lib/phoenix-lab/model.json"
    state = json.loads(model.read_text())
    state["guests"]["950"]["deaf"] = True
    model.write_text(json.dumps(state))
    ran = site.run("stop", "950")
    assert (ran.status, running(site)) == (1, ["950", "953"])
    assert ran.err.endswith(
        "error: `pct shutdown 950 --timeout 7` ended with 255: container did not stop\n"
        "  hint: `phoenix logs vllm-chat` may say what it waits for; `phoenix stop vllm-chat --force` ends "
        "it at once, as if its power failed\n"
    )
    assert site.run("stop", "950", "--force").status == 0
    assert running(site) == ["953"]


def test_a_guest_that_does_not_start_is_told_with_the_reason(site) -> None:
    site.on_node("pct stop 953; zfs set mountpoint=none tank/models; rmdir /tank/models || true")
    ran = site.run("start", "953")
    assert ran.status == 1
    assert "missing on the node: /tank/models" in ran.err
    assert "hint: `phoenix logs gateway` says how it began" in ran.err


# --- what stands in the way -------------------------------------------------------------------------------


def test_a_locked_guest_is_named_with_its_lock(site) -> None:
    site.on_node("sed -i '1i lock: backup' /etc/pve/lxc/950.conf")
    with site.nothing_done():
        for words in (["stop", "950"], ["snapshot", "950", "s1"], ["recreate", "950", "--yes"]):
            ran = site.run(*words)
            assert ran.status == 1, words
            assert "error: guest 950 vllm-chat is locked: backup\n" in ran.err, words
            assert "`pct unlock 950` on phoenix frees it" in ran.err


def test_a_guest_on_another_node_is_reported_and_nothing_is_done(site) -> None:
    site.on_node(
        "mkdir -p /etc/pve/nodes/other/lxc; mv /etc/pve/lxc/953.conf /etc/pve/nodes/other/lxc/; lxc-ls"
    )
    with site.nothing_done():
        for words in (["start", "953"], ["stop", "953"], ["logs", "953"], ["recreate", "953", "--yes"]):
            ran = site.run(*words)
            assert ran.status == 1, words
            assert ran.err.endswith(
                "error: guest 953 gateway is not on phoenix as declared: Proxmox has it on other\n"
                "  hint: move it back, or declare `node: other` in its file; nothing was done\n"
            ), words
    ran = site.run("status", "953")
    assert ran.status == 1
    assert "! 953   gateway  phoenix  elsewhere" in ran.out


def test_a_guest_that_is_not_there_yet_is_said(site) -> None:
    (site.folder / "configs/guests/960-new.yaml").write_text("lxc: {clone: base}\n")
    ran = site.run("start", "new")
    assert (ran.status, ran.err) == (
        1,
        "error: guest 960 new is not there\n  hint: `phoenix apply --host new` makes it\n",
    )
    ran = site.run("status", "new")
    assert (ran.status, ran.out.splitlines()[1]) == (
        1,
        "~ 960   new   phoenix  missing                       declared to be there",
    )


def test_two_runs_do_not_change_a_node_at_once(site) -> None:
    site.fault(Sort.HANG, 1)
    first = site.start("stop", "953")
    try:
        end = time.monotonic() + LONGEST
        while site.faults.listed():  # it hangs before its first act
            assert time.monotonic() < end
            time.sleep(0.02)
        with site.nothing_done():
            ran = site.run("stop", "950")
            looked = site.run("status")
    finally:
        first.kill()
    pid = first.pid
    assert first.end().status < 0
    assert (ran.status, looked.status, running(site)) == (1, 0, ["950", "953"])
    assert f", process {pid}, since 2" in ran.err
    assert ran.err.startswith("error: host `phoenix` is being changed by another run: ")


def test_a_name_nobody_knows_is_wrong_usage(site) -> None:
    known = "known: 900 base, 950 vllm-chat, 953 gateway"
    for word, hint in {
        "vllmchat": "did you mean `vllm-chat`?",
        "base1": "did you mean `base`?",
        "x": known,
    }.items():
        ran = site.run("start", word)
        assert (ran.status, ran.err) == (64, f"error: no guest `{word}`\n  hint: {hint}\n")
    assert site.run("stop", NODE).err.endswith("hint: `phoenix` is a node; guests live on it\n")


# --- snapshots --------------------------------------------------------------------------------------------


def test_a_snapshot_is_gone_back_to_with_its_volumes(site) -> None:
    assert said(site.run("snapshot", "950", "before")) == (
        "  ✓ phoenix: pct snapshot 950 before  (… s)\n✓ 950 vllm-chat has the snapshot before\n"
    )
    inside(site, "echo broken >/data/file; echo broken >/etc/chat")
    shown = site.run("rollback", "950", "before")
    assert shown.status == 64
    assert shown.out == (
        "phoenix\n"
        "  = lxc:950\n"
        "      $ pct rollback 950 before  "
        "[restart; destroys all that was written in 950 vllm-chat since the snapshot before]\n"
        "      $ pct start 950, wait until it is ready  [hot]\n"
    )
    assert inside(site, "cat /data/file") == "broken\n"
    others = pids(site)["953"]
    ran = site.run("rollback", "950", "before", "--yes")
    assert (ran.status, ran.out.splitlines()[-1]) == (0, "✓ 950 vllm-chat is as it was at before")
    assert inside(site, "cat /data/file /etc/chat") == f"{MARK}\nhello\n"
    assert pids(site)["953"] == others


def test_only_the_newest_snapshot_can_be_gone_back_to(site) -> None:
    for name in ("one", "two", "three"):
        assert site.run("snapshot", "950", name).status == 0
    with site.nothing_done():
        ran = site.run("rollback", "950", "one", "--yes")
        assert (ran.status, ran.err) == (
            1,
            "error: guest 950 vllm-chat: on ZFS only the newest snapshot can be gone back to, and two, three "  # noqa: ISC004
            "are newer: go back to `three`, or first remove what is newer (pct delsnapshot 950 three; "
            "pct delsnapshot 950 two)\n",
        )
        ran = site.run("rollback", "950", "none", "--yes")
        assert ran.err.endswith("it has no snapshot `none`; it has one, two, three\n")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (
            ["gateway", "s1"],
            "Proxmox takes no snapshot of a container into which folders of the node are mounted: /models is "  # noqa: ISC004
            "/tank/models (the dataset tank/models). `vzdump 953` saves the rest of it; for the folders, on "
            "the node: `zfs snapshot tank/models@s1`",
        ),
        (
            ["950", "1st"],
            "`1st` is no snapshot's name: a letter, then letters, digits, `_` and `-`; 2 to 40 in all",
        ),
        (
            ["950", "phoenix_x"],
            "names that begin with `phoenix` are for our own snapshots: take another one than",
        ),
        (["950", "there"], "there is a snapshot `there` already: take another name"),
    ],
)
def test_a_snapshot_that_cannot_be_is_refused_in_words(site, words, reason) -> None:
    site.on_node("pct snapshot 950 there")
    with site.nothing_done():
        ran = site.run("snapshot", *words)
    assert (ran.status, ran.out) == (1, "")
    assert reason in ran.err


# --- recreate ---------------------------------------------------------------------------------------------


def rebuilt(site):
    """What a new one must have of the old one."""
    found = dict(line.split(": ", 1) for line in conf(site).partition("\n[")[0].splitlines() if ": " in line)
    return {key: found.get(key) for key in ("net0", "mp0", "dev0", "memory", "tags", "hostname")}


def test_a_guest_is_made_anew_and_keeps_what_is_its_own(site) -> None:
    site.on_node(
        "pct set 950 --dev0 /dev/null --tags 'phoenix;mine'; mkdir -p /etc/pve/firewall; "
        "echo '[OPTIONS]' >/etc/pve/firewall/950.fw; pct snapshot 950 old"
    )
    before, others = rebuilt(site), {vmid: conf(site, vmid) for vmid in ("900", "953")}
    pid = pids(site)["953"]
    asked = site.run("recreate", "950")
    assert asked.status == 64
    assert asked.out.splitlines()[:3] == [
        "phoenix",
        "  + lxc:950",
        "      $ keep settings and volumes of 950; pct destroy 950  "  # noqa: ISC004
        "[restart; destroys lxc:950 vllm-chat: its root file system, the snapshot old]",
    ]
    assert asked.out.splitlines()[-2:] == [
        "interrupts: lxc:950 vllm-chat",
        "2 to create, 0 as declared; strongest effect: restart",
    ]
    ran = site.run("recreate", "vllm-chat", "--yes")
    assert ran.status == 0, ran
    assert rebuilt(site) == before
    assert inside(site, "cat /data/file /etc/chat") == f"{MARK}\nhello\n"
    assert inside(site, "test ! -e /root/lost && echo gone") == "gone\n"
    assert "[old]" not in conf(site)
    assert site.on_node("zfs list -H -o name -t snapshot | grep 950 || :") == ""
    assert site.on_node("cat /etc/pve/firewall/950.fw") == "[OPTIONS]\n"
    assert {vmid: conf(site, vmid) for vmid in others} == others
    assert pids(site)["953"] == pid
    assert site.on_node("ls /var/lib/phoenix/kept/lxc") == ""
    with site.nothing_done():
        assert site.run("apply", "--yes").status == 0


def test_cut_at_any_act_a_recreation_is_finished_by_the_next_apply(site, tmp_path) -> None:
    before = rebuilt(site)
    whole = site.copy(tmp_path / "whole")
    with whole.acts() as acts:
        assert whole.run("recreate", "950", "--yes").status == 0
    assert len(acts) > 10
    for n in range(3, len(acts) + 1, 6):  # a third of the scripts; all kinds of acts are cut in other tests
        cut = site.copy(tmp_path / f"cut-{n}")
        cut.fault(Sort.KILL, n)
        assert cut.run("recreate", "950", "--yes").status < 0, acts[n - 1]
        ran = cut.run("apply", "--yes")
        assert ran.status == 0, (acts[n - 1], ran)
        assert rebuilt(cut) == before, acts[n - 1]
        assert inside(cut, "cat /data/file") == f"{MARK}\n", acts[n - 1]


def test_cut_before_proxmox_has_removed_it_the_verb_goes_on(site) -> None:
    before = rebuilt(site)
    site.on_node("mv /usr/local/sbin/pct /usr/local/sbin/pct.whole")
    script = '[ "$1" != destroy ] || kill -9 $PPID; exec /usr/local/sbin/pct.whole "$@"'
    site.on_node(f"printf '%s\\n' '#!/bin/sh' '{script}' >/usr/local/sbin/pct; chmod 755 /usr/local/sbin/pct")
    assert site.run("recreate", "950", "--yes").status == 1
    site.on_node("mv /usr/local/sbin/pct.whole /usr/local/sbin/pct")
    assert "lock: destroyed" in conf(site)
    assert MARK in site.on_node("cat /tank/disks/subvol-950-disk-1/file")
    ran = site.run("recreate", "950", "--yes")
    assert ran.status == 0, ran
    assert rebuilt(site) == before
    assert inside(site, "cat /data/file") == f"{MARK}\n"


def test_a_layer_is_made_and_sealed_anew_and_its_clones_are_left_alone(site) -> None:
    site.edit("configs/guests/900-base.yaml", ("of the layer", "of the new layer"))
    before, alive = {vmid: conf(site, vmid) for vmid in ("950", "953")}, pids(site)
    ran = site.run("recreate", "base", "--yes")
    assert ran.status == 0, ran
    assert ({vmid: conf(site, vmid) for vmid in before}, pids(site)) == (before, alive)
    assert "phoenix_layer" in conf(site, "900")
    status = site.run("status")
    assert status.status == 0
    assert "made from 900 base as it was before" in status.out.splitlines()[2]
    assert "notice: phoenix/lxc:950: " in site.run("plan").out
    assert site.run("recreate", "950", "--yes").status == 0
    assert inside(site, "cat /etc/layer") == "of the new layer\n"
    assert "as it was before" not in site.run("status", "950").out


def test_what_must_stay_is_not_made_anew(site) -> None:
    (site.folder / "configs/guests/970-found.yaml").write_text("lxc: {}\n")
    site.on_node("pct clone 900 970 --snapname phoenix_layer --full 1 --hostname found; pct start 970")
    site.on_node("pct set 950 --protection 1")
    with site.nothing_done():
        ran = site.run("recreate", "found", "--yes")
        assert (ran.status, ran.err.splitlines()[0]) == (
            1,
            "error: guest 970 found is not made anew: "  # noqa: ISC004
            "neither `template` nor `clone` says what to make it from",
        )
        ran = site.run("recreate", "950", "--yes")
        assert (ran.status, ran.err.splitlines()[0]) == (
            1,
            "error: guest 950 vllm-chat is not made anew: it is protected against removal: "  # noqa: ISC004
            "`pct set 950 --protection 0` takes the protection away; one that is declared comes back",
        )
        site.edit("configs/guests/900-base.yaml", ("of the layer", "of another layer"))
        site.on_node("pct set 950 --protection 0")
        ran = site.run("recreate", "950", "--yes")
        assert (ran.status, ran.err) == (
            1,
            "error: guest 950 vllm-chat is not made anew: it needs lxc_layer:900, which is blocked\n"  # noqa: ISC004
            "  hint: `phoenix plan` says what is with that; nothing was done\n",
        )


# --- logs and exec ----------------------------------------------------------------------------------------


def test_logs_are_those_inside_and_otherwise_those_of_the_start(site) -> None:
    inside(site, "logger -t backup first; logger -t backup second")
    said = site.run("logs", "950", "-n", "1")
    assert (said.status, said.err) == (0, "")
    assert re.fullmatch(r".* vllm-chat backup\[\d+\]: second\n", said.out), said.out
    site.on_node("pct stop 950")
    with site.nothing_done():
        ran = site.run("logs", "vllm-chat", "-n", "1")
    assert (ran.status, ran.err) == (
        0,
        "950 vllm-chat does not run; how its start went, from phoenix:\n",
    )
    assert ran.out.endswith("pve-container@950.service: Deactivated successfully.\n")


def test_logs_are_followed_until_somebody_ends_it(site) -> None:
    site.on_node("pct stop 953")
    following = site.start("logs", "gateway", "--follow", "-n", "1")
    said = following.said / "out"

    def wait_for(text: str) -> None:
        end = time.monotonic() + LONGEST
        while not said.exists() or text not in said.read_text():
            assert time.monotonic() < end, text
            time.sleep(0.05)

    wait_for("Deactivated successfully.\n")
    site.on_node("pct start 953")
    wait_for("Started pve-container@953.service")
    os.kill(following.pid, signal.SIGINT)
    ran = following.end()
    assert (ran.status, len(ran.out.splitlines()), ran.err.splitlines()[-1]) == (130, 2, "stopped")


def test_a_command_runs_in_the_named_guests_and_nodes(site) -> None:
    ran = site.run("exec", "vllm-chat", "953", "--host", NODE, "--", "hostname")
    assert (ran.status, sorted(ran.out.split())) == (0, ["gateway", "phoenix", "vllm-chat"])
    site.on_node("pct stop 950")
    ran = site.run("exec", "950", "--", "true")
    assert (ran.status, ran.err) == (1, "guest `vllm-chat` does not run\n")
    told = files.found(site.folder, "last")
    (step,) = [event for event in told if event["event"] == "ran"]
    assert (step["resource"], step["title"], step["status"], step["said"]) == ("vllm-chat", "true", 1, "")
    assert (told[0]["verb"], told[-1]["exit"]) == ("exec", 1)
    with site.nothing_done():
        ran = site.run("exec", "vllm-chat", "ls")
    assert (ran.status, ran.err) == (
        64,
        "error: `vllm-chat` is a host, and `--` is missing behind it\n"  # noqa: ISC004
        "  hint: `phoenix exec vllm-chat -- ls` runs it there\n",
    )
