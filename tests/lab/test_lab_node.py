"""Lab nodes: made, entered, used, broken on purpose, removed; in every way this machine can enter one."""

import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from phoenix_hypervisor.cli.lab import lab
from phoenix_hypervisor.errors import ExitCode, HostError, PhoenixError, UsageError
from phoenix_hypervisor.lab import sandbox
from phoenix_hypervisor.lab.drift import DRIFTS, drift
from phoenix_hypervisor.lab.faults import Fault, Faults, Sort
from phoenix_hypervisor.lab.node import MARKER, Disk, LabNode, standins
from phoenix_hypervisor.lab.transport import LabTransport
from phoenix_hypervisor.secrets import Secret, Text
from phoenix_hypervisor.transport import Address, Question

SOURCES = Path(sandbox.__file__).parents[2]
DISKS = (Disk("nvme-LAB_1", 2 * 10**12, "S1", "Lab 2TB"), Disk("ata-LAB_2", 10**9, "S2", "Lab 1GB"))


@functools.cache
def working_ways():
    with tempfile.TemporaryDirectory() as folder:
        node = LabNode(Path(folder, "node"))
        node.up("probe", ())
        layout = node._layout()
        return [way for way in sandbox.WAYS if sandbox.why_not(layout, way) is None]


def pytest_generate_tests(metafunc):
    if "way" in metafunc.fixturenames:
        metafunc.parametrize("way", working_ways() or [None], indirect=True)


@pytest.fixture
def way(request, monkeypatch):
    if request.param is None:
        pytest.skip("this machine does not let us make a lab")
    monkeypatch.setenv(sandbox.CHOICE, request.param)
    monkeypatch.setattr(sandbox, "_found", [])
    return request.param


@pytest.fixture
def node(way, tmp_path):
    node = LabNode(tmp_path / "pve1")
    assert node.up("pve1", DISKS, "10.1.1.2")
    return node


@pytest.fixture
def open_transport(node):
    opened = []

    def make(**settings):
        transport = LabTransport(Address("pve1", "10.1.1.2", "lab", options=(str(node.folder),), **settings))
        opened.append(transport)
        return transport

    yield make
    for transport in opened:
        transport.close()


def said(node, command):
    ended = node.run(command)
    assert ended.status == 0, ended
    return ended.stdout.decode()


def next_act(node):
    """The number the next act of this process on the node will have."""
    return max((row["n"] for row in node.actions()), default=0) + 1


def processes_with(word):
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if word.encode() in words:
            found.append(path.parent.name)
    return found


def until(true, seconds=10):
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


def listing(folder):
    found = {}
    for at, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(at, name)
            facts = os.lstat(path)
            found[path] = (facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_mode)
    return found


