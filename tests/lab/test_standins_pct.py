"""The stand-in for pct: first against recordings of the real tool, then what a recording cannot show.

The recordings were made one after the other on one machine, so they are replayed on one node, in one sandbox.
What was changed between them without being recorded is in BEFORE.
"""

import io
import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from tests.lab import transcripts

from phoenix_hypervisor.errors import PhoenixError
from phoenix_hypervisor.lab import node as lab_node
from phoenix_hypervisor.lab.node import Disk, LabNode

STANDINS = Path(lab_node.__file__).with_name("standins")

TOPICS = PCT, SET, RUNNING, CLONE, MISC, FILES = (
    "02-pct",
    "03-pct-set-snap-clone",
    "07-running-pending",
    "08-template-clone-move",
    "09-misc-relocated",
    "10-pmxcfs",
)
ALPINE = "alpine-3.19-default_20240207_amd64.tar.zst"
STORAGES = """\
dir: local
	path /var/lib/vz
	content iso,vztmpl,backup,rootdir,images,snippets

dir: data
	path /srv/data
	content rootdir,images

zfspool: tank
	pool tank
	content rootdir,images

"""
BRIDGES = "".join(f"iface vmbr{n} inet manual\n\tbridge-ports none\n" for n in range(2))
DEBIAN_INTERFACES = """\
auto lo
iface lo inet loopback
iface lo inet6 loopback

# interfaces(5) file used by ifup(8) and ifdown(8)
# Include files from /etc/network/interfaces.d:
source /etc/network/interfaces.d/*
"""
TEMPLATES = {
    "busybox-1.35-oracle_1_amd64.tar.gz": {"etc/passwd": "root:x:0:0:root:/root:/bin/sh\n"},
    ALPINE: {
        "etc/os-release": "ID=alpine\n",
        "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
        "dev/never": "unpacked\n",
    },
    "debian-12-standard_12.7-1_amd64.tar.zst": {
        "etc/os-release": "ID=debian\n",
        "etc/passwd": "root:x:0:0:root:/root:/bin/bash\n",
        "etc/network/interfaces": DEBIAN_INTERFACES,
    },
}
SETUP = """\
mkdir -p /srv/bind/media /srv/data /etc/ssh
zpool create tank /dev/disk/by-id/lab-1
echo ssh-ed25519 AAAA root@pve > /etc/ssh/ssh_host_ed25519_key.pub
"""
CONF = "/etc/pve/lxc/100.conf"
BEFORE = {
    # control groups v1 have another least value
    (SET, 57): f"sed -i 's/^cpuunits: 1$/cpuunits: 2/' {CONF}",
    (SET, 102): f"sed -i /^lxc/d {CONF}",
    (SET, 106): f"sed -i -e /^bogus/d -e 's/^memory:.*/memory: 200/' {CONF}",
    (SET, 108): f"cp {CONF} /tmp/100.bak",
    (SET, 109): """\
sed -i -e '/^cpu/d' -e '/^timezone/d' -e '/^net1/d' -e 's/^net0:.*/net0: name=eth0,bridge=vmbr0,\
hwaddr=02:00:00:00:01:01,ip=manual,type=veth/' /etc/pve/lxc/101.conf""",
    (SET, 182): rf"""\
sed -i -e '/^cmode/d' -e '/^console/d' -e '/^timezone/d' -e '/^net[12]/d' -e '/^mp2/d' \
    -e 's/^arch:.*/arch: amd64/' -e 's/^ostype:.*/ostype: alpine/' {CONF}""",
    (CLONE, 7): f"pct stop 100; pct create 112 local:vztmpl/{ALPINE} --rootfs tank:1 --hostname lock1",
    (MISC, 15): "pct destroy 112; flock /run/lock/lxc/pve-config-112.lock sleep 0.6 & sleep 0.2",
    (MISC, 21): "printf 'arch: amd64\\nhostname: tmpl2\\n' > /etc/pve/lxc/115.conf",
    (MISC, 22): """\
echo 'lock: disk' >> /etc/pve/lxc/115.conf
printf 'arch: amd64\\nhostname: fulldir\\nlock: create\\n' > /etc/pve/lxc/116.conf""",
    (FILES, 19): "rm /etc/pve/lxc/115.conf; sed -i /lock/d /etc/pve/lxc/116.conf",
    (FILES, 26): "printf 'arch: amd64\\nhostname: other\\n' > /etc/pve/lxc/121.conf",
    (FILES, 27): "rm /etc/pve/lxc/121.conf",
}
"""What was changed between two recorded commands: before which, and how."""
NOT_OURS = {
    "vzdump": "backups are not simulated",
    "pct restore": "backups are not simulated",
    "pvesh": "the API is not simulated",
    "qm": "virtual machines are not simulated",
    "pct help": "the long help of one command",
    "pct fsck": "not simulated",
    "pct fstrim": "not simulated",
    "pct df": "not simulated",
    "pct cpusets": "not simulated",
    "pct migrate": "not simulated",
    "pct suspend": "not simulated",
}
CHANCE = "whether two writers meet is chance; a test below lets them"
VM = "virtual machines are not simulated"
FUSE = "/etc/pve is a plain folder in the lab, without the rules of its file system"
LEFT_OUT = {
    (PCT, 92): "systemd did not run in the recorded guest",
    (PCT, 93): "addresses of interfaces are a kernel's",
    (RUNNING, 6): "addresses of interfaces are a kernel's",
    (RUNNING, 71): "shows keys of control groups v1",
    (RUNNING, 78): "lists a backup",
    (RUNNING, 79): "lists a backup",
    (RUNNING, 81): "follows from a restored backup",
    (RUNNING, 84): "follows from a restored backup",
    (RUNNING, 85): "follows from a restored backup",
    (MISC, 5): VM,
    (MISC, 12): VM,
    (MISC, 18): CHANCE,
    (MISC, 19): CHANCE,
    (MISC, 20): "follows from 19",
    (FILES, 24): "counters of the cluster's file system",
} | {(FILES, n): FUSE for n in (*range(1, 19), 20, 21, 30, 31)}
RUN_ANYWAY = {
    (PCT, 82), (PCT, 84), (SET, 160), (SET, 197), (RUNNING, 5), (RUNNING, 33), (RUNNING, 71), (MISC, 18),
}  # fmt: skip
"""Left out of the count, but later commands need what they do."""
MISSES = {
    (PCT, 43): "a guest sees the node's /usr, so it always has the time zone",
    (CLONE, 15): "the order in which volumes are cloned is a hash's",
    (CLONE, 16): "the order in which volumes are cloned is a hash's",
    (CLONE, 29): "the order in which volumes are cloned is a hash's",
    (FILES, 26): "owner and mode of a file written by hand are its file system's",
}
"""What is not reproduced, each with its reason."""
USED = re.compile(
    r"pct (create|clone|set|config|pending|list|status|start|stop|shutdown|reboot|exec|snapshot|rollback|"
    r"delsnapshot|listsnapshot|resize|destroy|unlock|push|pull|template)\b|pveam (list|available|download)|"
    r"cat /etc/pve|lxc-attach"
)
"""Commands that templates, checks and verbs of the project use."""


