"""Guests of lab nodes: what runs in them, what is mounted, whose it is; snapshots, clones, templates."""

import functools
import json
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from phoenix_hypervisor.errors import PhoenixError
from phoenix_hypervisor.lab import sandbox
from phoenix_hypervisor.lab.node import Disk, Gpu, LabNode
from phoenix_hypervisor.lab.site import declared_nodes
from phoenix_hypervisor.secrets import Text

TEMPLATE = "debian-12-standard_12.12-1_amd64.tar.zst"
GPUS = (Gpu("0000:05:00.0", "Second"), Gpu("0000:01:00.0", "First"))
SETUP = f"""\
set -e
zpool create tank /dev/sda
pvesm add zfspool tank --pool tank --content images,rootdir
pvesm set local --content vztmpl,rootdir,snippets
pveam update >/dev/null
pveam download local {TEMPLATE}
pct create 100 local:vztmpl/{TEMPLATE} --hostname web1 --unprivileged 1 --rootfs tank:2 --memory 128 \
    --net0 name=eth0,bridge=vmbr0,ip=10.0.0.5/24,gw=10.0.0.1 --mp0 tank:1,mp=/data
"""


@functools.cache
def ways():
    with tempfile.TemporaryDirectory() as folder:
        node = LabNode(Path(folder, "node"))
        node.up("probe", ())
        layout = node._layout()
        return [way for way in sandbox.WAYS if sandbox.why_not(layout, way) is None]


@pytest.fixture(scope="session")
def _made(tmp_path_factory):
    node = LabNode(tmp_path_factory.mktemp("guests") / "pve1")
    node.up("pve1", (Disk("ata-LAB_1", 64 << 30),), "10.0.0.2", GPUS)
    try:
        ended = node.run(SETUP)
    except PhoenixError as error:
        pytest.skip(f"this machine does not let us make a lab: {error}")
    assert ended.status == 0, ended
    return node


def one_way(test):
    """Mark a test of what does not depend on how the node is entered: once is enough."""
    test.one_way = True
    return test


def pytest_generate_tests(metafunc):
    """Try the rest in each way that this machine has."""
    if "node" in metafunc.fixturenames:
        found = ways() or [None]
        chosen = found[:1] if getattr(metafunc.function, "one_way", False) else found
        metafunc.parametrize("node", chosen, indirect=True)


@pytest.fixture
def node(request, _made, tmp_path, monkeypatch):
    """A node with a stopped container, 100, entered in each way that this machine has."""
    if request.param is None:
        pytest.skip("this machine does not let us make a lab")
    monkeypatch.setenv(sandbox.CHOICE, request.param)
    monkeypatch.setattr(sandbox, "_found", [])
    subprocess.run(["cp", "-a", _made.folder, tmp_path / "pve1"], check=True)
    return LabNode(tmp_path / "pve1")


@pytest.fixture
def started(node):
    said(node, "pct start 100")
    return node


def said(node, command, stdin=None):
    """What a command says that must go well."""
    ended = node.run(command, Text(stdin) if stdin else None)
    assert ended.status == 0, ended
    return ended.stdout.decode()


def refused(node, command):
    """What a command says that must fail."""
    ended = node.run(command)
    assert ended.status != 0, ended
    return ended.stderr.decode().rstrip("\n")


def inside(node, command, vmid=100, stdin=None):
    return said(node, f"lxc-attach -n {vmid} --clear-env -- sh -c '{command}'", stdin)


def conf(node, vmid=100):
    return (node.root / f"etc/pve/nodes/pve1/lxc/{vmid}.conf").read_text()


# what runs in a guest


def test_a_command_runs_in_a_root_and_under_a_name_of_the_guests_own(started):
    assert inside(started, "hostname; cat /etc/hostname; id -u; pwd").split() == [
        "web1",
        "web1",
        "0",
        "/root",
    ]
    inside(started, "echo mine > /etc/only-here; echo mine > /srv/only-here; mkdir -p /opt/x")
    assert not (started.root / "etc/only-here").exists()
    assert (started.root / "tank/subvol-100-disk-0/srv/only-here").read_text() == "mine\n"
    assert inside(started, "cat /srv/only-here") == "mine\n"