class TestSandbox:
    def test_it_is_a_machine_of_its_own(self, node):
        assert said(node, "id -u; hostname; pwd; echo $HOME; cat /etc/hostname; uname -n; umask").split() == (
            ["0", "pve1", "/root", "/root", "pve1", "pve1", "0022"]
        )
        assert said(node, "ps -e -o pid= | head -1").strip() == "1"
        assert said(node, "cat /proc/net/dev | grep -c :").strip() == "1"

    def test_environment_is_cleared(self, node, monkeypatch):
        monkeypatch.setenv("CANARY", "outside")
        names = {line.partition("=")[0] for line in said(node, "env").splitlines()}
        assert names <= {"HOME", "PATH", "USER", "LOGNAME", "SHELL", "LANG", "PWD", "OLDPWD", "SHLVL", "_"}
        assert said(node, "echo $PATH").startswith("/usr/local/sbin:/usr/local/bin:/usr/sbin:")

    def test_proc_sys_and_dev(self, node):
        assert "nodev\tnfsd\n" in said(node, "cat /proc/filesystems")
        assert "nodev\tzfs\n" in said(node, "cat /proc/filesystems")
        assert (
            said(
                node,
                "echo 5 > /sys/module/zfs/parameters/zfs_arc_max; cat /sys/module/zfs/parameters/zfs_arc_max",
            )
            == "5\n"
        )
        assert said(
            node, "echo gone > /dev/null; head -c 3 /dev/zero | wc -c; ls -d /dev/shm /dev/fd /dev/stdin"
        ).split() == (["3", "/dev/fd", "/dev/shm", "/dev/stdin"])
        assert (
            "No space left"
            in node.run("LC_ALL=C; export LC_ALL; cat /proc/version > /dev/full").stderr.decode()
        )

    def test_disks(self, node):
        links = said(
            node,
            "cd /dev/disk/by-id; for it in *; do echo $it $(readlink $it) $(/usr/bin/stat -Lc %s $it); done",
        )
        assert links.splitlines() == [
            "ata-LAB_2 ../../sda 1000000000",
            "nvme-LAB_1 ../../nvme0n1 2000000000000",
        ]
        said(node, "printf mark | dd of=/dev/disk/by-id/ata-LAB_2 conv=notrunc seek=1000 2> /dev/null")
        assert said(node, "dd if=/dev/sda bs=1 skip=512000 count=4 2> /dev/null") == "mark"
        assert node.status().bytes_used < 10_000_000

    def test_the_tools_of_the_machine_work(self, node):
        assert said(node, "echo a b | awk '{print $2}' | sed s/b/c/ | sha256sum | cut -c 1-8") == "a3a5e715\n"
        assert said(node, "useradd -M heads && getent passwd heads | cut -d: -f1,3") == "heads:1000\n"

    def test_the_machine_is_not_touched(self, node):
        before = listing("/etc")
        said(
            node,
            "echo changed > /etc/passwd; rm -r /etc/samba; mkdir -p /etc/a/b; touch /opt/x /home/x /var/x /x",
        )
        for refused in (
            "touch /usr/bin/phoenix-lab-test",
            "touch /run/phoenix-lab/phoenix-lab-test",
            "cat /proc/sys/vm/swappiness > /proc/sys/vm/swappiness",
            "echo 0 > /proc/sysrq-trigger",
            "/usr/bin/mount -o remount,rw,bind /usr/bin && touch /usr/bin/phoenix-lab-test",
            "/usr/bin/unshare -Urm /usr/bin/mount -o remount,rw,bind /usr/bin",
        ):
            assert node.run(refused).status != 0, refused
        assert listing("/etc") == before
        assert not os.path.exists("/x")
        assert not os.path.exists("/usr/bin/phoenix-lab-test")

    def test_exit_status_and_streams(self, node):
        ended = node.run("cat; echo err >&2; exit 7", Text("in"))
        assert (ended.status, ended.stdout, ended.stderr) == (7, b"in", b"err\n")
        assert node.run("kill -9 $$").status == 137

    def test_attach_gives_the_status_and_the_terminal(self, node, capfd):
        assert node.attach(["sh", "-c", "echo shown; exit 3"]) == 3
        assert capfd.readouterr().out == "shown\n"
        assert node.attach(["no-such-tool"]) != 0

    def test_a_way_that_does_not_exist(self, node, monkeypatch):
        monkeypatch.setenv(sandbox.CHOICE, "teleport")
        monkeypatch.setattr(sandbox, "_found", [])
        with pytest.raises(PhoenixError, match="teleport"):
            node.run("true")

    @pytest.mark.parametrize(
        ("setting", "hint"),
        [
            ("kernel/apparmor_restrict_unprivileged_userns=1", "AppArmor forbids"),
            ("kernel/unprivileged_userns_clone=0", "kernel.unprivileged_userns_clone=1"),
            ("user/max_user_namespaces=0", "user.max_user_namespaces=15000"),
            ("", "install bubblewrap"),
        ],
    )
    def test_where_nothing_works_it_says_what_to_do(self, node, monkeypatch, setting, hint):
        broken = ["sh", "-c", "echo no namespaces for you >&2; exit 1"]
        monkeypatch.delenv(sandbox.CHOICE)
        monkeypatch.setattr(sandbox, "_found", [])
        monkeypatch.setattr(sandbox, "WAYS", {"unshare": lambda *_: broken})
        name, _, value = setting.partition("=")
        monkeypatch.setattr(sandbox, "_setting", lambda asked: value if asked == name else "")
        with pytest.raises(PhoenixError) as raised:
            node.run("true")
        assert (
            raised.value.message == "this machine does not let us make a lab: unshare: no namespaces for you"
        )
        assert hint in raised.value.hint


