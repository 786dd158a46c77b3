"""The stand-in for qm: first against recordings of the real tool, then what a recording cannot show."""

import re
from pathlib import Path

import pytest
from tests.lab import transcripts

from phoenix_hypervisor.errors import PhoenixError
from phoenix_hypervisor.lab import node as lab_node
from phoenix_hypervisor.lab.node import Disk, LabNode

STANDINS = Path(lab_node.__file__).with_name("standins")
TOPICS = FIRST, CLOUD = "05-qm-access-pvesh", "09-misc-relocated"
OURS = re.compile(r"qm\b|cat /etc/pve/qemu-server")
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
SETUP = """\
mkdir -p /srv/data /etc/ssh
zpool create tank /dev/disk/by-id/lab-1
printf 'arch: amd64\\nhostname: web1\\n' > /etc/pve/lxc/100.conf
"""
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGr8MiEDE4uN1+ML41NTav602bmdZoyBirpCQe/bReoj root@vm\n"
WITHOUT_ISO = "the recording machine could not make the drive's image"
LEFT_OUT = {(FIRST, 15): WITHOUT_ISO, (CLOUD, 3): WITHOUT_ISO}
"""Not counted, each with its reason; what they change is done all the same."""
NOT_RUN = {(FIRST, 30), (FIRST, 40)}
"""A clone that failed on the recording machine, and its removal."""
MISSES: dict[tuple[str, int], str] = {}


def shape(text):
    """Put a word in place of what differs from run to run, and from machine to machine."""
    for pattern, word in (
        (r"\bBC:24:11(:[0-9A-F]{2}){3}", "MAC"),
        (r"(?i)\bbc:24:11(:[0-9a-f]{2}){3}", "MAC"),
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
        (r"creation-qemu=[\d.]+,ctime=\d+", "META"),
        (r"\$5\$[^\s]+", "HASH"),
    ):
        text = re.sub(pattern, word, text)
    return transcripts.normalise(text)


def make_node(folder):
    node = LabNode(folder / "pve")
    node.up("pve", [Disk("lab-1", 64 << 30)])
    (node.root / "etc/pve/storage.cfg").write_text(STORAGES)
    (node.root / "etc/network/interfaces").write_text("iface vmbr0 inet manual\n\tbridge-ports none\n")
    (node.root / "etc/ssh/ssh_host_ed25519_key.pub").write_text(KEY)
    try:
        ended = node.run(SETUP)
    except PhoenixError as error:
        pytest.skip(f"this machine does not let us make a lab: {error}")
    assert ended.status == 0, ended
    return node


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    return make_node(tmp_path_factory.mktemp("qm"))


LOOP = """\
export TZ=UTC
cd /root/replay
for f in *.sh; do
    bash -c "$(cat $f)" > ${f%.sh}.out 2> ${f%.sh}.err < /dev/null
    echo $? > ${f%.sh}.exit
done
"""


@pytest.fixture(scope="module")
def replayed(node):
    """Replay all that is recorded of machines; the reports by topic."""
    folder = node.root / "root/replay"
    folder.mkdir()
    rows = [entry for topic in TOPICS for entry in transcripts.load(topic) if OURS.match(entry.command)]
    for entry in rows:
        if (entry.topic, entry.n) in NOT_RUN:
            continue
        (folder / f"{entry.topic}-{entry.n:03}.sh").write_text(entry.command)
    ended = node.run(LOOP, timeout=300)
    assert ended.status == 0, ended
    reports = {topic: transcripts.Report(topic) for topic in TOPICS}
    for entry in rows:
        why = LEFT_OUT.get((entry.topic, entry.n)) or entry.caveat
        if why:
            reports[entry.topic].leave_out(entry, why)
            continue
        stem = folder / f"{entry.topic}-{entry.n:03}"
        done = [stem.with_suffix(f".{part}").read_text(errors="replace") for part in ("exit", "out", "err")]
        reports[entry.topic].judge(entry, transcripts.Outcome(int(done[0]), done[1], done[2]), shape)
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