def shape(text):
    """Put a word in place of what differs from run to run, and from machine to machine."""
    for pattern, word in (
        (r"(?m)^failed to connect to monitor socket: Connection refused\n", ""),
        (r"\bBC:24:11(:[0-9A-F]{2}){3}", "MAC"),
        (r"(?m)^Creating SSH host key .*\ndone: SHA256:\S+ (\S+)\n", r"KEY of \1\n"),
        (r"(?m)^Filesystem UUID: .*", "UUID"),
        (r"(?m)^Total bytes read: .*", "BYTES"),
        (r"(?s)\nNumber of files: .*?speedup is [\d.]+\n", "COPIED\n"),
        (r"(?m)^snaptime: \d+", "SNAPTIME"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "DATE"),
        (r"(?m)\d+/\d+ files \(0.0% non-contiguous\), \d+/\d+ blocks", "COUNTS"),
        (r"(?m)^(local:vztmpl/\S+) +[\d.]+[KM]B", r"\1 SIZE"),
        (r'"version": \d+', '"version": N'),
    ):
        text = re.sub(pattern, word, text)
    # the recorded guest's ls is busybox's
    text = re.sub(r"(?m)^-rw.*", lambda line: re.sub(" +", " ", line[0]), text)
    if "\npid: " in text:
        text = re.sub(r"(?m)^(disk|maxdisk|mem|pid|uptime): \d+", r"\1: N", text)
    if '"ids": {' in text:
        text = "".join(sorted(line.rstrip(",}\n") + "\n" for line in text.splitlines()))
    return transcripts.normalise(text)