class TestNode:
    def test_state_persists_between_sessions(self, node):
        said(node, "echo kept > /etc/exports; mkdir /srv/data")
        assert said(node, "cat /etc/exports; ls -d /srv/data") == "kept\n/srv/data\n"
        assert (node.root / "etc/exports").read_text() == "kept\n"

    def test_up_keeps_what_is_there_and_adds_disks(self, node):
        said(node, "echo kept > /etc/exports; systemctl stop smbd; rm /usr/local/sbin/systemctl")
        more = Disk("nvme-LAB_3", 10**9)
        assert node.up("pve1", (*DISKS, more), "10.1.1.2") is False
        assert said(node, "cat /etc/exports; systemctl is-active smbd || :; ls /dev/disk/by-id") == (
            "kept\ninactive\nata-LAB_2\nnvme-LAB_1\nnvme-LAB_3\n"
        )
        assert node.status().disks == {"nvme0n1": "nvme-LAB_1", "nvme1n1": "nvme-LAB_3", "sda": "ata-LAB_2"}
        assert node.model()["disks"]["nvme1n1"] == {
            "by_id": ["nvme-LAB_3"],
            "size": 10**9,
            "serial": "",
            "model": "",
        }

    def test_fresh_starts_anew(self, node):
        said(node, "echo kept > /etc/exports; chmod 000 /srv")
        Faults(node.folder).set(Sort.REFUSE)
        assert node.up("pve1", (), fresh=True) is True
        assert "kept" not in said(node, "cat /etc/exports")
        assert node.status().disks == {}
        assert Faults(node.folder).listed() == []

    def test_every_stand_in_is_in_the_path_before_the_real_tool(self, node):
        assert standins()
        for tool in standins():
            assert said(node, f"command -v {tool}") == f"/usr/local/sbin/{tool}\n"
        assert said(node, "systemctl is-active smbd nfs-server ssh") == "active\nactive\nactive\n"

    def test_a_wrapper_without_a_stand_in_goes_and_other_files_stay(self, node):
        folder = node.root / "usr/local/sbin"
        (folder / "gone").write_text((folder / "systemctl").read_text())
        (folder / "mine").write_text("#!/bin/sh\n")
        node.up("pve1", DISKS)
        assert not (folder / "gone").exists()
        assert (folder / "mine").exists()

    def test_down_removes_the_node(self, node):
        said(node, "mkdir -p /srv/a/b; touch /srv/a/b/c; chmod 000 /srv/a/b /srv/a")
        assert node.down() is True
        assert not node.folder.exists()
        assert node.down() is False

    def test_down_refuses_a_folder_that_is_no_lab(self, tmp_path):
        (tmp_path / "precious").write_text("kept")
        with pytest.raises(PhoenixError, match="is not a lab node"):
            LabNode(tmp_path).down()
        with pytest.raises(PhoenixError, match="is not a lab node"):
            LabNode(tmp_path).up("pve1", (), fresh=True)
        with pytest.raises(PhoenixError, match="holds something"):
            LabNode(tmp_path).up("pve1", ())
        assert [path.name for path in tmp_path.iterdir()] == ["precious"]

    def test_down_refuses_a_link_to_a_lab(self, node, tmp_path):
        link = tmp_path / "link"
        link.symlink_to(node.folder)
        with pytest.raises(PhoenixError, match="is not a lab node"):
            LabNode(link).down()
        assert node.exists

    def test_an_interrupted_down_can_be_done_again(self, node):
        for part in node.folder.iterdir():
            if part.name != MARKER:
                subprocess.run(["rm", "-r", part], check=True)
        assert node.down() is True

    def test_permissions_do_not_depend_on_our_umask(self, way, tmp_path):
        node = LabNode(tmp_path / "pve1")
        before = os.umask(0o077)
        try:
            node.up("pve1", DISKS)
            assert said(
                node,
                "/usr/bin/stat -c %a / /etc /usr /run /etc/passwd /etc/shadow /root /tmp /dev/disk/by-id",
            ).split() == (["755", "755", "755", "755", "644", "640", "700", "1777", "755"])
        finally:
            os.umask(before)