def test_nothing_of_the_node_is_in_reach(started):
    assert inside(started, "ls /etc/pve /tank /var/lib/phoenix-lab/snapshots 2>/dev/null; true") == ""
    assert "pct" not in inside(started, "ls /usr/local/sbin").split()
    assert refused(started, "lxc-attach -n 100 -- touch /usr/bin/x").endswith("Read-only file system")
    assert refused(started, "lxc-attach -n 100 -- sh -c 'PATH=/usr/bin:/bin mount -t tmpfs x /mnt'")


def test_stdin_is_the_commands_and_its_status_ours(started):
    ended = started.run("lxc-attach -n 100 --clear-env -- sh", Text("echo got it\nexit 7\n"))
    assert (ended.status, ended.stdout, ended.stderr) == (7, b"got it\n", b"")
    ended = started.run("pct exec 100 -- sh -c 'cat; echo err >&2; exit 3'", Text("all of it\n"))
    assert (ended.status, ended.stdout, ended.stderr) == (3, b"all of it\n", b"err\n")
    assert started.run("pct exec 100 -- sh -c 'kill -9 $$'").status == 137
    assert started.run("pct enter 100", Text("hostname\n")).stdout == b"web1\n"


def test_a_program_that_is_not_there_is_said_as_lxc_says_it(started):
    ended = started.run("lxc-attach -n 100 -- nosuch")
    assert ended.status == 127
    assert ended.stderr.endswith(b'No such file or directory - Failed to exec "nosuch"\n')


def test_the_environment_is_clear_but_for_what_is_asked_for(started):
    seen = said(started, "A=1 B=2 lxc-attach -n 100 --clear-env -v C=3 --keep-var B -- env").split()
    assert {"B=2", "C=3", "container=lxc"} <= set(seen)
    assert not [word for word in seen if word.startswith(("A=", "HOME="))]
    assert "A=1" in said(started, "A=1 pct exec 100 -- env").split()


def test_who_does_not_run_cannot_be_entered(node):
    ended = node.run("lxc-attach -n 100 -- true")
    assert ended.status == 1
    assert b"Failed to get init pid" in ended.stderr
    assert refused(node, "pct exec 100 -- true") == "container '100' not running!"
    assert refused(node, "pct push 100 /etc/hostname /x") == "can only push files to a running CT"


def test_two_are_attached_at_once(started):
    """Each waits for the other's file."""
    inside(started, "rm -f /srv/a /srv/b")

    def meet(mine, other):
        return inside(started, f"echo > /srv/{mine}; until [ -e /srv/{other} ]; do :; done; echo met")

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(meet, *names) for names in (("a", "b"), ("b", "a"))]
        assert [done.result() for done in both] == ["met\n", "met\n"]


def test_nothing_that_was_started_inside_is_left(started):
    script = (
        "lxc-attach -n 100 -- sh -c 'sleep 1234 & sleep 1234 & :'; grep -lz '^1234$' /proc/[0-9]*/cmdline"
    )
    ended = started.run(script)
    assert ended.stdout == b"", ended


def test_process_1_of_what_is_attached_does_the_work_of_stand_ins_and_buries_the_dead(started):
    """A wrapper that cannot start Python says what the tool says; process 1 may do what the command may."""
    script = """\
        sed "s/^exec .*/exit 99/" /usr/local/sbin/systemctl >/srv/systemctl; chmod +x /srv/systemctl
        /srv/systemctl is-active nosuch; echo $?
        (sleep 0.1 & echo $! >/srv/pid); read -r pid </srv/pid
        while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
        while read -r name value; do [ "$name" != PPid: ] || parent=$value; done </proc/self/status
        sed -n "s/^Cap\\(Eff\\|Prm\\|Bnd\\)://p" /proc/self/status /proc/$parent/status | sort | uniq -c
        """
    assert inside(started, script).split()[:-1] == ["inactive", "3", "6"]


def test_processes_are_the_guests_own(started, monkeypatch):
    monkeypatch.setenv(sandbox.CHOICE, "unshare")
    monkeypatch.setattr(sandbox, "_found", [])
    if "unshare" not in ways():
        pytest.skip("this machine has only the other way in")
    assert inside(started, "ls /proc | grep -c [0-9]") < "9"
    assert inside(started, "cat /proc/$$/comm") == "sh\n"