def archive(files):
    """Return a small template."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo("./" + name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def make_node(folder):
    node = LabNode(folder / "pve")
    node.up("pve", [Disk("lab-1", 64 << 30)])
    cache = node.root / "var/lib/vz/template/cache"
    cache.mkdir(parents=True)
    for name, files in TEMPLATES.items():
        (cache / name).write_bytes(archive(files))
    (node.root / "etc/pve/storage.cfg").write_text(STORAGES)
    (node.root / "etc/network/interfaces").write_text(BRIDGES)
    try:
        ended = node.run(SETUP)
    except PhoenixError as error:
        pytest.skip(f"this machine does not let us make a lab: {error}")
    assert ended.status == 0, ended
    return node


def reason(entry):
    """Why an entry is not counted; empty if it is."""
    known = LEFT_OUT.get((entry.topic, entry.n)) or entry.caveat
    return known or next((why for word, why in NOT_OURS.items() if entry.command.startswith(word)), "")


LOOP = """\
export TZ=UTC PHOENIX_LAB_LOCK_SECONDS=0.8
ln -s null /dev/fuse
cd /root/replay
for f in *.sh; do
    case $f in *.before.sh) . ./$f > ${f%.sh}.out 2>&1; continue;; esac
    bash -c "$(cat $f)" > ${f%.sh}.out 2> ${f%.sh}.err < /dev/null
    echo $? > ${f%.sh}.exit
done
"""


@pytest.fixture(scope="session")
def replayed(tmp_path_factory):
    """Replay all that is recorded; the reports by topic."""
    node = make_node(tmp_path_factory.mktemp("replay"))
    folder = node.root / "root/replay"
    folder.mkdir()
    rows = []
    for topic in TOPICS:
        for entry in transcripts.load(topic):
            stem = f"{topic}-{entry.n:03}"
            if (topic, entry.n) in BEFORE:
                (folder / f"{stem}.before.sh").write_text(BEFORE[topic, entry.n] + "\n")
            if not reason(entry) or (topic, entry.n) in RUN_ANYWAY:
                command = entry.command.replace("sleep 20", "sleep 2").replace("sleep 4", "sleep 0.7")
                (folder / f"{stem}.sh").write_text(command)
            rows.append((entry, stem))
    ended = node.run(LOOP, timeout=600)
    assert ended.status == 0, ended
    reports = {topic: transcripts.Report(topic) for topic in TOPICS}
    for entry, stem in rows:
        if reason(entry):
            reports[entry.topic].leave_out(entry, reason(entry))
            continue
        done = [(folder / f"{stem}.{part}").read_text(errors="replace") for part in ("exit", "out", "err")]
        outcome = transcripts.Outcome(int(done[0]), done[1], done[2])
        reports[entry.topic].judge(entry, outcome, shape)
    return reports


recorded = pytest.mark.skipif(not transcripts.available(), reason="the recordings are not here")


@recorded
@pytest.mark.parametrize("topic", TOPICS)
def test_it_behaves_as_recorded(replayed, topic):
    report = replayed[topic]
    known = {n for found, n in MISSES if found == topic}
    print(report)  # noqa: T201 - the figures are what a replay is for
    assert report.unexpected(known) == {}
    assert set(report.missed) == known, "reproduced meanwhile: take it from MISSES"


@recorded
def test_what_we_call_is_reproduced(replayed):
    reproduced = [e for report in replayed.values() for e in report.reproduced if USED.match(e.command)]
    missed = [n for report in replayed.values() for n in report.missed if USED.match(report.commands[n])]
    print(f"commands that we use: {len(reproduced)} / {len(reproduced) + len(missed)}")  # noqa: T201
    assert len(reproduced) >= 0.95 * (len(reproduced) + len(missed)) >= 200


# The tables of options against the recorded schema

TABLES = """\
import json, sys
sys.path.insert(0, sys.argv[1])
import guest_formats, guest_options
def told(rule):
    facts = {"type": rule.kind, "enum": rule.enum, "minimum": rule.low, "maximum": rule.high}
    facts |= {"format": rule.form, "maxLength": rule.longest, "minLength": rule.shortest}
    facts |= {"pattern": bool(rule.pattern), "required": rule.required, "default_key": rule.first}
    return facts | {"parts": {name: told(part) for name, part in (rule.parts or {}).items()}}
settings = {name: told(rule) for name, rule in guest_formats.SETTINGS.items()}
print(json.dumps([settings, {verb: sorted(rules) for verb, rules in guest_options.OPTIONS.items()}]))
"""


def told(schema, part=False):
    """The same facts of the real tool's schema."""
    form = schema.get("format", "")
    parts = {name: told(inner, True) for name, inner in form.items()} if isinstance(form, dict) else {}
    facts = {"type": schema["type"], "enum": schema.get("enum", []), "format": "" if parts else form}
    facts |= {name: schema.get(name) for name in ("minimum", "maximum")}
    facts |= {name: schema.get(name, 0) for name in ("maxLength", "minLength")}
    facts |= {name: bool(schema.get(name)) for name in ("pattern", "default_key")}
    return facts | {"parts": parts, "required": part and not schema.get("optional")}