class TestLife:
    SCRIPT = """
        import sys, time
        sys.path.insert(0, sys.argv[1])
        from phoenix_hypervisor.lab.transport import LabTransport
        from phoenix_hypervisor.transport import Address
        transport = LabTransport(Address("pve1", "pve1", "lab", options=(sys.argv[2],)))
        transport.open()
        {}
    """

    def start(self, node, body):
        argv = [
            sys.executable,
            "-c",
            textwrap.dedent(self.SCRIPT).format(body),
            str(SOURCES),
            str(node.folder),
        ]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def test_the_sandbox_dies_with_its_parent(self, node):
        token = f"31{os.getpid()}.5"
        with self.start(node, f"transport.act('setsid sleep {token} & sleep {token}')") as process:
            assert until(lambda: len(processes_with(token)) == 2)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        assert until(lambda: not processes_with(token))

    def test_nothing_outlives_a_session(self, node):
        token = f"32{os.getpid()}.5"
        said(node, f"setsid sleep {token} < /dev/null > /dev/null 2>&1 & echo")
        assert until(lambda: not processes_with(token))

    def test_the_shell_outlives_the_thread_that_opened_it(self, open_transport):
        transport = open_transport()
        thread = threading.Thread(target=transport.open)
        thread.start()
        thread.join()
        time.sleep(0.1)
        assert transport.ask([Question("hostname")])[0].stdout == b"pve1\n"
        assert transport.trips == 2

    def test_kill_before(self, node):
        body = "for number in (1, 2, 3): transport.act(f'touch /srv/{number}')"
        Faults(node.folder).set(Sort.KILL, 2)
        with self.start(node, body) as first:
            first.communicate()
        assert first.returncode == -signal.SIGKILL
        assert said(node, "ls /srv") == "1\n"
        with self.start(node, body) as second:
            assert second.communicate() == (b"", b"")
        assert said(node, "ls /srv") == "1\n2\n3\n"
        assert [(row["n"], row["command"]) for row in node.actions()] == (
            [(1, "touch /srv/1"), (1, "touch /srv/1"), (2, "touch /srv/2"), (3, "touch /srv/3")]
        )


class TestTransport:
    def test_inventories_call_it_lab(self):
        project = tomllib.loads((SOURCES.parent / "pyproject.toml").read_text())
        points = project["project"]["entry-points"]["phoenix_hypervisor.transports"]
        assert EntryPoint("lab", points["lab"], "").load() is LabTransport

    def test_questions_go_in_one_trip(self, open_transport):
        transport = open_transport()
        transport.open()
        before = transport.trips
        answers = transport.ask([Question("hostname"), Question("cat", Text("in")), Question("false")])
        assert [(answer.status, answer.stdout) for answer in answers] == [
            (0, b"pve1\n"),
            (0, b"in"),
            (1, b""),
        ]
        assert transport.trips == before + 1

    def test_what_an_act_says_is_heard_while_it_runs(self, node, open_transport):
        os.mkfifo(node.root / "srv/go")
        told = []

        def hear(said):
            told.append(said)
            if said == "143 MB so far":
                (node.root / "srv/go").write_text("on\n")

        command = "printf '143 MB so far\\r'; read -r answer </srv/go; echo \"$answer\""
        answer = open_transport().act(command, None, hear)
        assert (answer.stdout, told) == (b"143 MB so far\ron\n", ["143 MB so far", "on"])

    def test_a_node_that_is_not_up(self, tmp_path):
        with pytest.raises(HostError) as raised:
            LabTransport(Address("pve9", "pve9", "lab", options=(str(tmp_path / "pve9"),))).open()
        assert raised.value.code is ExitCode.UNKNOWN
        assert "phoenix lab up pve9" in raised.value.hint

    def test_acts_are_written_down_and_questions_and_secrets_are_not(self, node, open_transport):
        class Store:
            def value(self, name):
                return b"canary"

        transport, first = open_transport(), next_act(node)
        transport.ask([Question("hostname")])
        assert transport.act("cat > /etc/told", Text(Secret("told", Store()))).status == 0
        assert transport.act("exit 4").status == 4
        rows = node.actions()
        assert [(row["n"], row["command"], row["status"]) for row in rows] == (
            [(first, "cat > /etc/told", 0), (first + 1, "exit 4", 4)]
        )
        assert abs(rows[0]["time"] - time.time()) < 60
        assert said(node, "cat /etc/told") == "canary"
        assert "canary" not in (node.folder / "actions.log").read_text()
        assert node.status().actions == 2