# files and mounts


def test_files_are_pushed_and_pulled(started):
    said(started, "echo text > /root/f; pct push 100 /root/f /root/g --perms 0640 --user www-data --group 33")
    assert inside(started, 'stat -c "%a %U %G" /root/g; cat /root/g') == "640 www-data www-data\ntext\n"
    said(started, "pct pull 100 /root/g /root/back --perms 600")
    assert (started.root / "root/back").read_text() == "text\n"
    assert (started.root / "root/back").stat().st_mode & 0o777 == 0o600
    ended = started.run("pct pull 100 /nosuch /root/never; pct push 100 /nosuch /root/never")
    assert ended.stderr.decode().splitlines() == [
        "failed to open /nosuch: No such file or directory",
        "failed to open /nosuch for reading",
    ]
    assert ended.status == 0
    assert not (started.root / "root/never").exists()


def test_a_volume_is_mounted(started):
    inside(started, "echo kept > /data/f")
    assert (started.root / "tank/subvol-100-disk-1/f").read_text() == "kept\n"


def mounted(node, *lines):
    """Start the container with folders of the node mounted in it."""
    words = " ".join(f"--mp{number} {line}" for number, line in enumerate(lines, 1))
    said(node, f"pct set 100 {words}; pct start 100")


def test_a_folder_of_somebody_elses_cannot_be_written(node):
    said(
        node, "mkdir -p /srv/alien/own /srv/own /srv/open; chown 100000:100000 /srv/own; chmod 777 /srv/open"
    )
    said(node, "chown 101000:101000 /srv/alien/own; echo seen > /srv/alien/f")
    mounted(node, "/srv/alien,mp=/alien", "/srv/own,mp=/own", "/srv/open,mp=/open")
    script = "for d in /alien /own /open /alien/own; do touch $d/new 2>/dev/null; echo $?; done; cat /alien/f"
    assert inside(node, script).split() == ["1", "0", "0", "0", "seen"]
    assert (node.root / "srv/own/new").exists()
    assert not (node.root / "srv/alien/new").exists()


def test_owners_are_seen_through_the_guests_ids(node):
    said(node, "mkdir -p /srv/alien /srv/own; chown 101000:100033 /srv/own; echo x > /srv/alien/f")
    mounted(node, "/srv/alien,mp=/alien", "/srv/own,mp=/own")
    stat = "stat -c %u:%g /alien /alien/f /own; touch /own/new; stat -c %u /own/new; stat -c %u /etc"
    assert inside(node, stat).split() == ["65534:65534", "65534:65534", "1000:33", "1000", "0"]
    assert refused(node, "lxc-attach -n 100 -- chown 5 /alien").endswith("Operation not permitted")


def test_ids_that_are_shared_are_the_same_on_both_sides(node):
    said(node, "mkdir /srv/own; chown 1000:1000 /srv/own")
    lines = [
        "u 0 100000 1000", "g 0 100000 1000", "u 1000 1000 1", "g 1000 1000 1", "u 1001 101001 64535",
        "g 1001 101001 64535",
    ]  # fmt: skip
    with (node.root / "etc/pve/nodes/pve1/lxc/100.conf").open("a") as file:
        file.writelines(f"lxc.idmap: {line}\n" for line in lines)
    mounted(node, "/srv/own,mp=/own")
    assert inside(node, "touch /own/f; echo $?; stat -c %u /own") == "0\n1000\n"


def test_read_only_is_read_only_for_a_volume_too(node):
    said(
        node,
        "mkdir /srv/own; chown 100000:100000 /srv/own; "
        "pct set 100 --mp0 tank:subvol-100-disk-1,mp=/data,ro=1",
    )
    mounted(node, "/srv/own,mp=/own,ro=1")
    assert inside(node, "for d in /own /data; do touch $d/x 2>/dev/null; echo $?; done") == "1\n1\n"