@recorded
def test_options_are_those_of_the_real_tool():
    line = [sys.executable, "-I", "-S", "-c", TABLES, str(STANDINS)]
    settings, options = json.loads(subprocess.run(line, capture_output=True, check=True).stdout)
    folder = transcripts.FOLDER.parent
    schema = json.loads((folder / "pve-lxc-schema.json").read_text())
    assert settings == {name.removesuffix("[n]"): told(rule) for name, rule in schema.items()}
    for verb, real in json.loads((folder / "pve-cli-schema.json").read_text())["pct"].items():
        known = set(real.get("parameters", {}).get("properties", {})) - {"node", "vmid", "extra-args"}
        if verb in ("create", "restore", "set"):
            known -= set(schema)
        if verb not in ("remote-migrate", "rescan"):
            assert set(options.get(verb, [])) == known, verb


# What recordings cannot show


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    return make_node(tmp_path_factory.mktemp("pct"))


@pytest.fixture(scope="module")
def numbers():
    return iter(range(300, 999))


@pytest.fixture
def guest(node, numbers):
    """The number of a stopped container of this test's own, with its root on the pool."""
    vmid = next(numbers)
    ok(node, f"pct create {vmid} local:vztmpl/{ALPINE} --rootfs tank:1 --unprivileged 1 --hostname own")
    return vmid


def run(node, command):
    ended = node.run(f"export PHOENIX_LAB_LOCK_SECONDS=0.5; {command}")
    return transcripts.Outcome(ended.status, ended.stdout.decode(), ended.stderr.decode())


def ok(node, command):
    done = run(node, command)
    assert (done.exit, done.stderr) == (0, ""), (command, done)
    return done.stdout


def conf(node, vmid):
    return (node.root / f"etc/pve/nodes/pve/lxc/{vmid}.conf").read_text()


def setting(node, vmid, key):
    """A setting of the section on top; None if it is not there."""
    found = re.search(rf"(?m)^{key}: (.*)$", conf(node, vmid).partition("\n[")[0])
    return found and found[1]


def volumes(node, vmid):
    return re.findall(rf"\S*{vmid}-disk-\d+\S*", ok(node, "pvesm list tank; pvesm list local"))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--memory 1e3", "memory: type check ('integer') failed - got '1e3'\n"),
        ("--cpulimit -1", "cpulimit: value must have a minimum value of 0\n"),
        ("--tty 7", "tty: value must have a maximum value of 6\n"),
        (
            "--cmode ssh",
            "cmode: value 'ssh' does not have a value in the enumeration 'shell, console, tty'\n",
        ),
        ("--onboot maybe", "onboot: type check ('boolean') failed - got 'maybe'\n"),
        ("--tags 'a b!'", "tags: invalid format - invalid characters in tag\n\n"),
        (
            "--searchdomain 'a.b -c'",
            "searchdomain: invalid format - value does not look like a valid DNS name\n\n",
        ),
        (
            "--net0 name=eth0,ip6=fd00::1",
            "ip6: invalid format - value does not look like a valid ipv6 network",
        ),
        (
            "--net0 name=eth0,gw=10.0.0.256",
            "gw: invalid format - value does not look like a valid IPv4 address",
        ),
        (
            "--net0 name=eth0,hwaddr=01:00:00:00:00:00",
            "hwaddr: invalid format - value does not look like a valid",
        ),
        (
            "--net0 name=eth0,name=eth1",
            "net0: invalid format - duplicate key in comma-separated list property: name",
        ),
        ("--net0 eth0", "net0: invalid format - value without key, but schema does not define a default key"),
        ("--net32 name=eth0", "Unknown option: net32\n400 unable to parse option\n"),
        ("--dev0 /dev/fuse,mode=660", "dev0.mode: value does not match the regex pattern\n"),
        (
            "--mp0 /srv/../x,mp=/x",
            "mp0.volume: invalid format - /srv/../x contains illegal character sequences",
        ),
        (
            "--mp0 tank:1,mp=/x,mountoptions=sync",
            "mp0.mountoptions: value does not match the regex pattern\n",
        ),
        (
            "--rootfs tank:x,size=big",
            "rootfs.size: invalid format - value does not look like a valid disk size: big",
        ),
        ("--startup first", "startup: invalid format - unable to parse startup options\n\n"),
        ("--hookscript hook.pl", "hookscript: invalid format - unable to parse volume ID 'hook.pl'\n\n"),
        ("--memory", "Option memory requires an argument\n400 unable to parse option\n"),
        ("stray --memory 64", "400 too many arguments\n"),
        (
            "--memory 64 --delete memory",
            "delete: you can't use '-memory' and -delete memory' at the same time\n",
        ),
        ("--revert 5", "revert: invalid format - invalid configuration ID '5'\n\n"),
    ],
)
def test_bad_options_are_refused_and_change_nothing(node, guest, option, message):
    before = conf(node, guest)
    done = run(node, f"pct set {guest} {option}")
    assert message in done.stderr
    assert done.stderr.endswith("pct set <vmid> [OPTIONS]\n")
    assert (done.exit, conf(node, guest)) == (255, before)