class TestFaults:
    def test_set_listed_cleared(self, tmp_path):
        faults = Faults(tmp_path)
        faults.set(Sort.DROP, 3)
        faults.set(Sort.FULL, detail="/etc/exports.d")
        faults.set(Sort.DROP, 3)
        assert faults.listed() == [Fault(Sort.FULL, detail="/etc/exports.d"), Fault(Sort.DROP, 3)]
        assert [str(fault) for fault in faults.listed()] == ["full /etc/exports.d", "drop-before 3"]
        assert faults.take(2) == []
        assert faults.take(3) == [Fault(Sort.DROP, 3)]
        assert faults.take(3) == []
        faults.clear()
        assert faults.listed() == []

    def test_drop_before(self, node, open_transport):
        transport = open_transport()
        transport.act("touch /srv/1")
        Faults(node.folder).set(Sort.DROP, next_act(node))
        with pytest.raises(HostError, match="the connection broke"):
            transport.act("touch /srv/2")
        assert transport.act("ls /srv").stdout == b"1\n"

    def test_hang_before(self, node, open_transport):
        transport = open_transport(command_seconds=0.3)
        transport.act("touch /srv/1")
        Faults(node.folder).set(Sort.HANG, next_act(node))
        before = time.monotonic()
        with pytest.raises(HostError, match=r"no answer for 0\.3 seconds"):
            transport.act("touch /srv/2")
        assert time.monotonic() - before < 5
        assert said(node, "ls /srv") == "1\n"

    def test_refuse(self, node, open_transport):
        transport = open_transport()
        Faults(node.folder).set(Sort.REFUSE)
        for _ in range(2):
            with pytest.raises(HostError, match="cannot be reached: Connection refused"):
                transport.ask([Question("true")])
        Faults(node.folder).clear()
        assert transport.ask([Question("true")])[0].status == 0

    def test_change_before(self, node, open_transport):
        transport = open_transport()
        transport.act("echo ours > /etc/motd")
        Faults(node.folder).set(Sort.CHANGE, next_act(node), "echo theirs > /etc/motd")
        assert transport.act("cat /etc/motd").stdout == b"theirs\n"
        assert [row["command"] for row in node.actions()] == ["echo ours > /etc/motd", "cat /etc/motd"]

    def test_full(self, node, open_transport):
        said(
            node,
            "mkdir /etc/exports.d; cd /etc/exports.d; echo old > a; chmod 600 a; ln -s a b",
        )
        Faults(node.folder).set(Sort.FULL, detail="/etc/exports.d")
        transport = open_transport()
        answer = transport.act(
            "cat > /etc/exports.d/.a.new && mv /etc/exports.d/.a.new /etc/exports.d/a", Text("new\n")
        )
        assert answer.status != 0
        assert b"No space left on device" in answer.stderr
        shown = transport.act(
            "cd /etc/exports.d; cat b; /usr/bin/stat -c %a a; echo x > /etc/elsewhere && cat /etc/elsewhere"
        )
        assert shown.stdout == b"old\n600\nx\n"
        transport.close()
        Faults(node.folder).clear()
        assert said(node, "cat /etc/exports.d/a; cat /etc/elsewhere") == "old\nx\n"
        assert open_transport().act("echo new > /etc/exports.d/a && cat /etc/exports.d/a").stdout == b"new\n"


BUILT = """\
zpool create quickOS mirror nvme-LAB_1 nvme-LAB_3
zfs create quickOS/vm-disks
pvesm add zfspool quickOS-vm --pool quickOS/vm-disks --content images,rootdir
mkdir -p /etc/exports.d /etc/samba/phoenix.d
echo '/quickOS/vm-disks 10.0.0.0/24(rw,sync,no_subtree_check)' > /etc/exports.d/phoenix-vm-disks.exports
exportfs -ra
useradd --system -M heads
printf 'one\\none\\n' | smbpasswd -s -a heads
printf '[media]\\n   path = /quickOS/vm-disks\\n' > /etc/samba/phoenix.d/media.conf
echo 'options zfs zfs_arc_max=17179869184' > /etc/modprobe.d/zfs.conf
"""
SEEN_BY = {
    "zfs-property": "zfs get -H -o value compression quickOS/vm-disks",
    "storage-content": "grep -A 3 quickOS-vm /etc/pve/storage.cfg",
    "export-options": "exportfs -s",
    "samba-share": "cat /etc/samba/phoenix.d/media.conf",
    "samba-password": "pdbedit -L -w",
    "samba-user": "pdbedit -L",
    "arc-limit": "cat /sys/module/zfs/parameters/zfs_arc_max",
    "arc-limit-at-boot": "cat /etc/modprobe.d/zfs.conf",
    "service-stopped": "systemctl is-active smbd || :",
    "degraded-pool": "zpool list -H -o name,health",
    "foreign-export": "exportfs -s",
    "foreign-dataset": "zfs list -H -o name",
}
OF_ANY_NODE = {"arc-limit", "service-stopped", "foreign-export"}