def test_a_link_in_the_guest_leads_nowhere_else(node):
    """The target of a mount is the guest's to change."""
    said(
        node,
        "pct start 100; mkdir /srv/host /srv/victim; echo safe > /srv/victim/f; "
        "chown 100000:100000 /srv/host",
    )
    inside(node, "ln -s /srv/victim /trap")
    said(node, "pct stop 100")
    mounted(node, "/srv/host,mp=/trap/deep")
    inside(node, "echo new > /trap/deep/f")
    assert (node.root / "srv/host/f").read_text() == "new\n"
    assert sorted(path.name for path in (node.root / "srv/victim").iterdir()) == ["f"]
    assert (node.root / "tank/subvol-100-disk-0/srv/victim/deep").is_dir()


def test_links_of_the_guest_do_no_harm_at_a_start(started):
    """Folders that a start empties, fills and mounts over."""
    said(started, "mkdir -p /srv/victim; echo safe > /srv/victim/f")
    inside(started, "rm -r /var/tmp; ln -s /srv/victim /var/tmp; mv /opt /opt2; ln -s /srv/victim /opt")
    root = started.root / "tank/subvol-100-disk-0"
    for name in ("tmp", "run", "proc", "dev", "sys"):
        shutil.rmtree(root / name)
        (root / name).symlink_to(f"/srv/victim/{name}")
    state = root / "var/lib/phoenix-lab"
    shutil.rmtree(state)
    state.symlink_to("/srv/victim")
    said(started, "chmod 700 /srv/victim; pct stop 100; pct start 100")
    assert inside(started, "echo still fine") == "still fine\n"
    assert sorted(path.name for path in (started.root / "srv/victim").iterdir()) == ["f"]
    assert (started.root / "srv/victim").stat().st_mode & 0o777 == 0o700


def test_devices_and_facts_of_graphics_cards_are_there(node):
    said(node, "pct set 100 --dev0 /dev/nvidia1,mode=0666 --dev1 /dev/nvidia-caps/nvidia-cap1; pct start 100")
    seen = said(node, "ls /dev/nvidia*; cat /proc/driver/nvidia/gpus/0000:01:00.0/information")
    assert {"/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm-tools", "nvidia-cap2"} <= set(seen.split())
    assert "Model:           First\n" in seen
    assert "Device Minor:    0\n" in seen
    script = (
        "test -c /dev/nvidia1 && test -c /dev/nvidia-caps/nvidia-cap1 && ! test -e /dev/nvidia0 && echo right"
    )
    assert inside(node, script) == "right\n"


LOOK = (
    "for n in nvidia0 nvidia1 nvidia-uvm nvidia-caps/nvidia-cap1; do test -c /dev/$n && "
    "stat -L -c '%F %n' /dev/$n; done; find /dev/ -name 'nvidia*' -xtype c | wc -l; echo end\n"
)


def test_devices_come_and_go_in_shells_that_are_open_already(node):
    def answer(shell, command=LOOK):
        shell.stdin.write(command)
        shell.stdin.flush()
        return list(iter(shell.stdout.readline, "end\n"))

    there = [f"character special file /dev/{n}\n" for n in ("nvidia0", "nvidia1", "nvidia-uvm")]
    there += ["character special file /dev/nvidia-caps/nvidia-cap1\n", "8\n"]
    with subprocess.Popen(
        node.argv(["sh"]), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as shell:
        assert answer(shell) == there
        said(node, "modprobe -r nvidia")
        assert answer(shell) == ["0\n"]
        caps = "/proc/driver/nvidia/capabilities/mig"
        said(node, f"nvidia-modprobe -c 0 -c 1 -c 255 -m -f {caps}/config -f {caps}/monitor")
        assert answer(shell, "test -e /dev/nvidia-uvm || echo not yet; echo end\n") == ["not yet\n"]
        said(node, "nvidia-modprobe -u -c 0")
        assert answer(shell) == there
        assert said(node, LOOK).splitlines(keepends=True) == [*there, "end\n"]
        assert answer(shell, "pct set 100 --dev0 /dev/nvidia1 && pct start 100 && echo well; echo end\n") == [
            "well\n"
        ]
        shell.stdin.close()
    inside(node, "test -c /dev/nvidia1")


def test_what_is_added_while_it_runs_is_there_at_once(started):
    said(
        started,
        "mkdir /srv/hot; chown 100000:100000 /srv/hot; "
        "pct set 100 --mp1 /srv/hot,mp=/hot --dev0 /dev/nvidia0",
    )
    inside(started, "test -c /dev/nvidia0 && echo x > /hot/f")
    assert (started.root / "srv/hot/f").exists()


# start and stop


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ("echo dev0: /dev/nosuch >> /etc/pve/lxc/100.conf", "Device /dev/nosuch does not exist"),
        ("pct set 100 --lock backup", "CT is locked (backup)"),
        ("pct template 100", "you can't start a CT if it's a template"),
        ("sed -i s/vmbr0/vmbr9/ /etc/pve/lxc/100.conf", "bridge 'vmbr9' does not exist"),
        ("zfs destroy tank/subvol-100-disk-1", "volume 'tank:subvol-100-disk-1' does not exist"),
        ("rm /etc/pve/lxc/100.conf", "Configuration file 'nodes/pve1/lxc/100.conf' does not exist"),
    ],
)
@one_way
def test_what_is_missing_keeps_it_from_starting(node, wrong, text):
    node.run(wrong)
    assert refused(node, "pct start 100") == text
    assert said(node, "lxc-ls --running -1") == ""