def test_all_that_is_wrong_is_said_at_once(node, guest):
    done = run(node, f"pct set {guest} --memory x --cores 0 --swap 64")
    assert done.stderr == (
        "400 Parameter verification failed.\ncores: value must have a minimum value of 1\n"
        "memory: type check ('integer') failed - got 'x'\npct set <vmid> [OPTIONS]\n"
    )


@pytest.mark.parametrize("verb", ["fsck", "df", "migrate", "console"])
def test_what_is_not_simulated_is_loud(node, guest, verb):
    more = " other" if verb == "migrate" else ""
    done = run(node, f"pct {verb} {guest}{more}")
    assert (done.exit, done.stderr) == (70, f"pct: not simulated: {verb} {guest}{more}\n")


class TestRunning:
    """What takes effect at once in a running guest, and what waits."""

    @pytest.fixture
    def guest(self, node, guest):
        ok(node, f"mkdir -p /srv/bind/hot; echo hot > /srv/bind/hot/file; pct start {guest}")
        yield guest
        run(node, f"pct stop {guest}")

    def test_settings_of_its_control_group_and_of_nobody_are_at_once(self, node, guest):
        ok(
            node,
            f"pct set {guest} --memory 300 --swap 5 --cpulimit 2 --cpuunits 7 --cores 1 --onboot 1 "
            "--tags b,A",
        )
        assert "[pve:pending]" not in conf(node, guest)
        assert (setting(node, guest, "memory"), setting(node, guest, "tags")) == ("300", "a;b")

    def test_others_wait_for_the_next_start(self, node, guest):
        ok(node, f"pct set {guest} --features nesting=1 --ostype debian --nameserver 10.0.0.1")
        assert conf(node, guest).endswith(
            "\n[pve:pending]\nfeatures: nesting=1\nnameserver: 10.0.0.1\nostype: debian\n"
        )
        assert setting(node, guest, "ostype") == "alpine"
        ok(node, f"pct reboot {guest}")
        assert "[pve:pending]" not in conf(node, guest)
        assert setting(node, guest, "ostype") == "debian"

    def test_what_was_set_back_waits_no_longer(self, node, guest):
        ok(node, f"pct set {guest} --ostype debian")
        ok(node, f"pct set {guest} --ostype alpine")
        assert "[pve:pending]" not in conf(node, guest)

    def test_a_new_mount_is_there_at_once_and_its_end_waits(self, node, guest):
        ok(node, f"pct set {guest} --mp0 /srv/bind/hot,mp=/hot --mp1 tank:1,mp=/data")
        assert ok(node, f"pct exec {guest} -- sh -c 'cat /hot/file; ls -d /data'") == "hot\n/data\n"
        ok(node, f"pct set {guest} --delete mp0,mp1")
        assert "\n[pve:pending]\ndelete: mp0,mp1\n" in conf(node, guest)
        assert ok(node, f"pct exec {guest} -- cat /hot/file") == "hot\n"
        ok(node, f"pct reboot {guest}")
        assert run(node, f"pct exec {guest} -- cat /hot/file").exit == 1
        assert setting(node, guest, "unused0") == f"tank:subvol-{guest}-disk-1"

    def test_a_changed_mount_waits(self, node, guest):
        ok(node, f"pct set {guest} --mp0 /srv/bind/hot,mp=/hot")
        ok(node, f"pct set {guest} --mp0 /srv/bind/hot,mp=/other")
        assert setting(node, guest, "mp0") == "/srv/bind/hot,mp=/hot"
        assert "mp0: /srv/bind/hot,mp=/other" in conf(node, guest).partition("[pve:pending]")[2]

    def test_a_mount_of_what_is_not_there_fails_and_waits(self, node, guest):
        done = run(node, f"pct set {guest} --mp0 /srv/bind/missing,mp=/x --memory 99")
        assert done.stderr == (
            "400 Parameter verification failed.\n"
            "mp0: unable to hotplug mp0: directory '/srv/bind/missing' does not exist\n\n"
            "pct set <vmid> [OPTIONS]\n"
        )
        # what could be done was done
        assert (setting(node, guest, "mp0"), setting(node, guest, "memory")) == (None, "99")

    def test_its_name_inside_is_the_one_it_was_started_with(self, node, guest):
        ok(node, f"pct set {guest} --hostname renamed --memory 99")
        assert ok(node, f"pct exec {guest} -- hostname") == "own\n"

    def test_raw_lines_wait_whatever_else_is_set(self, node, guest):
        file = f"/etc/pve/lxc/{guest}.conf"
        ok(node, f"echo 'lxc.mount.entry: /srv/bind/hot raw none bind,create=dir 0 0' >> {file}")
        ok(node, f"pct set {guest} --mp0 /srv/bind/hot,mp=/hot")
        assert run(node, f"pct exec {guest} -- cat /raw/file").exit == 1
        ok(node, f"pct reboot {guest}")
        assert ok(node, f"pct exec {guest} -- cat /raw/file") == "hot\n"

    def test_it_is_not_destroyed_unless_forced(self, node, guest):
        assert (
            run(node, f"pct destroy {guest}").stderr
            == f"unable to destroy CT {guest} - container is running\n"
        )
        assert ok(node, f"pct destroy {guest} --force") == f"forced to stop CT {guest} before destroying!\n"
        assert volumes(node, guest) == []