class TestDrift:
    @pytest.fixture
    def any_way(self, monkeypatch):
        """What drifts do does not depend on how the node is entered."""
        if not working_ways():
            pytest.skip("this machine does not let us make a lab")
        monkeypatch.setattr(sandbox, "_found", [working_ways()[0]])

    def test_each_changes_a_built_node_and_says_what(self, any_way, tmp_path):
        assert SEEN_BY.keys() == DRIFTS.keys()
        node = LabNode(tmp_path / "pve1")
        node.up("pve1", (*DISKS, Disk("nvme-LAB_3", 2 * 10**12)))
        said(node, BUILT)
        for name, look in SEEN_BY.items():
            before = said(node, look)
            told = drift(node, name)
            assert len(told.splitlines()) == 1, name
            assert said(node, look) != before, name
        assert node.actions() == []

    def test_an_export_that_may_not_be_written_to_differs_too(self, any_way, tmp_path):
        node = LabNode(tmp_path / "pve1")
        node.up("pve1", ())
        said(
            node,
            "mkdir -p /srv/x /etc/exports.d; echo '/srv/x 10.0.0.7(ro,secure)' > /etc/exports.d/x.exports",
        )
        said(node, "exportfs -ra")
        before = said(node, "exportfs -s")
        drift(node, "export-options")
        assert said(node, "exportfs -s") == before.replace("secure", "insecure")

    def test_where_there_is_nothing_to_change_it_says_so(self, any_way, tmp_path):
        node = LabNode(tmp_path / "pve1")
        node.up("pve1", ())
        for name in DRIFTS.keys() - OF_ANY_NODE:
            with pytest.raises(PhoenixError, match="nothing to change: there is no "):
                drift(node, name)

    def test_an_unknown_one(self, tmp_path):
        with pytest.raises(UsageError) as raised:
            drift(LabNode(tmp_path), "zfs-propertie")
        assert raised.value.hint == "did you mean `zfs-property`?"