@one_way
def test_a_missing_folder_shows_as_a_failed_hook_and_in_the_journal(node):
    said(node, "mkdir /srv/gone; pct set 100 --mp1 /srv/gone,mp=/gone; rmdir /srv/gone")
    assert refused(node, "pct start 100").splitlines() == [
        "run_buffer: 571 Script exited with status 2",
        'lxc_init: 845 Failed to run lxc.hook.pre-start for container "100"',
        '__lxc_start: 2034 Failed to initialize container "100"',
        "startup for container '100' failed",
    ]
    assert said(node, "journalctl -u pve-container@100 -n 1 -o cat").endswith(
        "Failed with result 'exit-code'.\n"
    )
    assert said(node, "mkdir /srv/gone; pct start 100; pct status 100") == "status: running\n"


@one_way
def test_a_start_applies_what_was_pending_and_writes_the_guests_files(started):
    said(started, "pct set 100 --nameserver 10.0.0.9 --hostname web2.lab.test")
    assert inside(started, "hostname") == "web1\n"
    assert "[pve:pending]" in conf(started)
    said(started, "pct reboot 100")
    assert "[pve:pending]" not in conf(started)
    seen = inside(started, "hostname; cat /etc/resolv.conf; grep 10.0.0.5 /etc/hosts")
    assert seen.splitlines()[0] == "web2"
    assert "nameserver 10.0.0.9" in seen
    assert "10.0.0.5 web2.lab.test web2" in seen
    assert "\taddress 10.0.0.5/24\n\tgateway 10.0.0.1\n" in inside(started, "cat /etc/network/interfaces")


def test_starting_again_empties_what_is_volatile_and_starts_what_is_enabled(started):
    inside(started, "touch /run/x /tmp/x /var/tmp/x; systemctl stop cron; systemctl disable --now rsyslog")
    said(started, "pct shutdown 100; pct start 100")
    assert inside(started, "ls /run/x /tmp/x /var/tmp/x 2>/dev/null; true") == "/var/tmp/x\n"
    assert inside(started, "systemctl is-active cron rsyslog; true").split() == ["active", "inactive"]


def test_it_can_be_started_again_and_again(node):
    said(node, "pct start 100; pct stop 100; pct start 100; pct stop 100; pct start 100")
    assert inside(node, "hostname") == "web1\n"
    assert not [path for path in (node.root / "tank/subvol-100-disk-0/usr").iterdir() if path.is_symlink()]


def test_who_does_not_obey_is_stopped_by_force(started):
    with started._state.joinpath("model.json").open("r+") as file:
        model = json.load(file)
        model["guests"]["100"]["deaf"] = True
        file.seek(0)
        json.dump(model, file)
        file.truncate()
    assert refused(started, "pct shutdown 100 --timeout 5") == "container did not stop"
    assert said(started, "pct status 100") == "status: running\n"
    said(started, "pct shutdown 100 --timeout 5 --forceStop 1")
    assert refused(started, "pct stop 100") == "CT 100 not running"