class TestFile:
    """The conf file."""

    def test_setting_what_is_there_leaves_every_byte(self, node, guest):
        ok(node, f"pct set {guest} --description 'a: b' --startup up=5,order=2 --net0 name=eth0,bridge=vmbr0")
        before = conf(node, guest)
        net = setting(node, guest, "net0")
        ok(node, f"pct set {guest} --description 'a: b' --startup up=5,order=2 --net0 {net} --hostname own")
        assert conf(node, guest) == before

    def test_sections_and_raw_lines_survive(self, node, guest):
        text = (
            "#a%3A b\n#\n#c\narch: amd64\nmemory: 64\nostype: alpine\nrootfs: tank:subvol-1-disk-0,size=1G\n"
            "lxc.idmap: u 0 100000 1000\nlxc.cap.drop: \nlxc.idmap: g 0 100000 1000\n\n[pve:pending]\n"
            "delete: mp0\nostype: debian\n\n[one]\n#first\nmemory: 32\nsnaptime: 1\nlxc.cap.drop: x\n\n"
            "[two]\nmemory: 33\nparent: one\nsnaptime: 2\n"
        )
        file = node.root / f"etc/pve/nodes/pve/lxc/{guest}.conf"
        file.write_text(text.replace("delete: mp0", "delete: memory"))
        ok(node, f"pct set {guest} --swap 7 --revert memory")
        assert conf(node, guest) == text.replace("delete: mp0\n", "").replace(
            "size=1G\n", "size=1G\nswap: 7\n"
        )

    def test_the_digest_is_of_its_bytes(self, node, guest):
        digest = ok(node, f"sha1sum /etc/pve/lxc/{guest}.conf").split()[0]
        ok(node, f"pct set {guest} --digest {digest} --memory 77")
        done = run(node, f"pct set {guest} --digest {digest} --memory 78")
        assert done.stderr == "detected modified configuration - file changed by other user? Try again.\n"
        assert setting(node, guest, "memory") == "77"

    def test_hardware_addresses_begin_as_the_datacenter_says(self, node, guest):
        ok(node, "echo 'mac_prefix: AA:BB' > /etc/pve/datacenter.cfg")
        ok(node, f"pct set {guest} --net0 name=eth0,bridge=vmbr0; rm /etc/pve/datacenter.cfg")
        assert re.search(r"hwaddr=AA:BB(:[0-9A-F]{2}){4},", setting(node, guest, "net0"))

    def test_packets_must_fit_through_the_bridge(self, node, guest):
        done = run(node, f"pct set {guest} --net0 name=eth0,bridge=vmbr0,mtu=9000")
        assert done.stderr == "net0: MTU size '9000' is bigger than bridge MTU '1500'\n"