class TestCommands:
    @pytest.fixture
    def phoenix(self, way, tmp_path):
        """`phoenix lab WORDS…` in a site with a lab node and one that is none; its output."""
        for folder in ("configs/nodes", "inventory"):
            (tmp_path / folder).mkdir(parents=True)
        (tmp_path / "configs/site.yaml").write_text("name: test\n")
        disk = "hardware:\n  disks:\n    a: {id: nvme-LAB_1, size: 2T, serial: S1}\n"
        (tmp_path / "configs/nodes/pve1.yaml").write_text(disk)
        (tmp_path / "configs/nodes/pve2.yaml").write_text(disk)
        (tmp_path / "inventory/hosts.yaml").write_text(
            "pve1: {hostname: 10.1.1.2, groups: [labs]}\npve2: {hostname: pve2.example.org}\n"
        )
        (tmp_path / "inventory/groups.yaml").write_text("labs: {data: {transport: lab}}\n")

        def call(*words):
            chosen = SimpleNamespace(site_folder=tmp_path)
            result = CliRunner().invoke(lab, words, obj=chosen)
            if result.exception and not isinstance(result.exception, SystemExit):
                raise result.exception
            return result.exit_code, result.stdout

        call.node = LabNode(tmp_path / ".phoenix/lab/pve1")
        return call

    def test_from_up_to_down(self, phoenix, capfd):
        assert phoenix("status") == (0, "pve1: not made yet\n")
        assert phoenix("down") == (0, "")
        assert phoenix("up") == (0, "pve1: made, 1 disks\n")
        assert phoenix("up", "pve1") == (0, "pve1: was up already, 1 disks\n")
        assert (phoenix.node.folder.parents[1] / ".gitignore").read_text() == "*\n"
        assert phoenix("exec", "pve1", "--", "sh", "-c", "hostname; grep pve1 /etc/hosts; exit 4") == (4, "")
        assert capfd.readouterr().out == "pve1\n10.1.1.2 pve1.lab pve1\n"
        assert phoenix("exec", "pve1", "hostname")[0] == 0
        code, out = phoenix("status")
        assert code == 0
        assert out.splitlines()[0].startswith("pve1: up, 0 acts so far, ")
        assert out.splitlines()[1:] == ["  /dev/nvme0n1  nvme-LAB_1"]
        assert phoenix("up", "--fresh") == (0, "pve1: made, 1 disks\n")
        assert phoenix("down") == (0, "pve1: removed\n")
        assert not phoenix.node.folder.exists()

    def test_a_node_that_is_none_of_the_lab(self, phoenix):
        with pytest.raises(UsageError, match="there is no lab node `pve2`") as raised:
            phoenix("up", "pve2")
        assert raised.value.hint == "did you mean `pve1`?"
        with pytest.raises(UsageError) as raised:
            phoenix("exec", "pve1")
        assert raised.value.hint == "make them: `phoenix lab up`"

    def test_drift(self, phoenix):
        phoenix("up")
        assert phoenix("drift") == phoenix("drift", "pve1")
        assert phoenix("drift")[1].splitlines()[0] == (
            "zfs-property       a dataset's compression is set by hand"
        )
        assert phoenix("drift", "pve1", "arc-limit") == (0, "the running limit of the ARC is 1 GiB now\n")
        assert phoenix("drift", "service-stopped") == (0, "smbd is stopped\n")

    def test_fault(self, phoenix):
        phoenix("up")
        assert phoenix("fault", "kill-before", "3") == (0, "pve1: kill-before 3\n")
        assert phoenix("fault", "pve1", "full", "/etc/samba")[0] == 0
        assert phoenix("fault", "change-before", "2", "rm -f /x")[0] == 0
        assert Faults(phoenix.node.folder).listed() == [
            Fault(Sort.KILL, 3),
            Fault(Sort.FULL, detail="/etc/samba"),
            Fault(Sort.CHANGE, 2, "rm -f /x"),
        ]
        code, out = phoenix("fault")
        assert (code, out.splitlines()[-1]) == (0, "pve1: set: change-before 2 rm -f /x")
        assert all(f"{sort}" in out for sort in Sort)
        assert phoenix("fault", "clear") == (0, "pve1: no faults\n")
        assert phoenix("fault", "pve1") == (0, "")

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("kill-befor", "3"), "neither a lab node nor known"),
            (("kill-before",), "wrong number of words"),
            (("kill-before", "none"), "not the number of an act"),
            (("kill-before", "0"), "not the number of an act"),
            (("full", "/no/such"), "is not a folder of the node"),
            (("full", "etc"), "is not a folder of the node"),
            (("full", "/"), "shows parts of the machine"),
            (("full", "/etc"), "shows parts of the machine"),
            (("refuse", "now"), "wrong number of words"),
        ],
    )
    def test_faults_that_make_no_sense(self, phoenix, words, message):
        phoenix("up")
        with pytest.raises(UsageError, match=message):
            phoenix("fault", *words)
        assert Faults(phoenix.node.folder).listed() == []


def test_a_folder_with_parts_of_the_machine_cannot_be_full(node):
    with pytest.raises(PhoenixError, match="/etc of a lab node cannot be full"):
        node.argv(["true"], full=["/etc"])


def test_enter_says_in_one_line_what_is_wrong(tmp_path):
    argv = [
        str(sandbox.python()),
        "-I",
        "-S",
        str(Path(sandbox.__file__).with_name("standins") / "enter.py"),
        "--nonsense",
    ]
    ended = subprocess.run(argv, capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (125, b"enter: unknown word --nonsense\n")


def test_actions_log_is_one_json_a_line(node, open_transport):
    transport = open_transport()
    transport.act("printf '%s\n' 'two\nlines'")
    (line,) = (node.folder / "actions.log").read_text().splitlines()
    assert set(json.loads(line)) == {"time", "n", "command", "status"}