def test_lxcs_own_tools_tell_what_runs(started):
    assert said(started, "lxc-ls --running -1; lxc-info -n 100 -s -H; lxc-info -n 100 -i -H").split() == [
        "100",
        "RUNNING",
        "10.0.0.5",
    ]
    assert int(said(started, "lxc-info -n 100 -p -H")) > 0
    assert (
        said(started, "pct stop 100; lxc-ls --running -1; lxc-info -n 100 -s") == "State:          STOPPED\n"
    )
    assert refused(started, "lxc-info -n 999 -s") == "999 doesn't exist"


# snapshots


@one_way
def test_a_snapshot_brings_content_owners_and_settings_back(started):
    inside(started, "echo one > /data/f; echo one > /root/f; chown 1000 /root/f")
    said(started, "pct snapshot 100 one --description first")
    inside(started, "echo two > /data/f; rm /root/f; touch /root/later")
    said(started, "pct set 100 --memory 256; pct snapshot 100 two")
    assert "one" in refused(started, "pct rollback 100 one")
    said(started, "pct delsnapshot 100 two; pct rollback 100 one; pct start 100")
    assert inside(started, "cat /data/f /root/f; stat -c %u /root/f; ls /root") == "one\none\n1000\nf\n"
    assert "\nmemory: 128\n" in conf(started).partition("[one]")[0]
    assert "parent: one\n" in conf(started)


@one_way
def test_a_running_guest_is_stopped_by_a_rollback(started):
    said(started, "pct snapshot 100 one; pct rollback 100 one")
    assert said(started, "pct status 100") == "status: stopped\n"


@one_way
def test_no_snapshot_with_a_folder_of_the_node(node):
    said(node, "mkdir /srv/x; pct set 100 --mp1 /srv/x,mp=/x")
    assert refused(node, "pct snapshot 100 one") == "snapshot feature is not available"
    assert "lock" not in conf(node)


@one_way
def test_a_snapshot_that_fails_leaves_nothing(node):
    said(node, "zfs snapshot tank/subvol-100-disk-1@one")
    before = conf(node)
    ended = node.run("pct snapshot 100 one")
    assert ended.status != 0
    assert b"snapshot create failed: starting cleanup" in ended.stdout
    assert conf(node) == before


# clones and templates


@one_way
def test_a_clone_has_the_content_and_an_identity_of_its_own(started):
    inside(started, "echo data > /data/f; echo root > /root/f; chown 1000 /root/f")
    first = inside(started, "cat /etc/machine-id")
    said(started, "pct shutdown 100; pct clone 100 101 --hostname web2; pct start 101; pct start 100")
    seen = inside(started, "cat /data/f /root/f; stat -c %u /root/f; hostname; cat /etc/machine-id", 101)
    assert seen.split()[:4] == ["data", "root", "1000", "web2"]
    assert seen.split()[4] != first.strip()
    assert inside(started, "cat /etc/machine-id") == first
    # what Proxmox does not renew
    assert inside(started, "cat /etc/ssh/*.pub", 101) == inside(started, "cat /etc/ssh/*.pub")
    hardware = [line for vmid in (100, 101) for line in conf(started, vmid).splitlines() if "hwaddr" in line]
    assert len(set(hardware)) == 2
    assert "parent" not in conf(started, 101)
    inside(started, "echo changed > /data/f", 101)
    assert inside(started, "cat /data/f") == "data\n"


@one_way
def test_a_clone_of_a_snapshot_is_as_it_was_then(started):
    inside(started, "echo then > /data/f")
    said(started, "pct snapshot 100 one --description text; pct set 100 --memory 512")
    inside(started, "echo now > /data/f")
    said(started, "pct clone 100 101 --snapname one --description made; pct start 101")
    assert inside(started, "cat /data/f", 101) == "then\n"
    assert "memory: 128\n" in conf(started, 101)
    assert conf(started, 101).startswith("#made\n")
    assert "[one]" not in conf(started, 101)