class TestVolumes:
    """What lies on storages."""

    @pytest.mark.parametrize("storage", ["tank", "local"])
    def test_a_volume_is_made_kept_mounted_again_and_freed(self, node, guest, storage):
        before = volumes(node, guest)
        run(node, f"pct set {guest} --mp0 {storage}:0.5,mp=/data")
        (volume,) = set(volumes(node, guest)) - set(before)
        assert setting(node, guest, "mp0") == f"{volume},mp=/data,size=512M"
        ok(node, f"pct set {guest} --delete mp0")
        assert setting(node, guest, "unused0") == volume
        ok(node, f"pct set {guest} --mp3 {volume},mp=/again")
        assert setting(node, guest, "mp3") == f"{volume},mp=/again,size=512M"
        assert setting(node, guest, "unused0") is None
        ok(node, f"pct set {guest} --delete mp3")
        ok(node, f"pct set {guest} --delete unused0")
        assert volumes(node, guest) == before
        assert not list(node.root.glob(f"var/lib/vz/images/{guest}/.*"))

    def test_another_volume_in_its_place_keeps_the_old_one(self, node, guest):
        ok(node, f"pct set {guest} --mp0 tank:1,mp=/data")
        ok(node, f"pct set {guest} --mp0 tank:2,mp=/data")
        assert setting(node, guest, "mp0") == f"tank:subvol-{guest}-disk-2,mp=/data,size=2G"
        assert setting(node, guest, "unused0") == f"tank:subvol-{guest}-disk-1"

    def test_a_size_is_the_dataset_s_quota(self, node, guest):
        dataset = f"tank/subvol-{guest}-disk-0"
        assert ok(node, f"zfs get -Hpo value refquota,xattr,acltype {dataset}").split() == [
            "1073741824",
            "on",
            "posix",
        ]
        ok(node, f"pct resize {guest} rootfs +512M")
        assert ok(node, f"zfs get -Hpo value refquota {dataset}") == "1610612736\n"

    def test_destroying_frees_all_of_its_own_and_nothing_else(self, node, guest, numbers):
        other = next(numbers)
        ok(node, f"pct create {other} local:vztmpl/{ALPINE} --rootfs tank:1 --mp0 /srv/bind/media,mp=/media")
        ok(node, f"pct set {guest} --mp0 tank:1,mp=/a; zfs create -o refquota=1M tank/subvol-{guest}-disk-9")
        ok(
            node,
            f"zfs snapshot tank/subvol-{guest}-disk-0@x; zfs set mountpoint=none tank/subvol-{guest}-disk-1",
        )
        assert (
            ok(node, f"pct destroy {guest} --purge") == f"purging CT {guest} from related configurations..\n"
        )
        assert volumes(node, guest) == [f"tank:subvol-{guest}-disk-9"]
        assert volumes(node, other) == [f"tank:subvol-{other}-disk-0"]
        assert run(node, f"pct status {guest}").exit == 2
        ok(node, f"pct destroy {other} --destroy-unreferenced-disks; test -d /srv/bind/media")

    def test_protected_ones_stay(self, node, guest):
        ok(node, f"pct set {guest} --mp0 tank:1,mp=/a --protection 1")
        for command, message in (
            (f"destroy {guest}", f"can't remove CT {guest} - protection mode enabled\n"),
            (f"set {guest} --delete mp0", f"can't remove CT {guest} drive 'mp0' - protection mode enabled\n"),
            (
                f"set {guest} --mp0 tank:1,mp=/b",
                f"can't update CT {guest} drive 'mp0' - protection mode enabled\n",
            ),
        ):
            assert run(node, f"pct {command}").stderr == message

    def test_a_storage_must_hold_containers(self, node, guest):
        ok(node, "pvesm add dir plain --path /srv/plain --content iso")
        done = run(node, f"pct set {guest} --mp0 plain:1,mp=/a; pvesm remove plain")
        assert done.stderr == "storage 'plain' does not allow content type 'rootdir' (Container)\n"