@pytest.mark.parametrize(
    ("before", "command", "text"),
    [
        ("pct start 100", "100 101", "Cannot do full clones on a running container without snapshots"),
        (
            "mkdir /srv/x; pct set 100 --mp1 /srv/x,mp=/x",
            "100 101",
            "unable to clone mountpoint 'mp1' (type bind)",
        ),
        ("true", "100 101 --full 0", "Linked clone feature for 'tank:subvol-100-disk-1' is not available"),
        ("true", "100 101 --snapname no", "snapshot 'no' does not exist"),
        ("true", "100 100", "CT 100 already exists on node 'pve1'"),
        ("true", "100 101 --storage no", "storage 'no' does not exist"),
        ("pct template 100", "100 101 --storage tank", "parameter 'storage' not allowed for linked clones"),
        ("pct set 100 --lock disk", "100 101", "CT is locked (disk)"),
    ],
)
@one_way
def test_a_clone_that_is_refused_leaves_nothing(node, before, command, text):
    node.run(before)
    kept = conf(node)
    assert refused(node, f"pct clone {command}") == text
    assert conf(node) == kept
    assert not (node.root / "etc/pve/nodes/pve1/lxc/101.conf").exists()


@one_way
def test_a_template_gives_linked_clones_and_cannot_go_before_them(node):
    said(node, "pct template 100; pct clone 100 101; pct start 101")
    assert "rootfs: tank:basevol-100-disk-0/subvol-101-disk-1,size=2G\n" in conf(node, 101)
    assert "template: 1\n" in conf(node)
    assert "still in use by linked clones" in refused(node, "pct destroy 100")
    said(node, "pct stop 101; pct destroy 101; pct destroy 100")
    assert sorted(path.name for path in (node.root / "tank").iterdir()) == []


def many_files(node):
    """Make a container of which a clone takes a while."""
    said(node, "cd /tank/subvol-100-disk-0/srv && seq 6000 | xargs touch")


UNTIL_COPYING = "until [ -d /tank/subvol-101-disk-1/srv ]; do :; done"


@one_way
def test_who_is_killed_while_cloning_leaves_both_locks_and_half_a_clone(node):
    many_files(node)
    node.run(f"pct clone 100 101 > /dev/null & {UNTIL_COPYING}; kill -9 $!; wait")
    assert "lock: disk\n" in conf(node)
    assert "lock: create\n" in conf(node, 101)
    assert "rootfs" not in conf(node, 101)
    assert refused(node, "pct start 101")
    said(
        node,
        "pct unlock 100; pct unlock 101; pct destroy 101 --destroy-unreferenced-disks 1; pct clone 100 101",
    )
    assert "lock" not in conf(node) + conf(node, 101)


@one_way
def test_who_is_interrupted_while_cloning_cleans_up(node):
    many_files(node)
    node.run(f"pct clone 100 101 > /root/out 2>&1 & {UNTIL_COPYING}; kill $!; wait")
    assert (node.root / "root/out").read_text().endswith("clone failed: interrupted by signal\n")
    assert "lock" not in conf(node)
    assert not (node.root / "etc/pve/nodes/pve1/lxc/101.conf").exists()
    assert not (node.root / "tank/subvol-101-disk-1").exists()


@one_way
def test_while_a_source_is_cloned_it_is_locked_and_all_else_goes_on(node):
    """The one that copies stands still meanwhile: nobody waits for it."""
    said(node, f"pct create 200 local:vztmpl/{TEMPLATE} --rootfs tank:1 > /dev/null")
    many_files(node)
    script = f"""\
pct clone 100 101 > /dev/null & {UNTIL_COPYING}; kill -STOP $!
pct clone 100 102; echo $?
pct clone 200 201 > /dev/null && pct start 201 && pct exec 201 -- echo in && zfs list -H -o name tank
kill -CONT $!; wait $!; echo $?"""
    ended = node.run(script)
    assert ended.stderr == b"CT is locked (disk)\n"
    assert ended.stdout.split() == [b"255", b"in", b"tank", b"0"]
    assert "lock" not in conf(node) + conf(node, 101) + conf(node, 201)


@pytest.mark.parametrize(
    ("before", "command"),
    [("true", "pct snapshot 100 one"), ("pct template 100", "pct clone 100 101")],
)
@one_way
def test_zfs_keeps_nobody_waiting_while_it_copies(node, before, command):
    """In life it does not copy at all."""
    said(node, f"pct create 200 local:vztmpl/{TEMPLATE} --rootfs tank:1 > /dev/null")
    many_files(node)
    script = f"""\
{before}
{command} > /dev/null & until [ -d /var/lib/phoenix-lab/copies/*/srv ]; do :; done; kill -STOP $!
pct start 200 && pct exec 200 -- echo in && zfs create tank/more
kill -CONT $!; wait $!; echo $?; ls /var/lib/phoenix-lab/copies"""
    ended = node.run(script)
    assert (ended.stdout.split(), ended.stderr) == ([b"in", b"0"], b"")