class TestCreating:
    """New containers."""

    def test_a_template_that_is_none_leaves_nothing_behind(self, node, numbers):
        vmid = next(numbers)
        ok(node, "echo junk > /var/lib/vz/template/cache/junk_1_amd64.tar.gz")
        done = run(
            node, f"pct create {vmid} local:vztmpl/junk_1_amd64.tar.gz --rootfs tank:1 --mp0 local:1,mp=/a"
        )
        assert done.exit == 255
        assert done.stderr.startswith(f"unable to create CT {vmid} - command 'tar ")
        assert volumes(node, vmid) == []
        assert not (node.root / f"etc/pve/nodes/pve/lxc/{vmid}.conf").exists()

    def test_dev_is_not_unpacked(self, node, guest):
        root = node.root / f"tank/subvol-{guest}-disk-0"
        assert (root / "etc/os-release").read_text() == "ID=alpine\n"
        assert not (root / "dev/never").exists()

    def test_a_password_is_kept_as_a_hash_only(self, node, numbers):
        vmid = next(numbers)
        ok(node, f"pct create {vmid} local:vztmpl/{ALPINE} --rootfs tank:1 --password not-to-be-found")
        assert "not-to-be-found" not in ok(node, "grep -rl not-to-be-found /tank /etc /var/lib || true")
        assert (node.root / f"tank/subvol-{vmid}-disk-0/etc/shadow").read_text().startswith("root:$")

    def test_public_keys_are_put_in(self, node, numbers):
        vmid = next(numbers)
        keys = "--ssh-public-keys /etc/ssh/ssh_host_ed25519_key.pub"
        ok(node, f"pct create {vmid} local:vztmpl/{ALPINE} --rootfs tank:1 {keys}")
        file = node.root / f"tank/subvol-{vmid}-disk-0/root/.ssh/authorized_keys"
        assert file.read_text() == "# --- BEGIN PVE ---\nssh-ed25519 AAAA root@pve\n# --- END PVE ---\n"
        done = run(node, f"pct create {next(numbers)} local:vztmpl/{ALPINE} --ssh-public-keys /etc/none.pub")
        assert done.stderr == "can't open '/etc/none.pub' - No such file or directory\n"

    @pytest.mark.parametrize(("folder", "kind"), [("other/lxc", "CT"), ("pve/qemu-server", "VM")])
    def test_a_number_is_one_guest_s_in_the_whole_cluster(self, node, numbers, folder, kind):
        vmid = next(numbers)
        ok(node, f"mkdir -p /etc/pve/nodes/{folder}; echo > /etc/pve/nodes/{folder}/{vmid}.conf")
        done = run(node, f"pct create {vmid} local:vztmpl/{ALPINE} --rootfs tank:1")
        assert done.stderr == f"{kind} {vmid} already exists on node '{folder.partition('/')[0]}'\n"
        assert volumes(node, vmid) == []

    def test_a_number_is_given_once(self, node, numbers):
        vmid = next(numbers)
        one = f"pct create {vmid} local:vztmpl/{ALPINE} --rootfs tank:1 > /tmp/$n 2>&1; echo $?"
        said = ok(node, f"for n in 1 2 3 4; do ({one}) & done; wait").split()
        assert sorted(said) == ["0", "255", "255", "255"]
        assert volumes(node, vmid) == [f"tank:subvol-{vmid}-disk-0"]


class TestLocks:
    """Two at once, and locks of tasks."""

    def test_two_writers_lose_nothing(self, node, guest):
        keys = ("memory", "swap", "cores", "cpuunits", "tty", "cpulimit")
        waiting = "export PHOENIX_LAB_LOCK_SECONDS=20"
        line = " & ".join(f"pct set {guest} --{key} {n + 20 if n < 2 else n}" for n, key in enumerate(keys))
        run(node, f"{waiting}; {line} & wait")
        assert [setting(node, guest, key) for key in keys] == ["20", "21", "2", "3", "4", "5"]

    def test_a_lock_that_is_not_let_go_ends_in_a_refusal(self, node, guest):
        lock = f"/run/lock/lxc/pve-config-{guest}.lock"
        done = run(node, f"exec 9> {lock}; flock 9; pct set {guest} --memory 99")
        assert (done.exit, done.stderr) == (
            4,
            f"trying to acquire lock...\ncan't lock file '{lock}' - got timeout\n",
        )
        assert setting(node, guest, "memory") == "512"

    def test_a_storage_makes_one_volume_at_a_time(self, node, guest):
        lock = "/var/lock/pve-manager/pve-storage-tank"
        done = run(node, f"exec 9> {lock}; flock 9; pct set {guest} --mp0 tank:1,mp=/a")
        assert f"can't lock file '{lock}' - got timeout" in done.stderr
        assert setting(node, guest, "mp0") is None

    def test_a_task_s_lock_forbids_changes_until_it_is_taken_off(self, node, guest):
        ok(node, f"pct set {guest} --lock migrate")
        for verb in ("set --memory 64", "resize rootfs +1G", "destroy", "start"):
            name, _, rest = verb.partition(" ")
            extra = f"{guest} {rest}" if rest else guest
            assert run(node, f"pct {name} {extra}").stderr == "CT is locked (migrate)\n"
        assert re.search(rf"(?m)^{guest} +stopped +migrate +own *$", ok(node, "pct list"))
        ok(node, f"pct unlock {guest}")
        ok(node, f"pct set {guest} --memory 64")


def test_rescanning_brings_sizes_and_lost_volumes_back(node, guest):
    dataset = f"tank/subvol-{guest}-disk-"
    ok(node, f"zfs set refquota=3G {dataset}0; zfs create -o refquota=1G {dataset}4")
    assert ok(node, f"pct rescan --vmid {guest}") == (
        f"rescan volumes...\nCT {guest}: updated volume size of 'tank:subvol-{guest}-disk-0' in config.\n"
        f"CT {guest}: add unreferenced volume 'tank:subvol-{guest}-disk-4' as 'unused0' to config.\n"
    )
    ok(node, f"zfs destroy {dataset}4")
    assert ok(node, f"pct rescan --vmid {guest}").endswith(
        f"CT {guest}: removing entry 'unused0' from config.\n"
    )
    assert setting(node, guest, "rootfs") == f"tank:subvol-{guest}-disk-0,size=3G"