@one_way
def test_a_volume_moves_with_its_content(started):
    inside(started, "echo kept > /root/f; chown 1000 /root/f; echo data > /data/f")
    said(started, "pct stop 100; pct move-volume 100 rootfs local --delete 1; pct move-volume 100 mp0 local")
    assert "rootfs: local:100/vm-100-disk-0.raw,size=2G\n" in conf(started)
    assert "unused0: tank:subvol-100-disk-1\n" in conf(started)
    said(started, "pct start 100")
    assert inside(started, "cat /root/f /data/f; stat -c %u /root/f") == "kept\ndata\n1000\n"
    assert sorted(path.name for path in (started.root / "tank").iterdir()) == ["subvol-100-disk-1"]


# the node around them


@one_way
def test_the_list_of_guests_is_true(node):
    said(node, f"pct create 101 local:vztmpl/{TEMPLATE} --rootfs tank:1 > /dev/null")
    known = json.loads(said(node, "cat /etc/pve/.vmlist"))["ids"]
    assert {vmid: (row["node"], row["type"]) for vmid, row in known.items()} == {
        "100": ("pve1", "lxc"),
        "101": ("pve1", "lxc"),
    }
    said(node, "mkdir -p /etc/pve/nodes/other/lxc; mv /etc/pve/lxc/101.conf /etc/pve/nodes/other/lxc")
    said(node, "pct destroy 100; lxc-ls --running -1")
    known = json.loads(said(node, "cat /etc/pve/.vmlist"))["ids"]
    assert {vmid: row["node"] for vmid, row in known.items()} == {"101": "other"}
    assert "101 already exists on node 'other'" in refused(node, f"pct create 101 local:vztmpl/{TEMPLATE}")


@one_way
def test_archives_are_the_same_bytes_each_time(node):
    path = f"/var/lib/vz/template/cache/{TEMPLATE}"
    first = (node.root / path[1:]).read_bytes()
    assert "no need to re-download" in said(node, f"pveam download local {TEMPLATE}")
    said(node, f"pveam remove local:vztmpl/{TEMPLATE}; pveam download local {TEMPLATE}")
    assert (node.root / path[1:]).read_bytes() == first
    assert "no such template" in refused(node, "pveam download local nosuch_1_amd64.tar.zst")
    assert "ubuntu-24.04-standard_24.04-2_amd64.tar.zst" in said(node, "pveam available --section system")


@one_way
def test_owners_survive_a_copy_of_the_lab(started, tmp_path):
    inside(started, "touch /root/f /data/f; chown 1000 /root/f /data/f")
    subprocess.run(["cp", "-a", started.folder, tmp_path / "copy"], check=True)
    shutil.rmtree(started.folder)
    copy = LabNode(tmp_path / "copy")
    assert inside(copy, "stat -c %u /root/f /data/f") == "1000\n1000\n"


@one_way
def test_cards_that_are_no_longer_declared_are_gone(node):
    node.up("pve1", (), gpus=GPUS[:1])
    assert said(node, "cd /dev && ls nvidia[0-9]; ls /proc/driver/nvidia/gpus") == "nvidia0\n0000:05:00.0\n"
    node.up("pve1", ())
    assert said(node, "ls /dev | grep -c nvidia || true") == "0\n"


def test_a_site_declares_the_cards_of_its_lab_node(fresh):
    declared = declared_nodes(fresh.folder)["phoenix"]
    assert [gpu.pci for gpu in declared.gpus] == ["0000:01:00.0", "0000:05:00.0"]
    seen = fresh.on_node(
        "grep -h Minor /proc/driver/nvidia/gpus/*/information; test -c /dev/nvidia1 && echo there"
    )
    assert seen.split() == ["Device", "Minor:", "0", "Device", "Minor:", "1", "there"]
