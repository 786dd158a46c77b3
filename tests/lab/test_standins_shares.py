"""The stand-ins for pvesm, NFS, Samba, systemd, users and owners.

First against recordings of the real tools, then what a recording cannot show: a forgotten reload, a rotated
password, shares and exports that nobody spelt in the usual way, writers at once.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.lab import transcripts

STANDINS = Path(__file__).resolve().parents[2] / "generator" / "phoenix_hypervisor" / "lab" / "standins"
TOOLS = (
    "pvesm", "exportfs", "showmount", "mount", "umount", "testparm", "pdbedit", "smbpasswd", "smbclient",
    "smbcontrol", "systemctl", "useradd", "userdel", "chown", "stat", "zpool", "zfs",
)  # fmt: skip
ON_FILES = ("cat", "mkdir", "rm")
UNIT = {"load": "loaded", "active": "active", "sub": "running", "enabled": "enabled"}

SMB_CONF = """\
[global]
 map to guest = bad user
 usershare allow guests = yes
 unix password sync = true
 passwd program = /usr/bin/passwd %u
 passwd chat = *Enter\\snew\\s*\\spassword:* %n\\n *Retype\\snew\\s*\\spassword:* %n\\n *password\\supdated\\ssuccessfully* .
 pam password change = yes
 panic action = /usr/share/samba/panic-action %d
 obey pam restrictions = 1
 log file = /var/log/samba/log.%m
 max log size = 1000
 logging = file
 server role = standalone
[homes]
 comment = Home Directories
 browsable = no
 create mode = 700
 directory mode = 700
 valid users = %S
[printers]
 comment = All Printers
 browseable = off
 path = /var/tmp
 print ok = yes
 writeable = no
 create mask = 0700
[print$]
 comment = Printer Drivers
 path = /var/lib/samba/printers
"""  # noqa: E501 - the value is one line
MEDIA = "[global]\nserver role = standalone\n[media]\npath = /srv/a\nvalid users = heads\nread only = no\n"


class Node:
    """A node's root in a folder; the stand-ins run as processes of their own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / "var/lib/phoenix-lab"
        for folder in (
            "var/lib/phoenix-lab",
            "etc/samba",
            "etc/systemd/system",
            "srv",
            "mnt",
            "bin",
            "dev/disk/by-id",
        ):
            (root / folder).mkdir(parents=True)
        self.write("/etc/exports", "")
        self.write("/var/lib/nfs/etab", "")
        self.write("/etc/hostname", "pve1\n")
        self.write("/etc/samba/smb.conf", SMB_CONF)
        self.write(
            "/etc/passwd", "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/usr/sbin/nologin\n"
        )
        self.write("/etc/group", "root:x:0:\nmedia:x:2000:\n")
        self.write("/etc/shadow", "root:*:1:0:99999:7:::\n")
        names = ("smbd", "nmbd", "nfs-server", "ssh")
        self.set_model(hostname="pve1", disks={}, units={f"{name}.service": dict(UNIT) for name in names})
        for tool in TOOLS:
            self._program(tool, f'exec {sys.executable} -I -S {STANDINS} {tool} "$@"')
        for tool in ON_FILES:
            # The recorded shell snippets name files of the node by absolute paths.
            each = f'for a; do shift; case $a in /*) a={root}$a;; esac; set -- "$@" "$a"; done'
            self._program(tool, f'{each}; PATH=/usr/bin:/bin exec {tool} "$@"')
        self.env = {
            "PATH": f"{root}/bin:/usr/bin:/bin",
            "PHOENIX_LAB_ROOT": str(root),
            "TZ": "UTC",
            "LC_ALL": "C.UTF-8",
        }

    def _program(self, name: str, line: str) -> None:
        (self.root / "bin" / name).write_text(f"#!/bin/sh\n{line}\n")
        (self.root / "bin" / name).chmod(0o755)

    def file(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def write(self, path: str, text: str) -> None:
        self.file(path).parent.mkdir(parents=True, exist_ok=True)
        self.file(path).write_text(text)

    def read(self, path: str) -> str:
        return self.file(path).read_text()

    def model(self) -> dict[str, dict[str, object]]:
        return json.loads((self.state / "model.json").read_text())

    def set_model(self, **sections: object) -> None:
        place = self.state / "model.json"
        old = json.loads(place.read_text()) if place.exists() else {}
        place.write_text(json.dumps(old | sections))

    def shell(self, command: str) -> transcripts.Outcome:
        command = re.sub(r"> (/[^ ;]+)", rf"> {self.root}\1", command)
        done = subprocess.run(
            ["bash", "-c", command], env=self.env, cwd=self.root, capture_output=True, text=True, check=False
        )
        out, err = (text.replace(str(self.root), "") for text in (done.stdout, done.stderr))
        return transcripts.Outcome(done.returncode, out, err)

    def run(self, *argv: str, stdin: str = "") -> transcripts.Outcome:
        line = (sys.executable, "-I", "-S", str(STANDINS), *argv)
        done = subprocess.run(
            line, env=self.env, cwd=self.root, input=stdin, capture_output=True, text=True, check=False
        )
        return transcripts.Outcome(done.returncode, done.stdout, done.stderr)

    def ok(self, *argv: str, stdin: str = "") -> str:
        done = self.run(*argv, stdin=stdin)
        assert done.exit == 0, (argv, done)
        return done.stdout

    def samba_user(self, name: str, password: str) -> None:
        self.ok("useradd", "-M", "-s", "/usr/sbin/nologin", name)
        self.ok("smbpasswd", "-s", "-a", name, stdin=f"{password}\n{password}\n")

    def client(self, login: str, command: str, share: str = "media") -> transcripts.Outcome:
        return self.run("smbclient", "-U", login, f"//127.0.0.1/{share}", "-c", command)


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path / "node")


@pytest.fixture
def sharing(node):
    """A node whose smbd serves the share `media` to its one user."""
    node.file("/srv/a").mkdir()
    node.samba_user("heads", "secret-one")
    node.ok("chown", "heads", "/srv/a")
    node.write("/etc/samba/smb.conf", MEDIA)
    node.ok("systemctl", "restart", "smbd")
    return node


# Replays of recordings


def shares_shape(text: str) -> str:
    for pattern, word in (
        (r"S-1-5-21-\d+-\d+-\d+", "SID"), (r"LCT-[0-9A-F]{8}", "LCT"),
        (r"\w{3}, \d\d \w{3} \d{4} [\d:]+ UTC", "WHEN"),
        (r"\d+ blocks of size 1024. \d+ blocks", "BLOCKS"), (r"\([\d.]+ kb/s\)", "SPEED"),
        (r"average [\d.]+ kb/s", "SPEED"), (r".*Log(off|on) time.*\n|.*Kickoff.*\n", ""),
    ):  # fmt: skip
        text = re.sub(pattern, word, text)
    return transcripts.normalise(text)


def storage_shape(text: str) -> str:
    text = re.sub(
        r"^(\tcontent )(.*)$", lambda m: m[1] + ",".join(sorted(m[2].split(","))), text, flags=re.MULTILINE
    )
    if text.startswith("Volid"):
        # Template files come in the order of their folder.
        text = "".join(sorted(text.splitlines(keepends=True)))
    if text.startswith("Name "):
        text = re.sub(r" +\d+ +\d+ +\d+ +\d+\.\d\d%", " SIZES", text)
    return text


def replay(node, topic, shape, out_of_scope, before=None):
    report = transcripts.Report(topic)
    for entry in transcripts.load(topic):
        why = next((why for word, why in out_of_scope.items() if entry.command.startswith(word)), "")
        if entry.caveat or why:
            report.leave_out(entry, entry.caveat or why)
            continue
        if before and entry.n in before:
            before[entry.n](node)
        report.judge(entry, node.shell(entry.command), shape)
    print(report)  # noqa: T201 - the figures are what a replay is for
    return report


@pytest.mark.skipif(not transcripts.available(), reason="the recordings are not here")
def test_shares_behave_as_recorded(node):
    out_of_scope = {
        "smbstatus": "not called by anything here",
        "systemd-analyze": "not called by anything here",
    }
    report = replay(node, "22-shares", shares_shape, out_of_scope)
    assert report.unexpected({}) == {}
    assert report.recorded >= 50


STORAGE_MISSES = {
    95: "the long help of one command",
}


@pytest.mark.skipif(not transcripts.available(), reason="the recordings are not here")
def test_storages_behave_as_recorded(node):
    def pool(node):
        node.file("/dev/disk1").write_bytes(b"")
        os.truncate(node.file("/dev/disk1"), 4 << 30)
        node.file("/dev/disk/by-id/lab-1").symlink_to("../../disk1")
        node.set_model(disks={"disk1": {"by_id": ["lab-1"], "size": 4 << 30, "serial": "1", "model": "LAB"}})
        node.ok("zpool", "create", "tank", "/dev/disk/by-id/lab-1")

    def templates(node):
        for name, size in (
            ("busybox-1.35-oracle_1_amd64.tar.gz", 1037248),
            ("alpine-3.19-default_20240207_amd64.tar.zst", 1080915),
            ("debian-12-standard_12.7-1_amd64.tar.zst", 60578854),
        ):
            node.file(f"/var/lib/vz/template/cache/{name}").write_bytes(b"")
            os.truncate(node.file(f"/var/lib/vz/template/cache/{name}"), size)

    def stop_servers(node):
        node.ok("systemctl", "stop", "nfs-server")
        node.ok("systemctl", "stop", "smbd")

    node.set_model(hostname="pve")
    report = replay(
        node,
        "01-storage",
        storage_shape,
        {"pvesh": "another stand-in's"},
        {25: pool, 30: stop_servers, 60: templates},
    )
    assert report.unexpected(STORAGE_MISSES) == {}
    assert report.recorded >= 80


# Storages


def contents(node, name):
    text = node.read("/etc/pve/storage.cfg")
    return re.search(rf": {name}\n(?:\t.*\n)*?\tcontent (.*)\n", text)[1].split(",")


def test_content_is_written_in_any_order(node):
    node.ok(
        "pvesm", "add", "dir", "data", "--path", "/srv/data", "--content", "images,rootdir,backup,iso,vztmpl"
    )
    seen = []
    for _ in range(8):
        node.ok("pvesm", "set", "data")
        seen.append(tuple(contents(node, "data")))
    assert {tuple(sorted(order)) for order in seen} == {("backup", "images", "iso", "rootdir", "vztmpl")}
    assert len(set(seen)) > 1


def test_storages_of_others_are_kept(node):
    foreign = "lvm: big\n\tvgname vg0\n\tcontent images\n\tshared 1\n\n"
    node.write("/etc/pve/storage.cfg", f"dir: local\n\tpath /var/lib/vz\n\tcontent iso\n\n{foreign}")
    node.ok("pvesm", "add", "dir", "data", "--path", "/srv/data", "--content", "iso")
    node.ok("pvesm", "remove", "data")
    assert node.read("/etc/pve/storage.cfg") == f"dir: local\n\tpath /var/lib/vz\n\tcontent iso\n\n{foreign}"


def test_subfolders_are_made_for_the_content(node):
    node.ok("pvesm", "add", "dir", "data", "--path", "/srv/data", "--content", "iso,vztmpl,backup")
    found = sorted(str(p.relative_to(node.file("/srv/data"))) for p in node.file("/srv/data").rglob("*"))
    assert found == ["dump", "template", "template/cache", "template/iso"]


def test_a_storage_for_other_nodes_is_not_activated(node):
    node.ok("pvesm", "add", "dir", "far", "--path", "/srv/far", "--nodes", "other", "--content", "iso")
    assert not node.file("/srv/far").exists()
    assert "far" not in node.ok("pvesm", "status")


@pytest.fixture
def pool(node):
    with node.file("/dev/disk1").open("wb") as disk:
        disk.truncate(4 << 30)
    node.file("/dev/disk/by-id/lab-1").symlink_to("../../disk1")
    node.set_model(disks={"disk1": {"by_id": ["lab-1"], "size": 4 << 30, "serial": "1", "model": "LAB"}})
    node.ok("zpool", "create", "tank", "/dev/disk/by-id/lab-1")
    node.ok("zfs", "create", "tank/data")
    return node


def test_is_mountpoint_wants_a_mounted_dataset(pool):
    add = (
        "pvesm",
        "add",
        "dir",
        "data",
        "--path",
        "/tank/data",
        "--is_mountpoint",
        "yes",
        "--content",
        "iso",
    )
    pool.ok("zfs", "unmount", "tank/data")
    assert pool.run(*add) == transcripts.Outcome(
        255,
        "",
        "create storage failed: unable to activate storage 'data' - "
        "directory is expected to be a mount point but is not mounted: '/tank/data'\n",
    )
    assert not pool.file("/etc/pve/storage.cfg").exists()
    pool.ok("zfs", "mount", "tank/data")
    pool.ok(*add)
    assert "\tis_mountpoint yes\n" in pool.read("/etc/pve/storage.cfg")
    pool.ok("zfs", "unmount", "tank/data")
    status = pool.run("pvesm", "status", "--storage", "data")
    assert (status.exit, "inactive" in status.stdout) == (0, True)
    assert "not mounted: '/tank/data'" in status.stderr


def test_zfspool_takes_the_mountpoint_of_its_dataset(pool):
    pool.ok("zfs", "set", "mountpoint=/srv/vols", "tank/data")
    pool.ok("pvesm", "add", "zfspool", "vols", "--pool", "tank/data", "--content", "rootdir")
    expected = "zfspool: vols\n\tpool tank/data\n\tcontent rootdir\n\tmountpoint /srv/vols\n\n"
    assert pool.read("/etc/pve/storage.cfg").endswith(expected)
    pool.ok("zfs", "create", "-o", "refquota=1G", "tank/data/subvol-101-disk-0")
    assert pool.ok("pvesm", "list", "vols").splitlines()[1].split() == [
        "vols:subvol-101-disk-0", "subvol", "rootdir", "1073741824", "101",
    ]  # fmt: skip
    assert pool.ok("pvesm", "scan", "zfs").split() == ["tank", "tank/data"]


def test_zfspool_of_a_missing_pool_is_refused(node):
    done = node.run("pvesm", "add", "zfspool", "nopool", "--pool", "nosuch")
    assert done.exit != 0
    assert "could not activate storage 'nopool', zfs error: cannot import 'nosuch'" in done.stderr
    assert not node.file("/etc/pve/storage.cfg").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("add", "zfspool", "aa", "--pool", "t", "--content", "iso"),
            "storage does not support content type 'iso'",
        ),
        (
            ("add", "nfs", "aa", "--server", "h", "--export", "x"),
            "export: invalid format - value does not look",
        ),
        (
            ("add", "dir", "aa", "--path", "/x", "--sparse", "perhaps"),
            "type check ('boolean') failed - got 'perhaps'",
        ),
        (("add", "dir", "aa", "--path", "/x", "--preallocation", "x"), "in the enumeration 'off, metadata"),
        (("add", "dir", "aa", "--path", "/x", "--nodes", "a_b"), "does not look like a valid node name"),
        (("add", "dir", "aa"), "missing value for required option 'path'"),
        (("add", "dir"), "400 not enough arguments"),
        (("set", "local", "--pool", "x"), "update storage failed: unexpected property 'pool'"),
        (("set", "local", "--content", "none,iso"), "unable to combine 'none' with other content types"),
        (("list", "local", "extra"), "400 too many arguments"),
    ],
)
def test_pvesm_refuses(node, words, said):
    done = node.run("pvesm", *words)
    assert done.exit == 255
    assert said in done.stderr
    assert not node.file("/etc/pve/storage.cfg").exists()


def test_a_digest_must_be_the_files(node):
    node.ok("pvesm", "add", "dir", "data", "--path", "/srv/data", "--content", "iso")
    digest = subprocess.run(
        ["sha1sum", node.file("/etc/pve/storage.cfg")], capture_output=True, text=True, check=True
    )
    node.ok("pvesm", "set", "data", "--content", "backup", "--digest", digest.stdout.split()[0])
    again = node.run("pvesm", "set", "data", "--content", "iso", "--digest", digest.stdout.split()[0])
    assert "detected modified configuration" in again.stderr


def test_a_storage_on_the_nodes_own_exports(node):
    for folder in ("/srv/a", "/srv/b"):
        node.file(folder).mkdir()
    node.write("/etc/exports", "/srv/a 127.0.0.1(rw,no_subtree_check)\n")
    node.ok("systemctl", "restart", "nfs-server")
    add = ("pvesm", "add", "nfs", "media", "--server", "127.0.0.1", "--content", "iso", "--export")
    assert "mount error: mount.nfs" in node.run(*add, "/srv/b").stderr
    node.ok(*add, "/srv/a")
    assert node.file("/srv/a/template/iso").is_dir()
    assert "\tpath /mnt/pve/media\n\tserver 127.0.0.1\n" in node.read("/etc/pve/storage.cfg")


def test_a_share_as_storage_keeps_its_password_apart(sharing):
    add = ("pvesm", "add", "cifs", "smb", "--server", "127.0.0.1", "--share", "media", "--username", "heads")
    assert (
        sharing.run(*add, "--password", "wrong").stderr
        == "create storage failed: storage 'smb' is not online\n"
    )
    assert not sharing.file("/etc/pve/priv/storage/smb.pw").exists()
    sharing.ok(*add, "--password", "secret-one", "--content", "iso")
    assert sharing.read("/etc/pve/priv/storage/smb.pw") == "password=secret-one\n"
    assert "secret" not in sharing.read("/etc/pve/storage.cfg")


# Exports


def exports(node, text):
    for folder in ("a", "b", "c", "with space"):
        node.file(f"/srv/{folder}").mkdir(exist_ok=True)
    node.write("/etc/exports", text)
    done = node.run("exportfs", "-ra")
    rows = [line.split("\t")[:2] for line in node.read("/var/lib/nfs/etab").splitlines()]
    return done, [(path, client.partition("(")[0]) for path, client in rows]


def test_order_of_exports_is_the_kernels(node):
    rest = "(ro,no_subtree_check)"
    clients = f"10.0.0.0/24{rest} *.lab.test{rest} @grp{rest} fe80::/64{rest} 10.0.0.9{rest}"
    done, rows = exports(node, f"/srv/c *{rest}\n/srv/a *{rest}\n/srv/b *{rest} {clients}\n")
    assert done == transcripts.Outcome(0, "", "")
    assert rows == [
        ("/srv/b", "10.0.0.9"), ("/srv/b", "10.0.0.0/24"), ("/srv/b", "fe80::/64"), ("/srv/b", "*.lab.test"),
        ("/srv/b", "@grp"), ("/srv/b", "*"), ("/srv/a", "*"), ("/srv/c", "*"),
    ]  # fmt: skip
    assert [line.split("  ")[0] for line in node.ok("exportfs", "-s").splitlines()[-3:]] == [
        "/srv/c",
        "/srv/a",
        "/srv/b",
    ]


def test_a_mistake_drops_the_rest_of_its_file_only(node):
    node.file("/etc/exports.d").mkdir()
    node.write("/etc/exports.d/z.exports", "/srv/c *(ro,no_subtree_check)\n")
    node.write("/etc/exports.d/ignored.conf", "/srv/c 10.0.0.1(rw)\n")
    good = "/srv/b 10.0.0.1(rw,no_subtree_check)\n"
    done, rows = exports(node, f"{good}/srv/c 10.0.0.1(rw,bogus)\n{good.replace('/b', '/a')}")
    assert (done.exit, done.stderr) == (1, 'exportfs: /etc/exports:2: unknown keyword "bogus"\n\n')
    assert rows == [("/srv/b", "10.0.0.1"), ("/srv/c", "*")]


def test_spellings_of_exports(node):
    text = (
        "# comment\n\n/srv/a -ro,no_subtree_check 10.0.0.1 10.0.0.2(rw) \\\n  10.0.0.3 # more\n"
        "/srv/with\\040space 10.0.0.1(rw,no_subtree_check,all_squash,anonuid=1000,fsid=5,sec=krb5:sys)\n"
    )
    done, _ = exports(node, text)
    assert done == transcripts.Outcome(0, "", "")
    tail = "root_squash,no_all_squash)"
    spaced = "fsid=5,anonuid=1000,sec=krb5:sys,rw,secure,root_squash,all_squash)"
    assert node.ok("exportfs", "-s").splitlines() == [
        f"/srv/a  10.0.0.1(sync,wdelay,hide,no_subtree_check,sec=sys,ro,secure,{tail}",
        f"/srv/a  10.0.0.2(sync,wdelay,hide,no_subtree_check,sec=sys,rw,secure,{tail}",
        f"/srv/a  10.0.0.3(sync,wdelay,hide,no_subtree_check,sec=sys,ro,secure,{tail}",
        f"/srv/with\\040space  10.0.0.1(sync,wdelay,hide,no_subtree_check,{spaced}",
    ]
    assert "/srv/with space\n\t\t10.0.0.1\n" in node.ok("exportfs")


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("/srv/a 10.0.0.1(rw", 1, "/etc/exports:1: syntax error: bad option list"),
        ("/srv/a 10.0.0.1(rw, no_subtree_check)", 1, "/etc/exports:1: syntax error: bad option list"),
        ("/srv/a 10.0.0.1(rw,anonuid=x)", 1, '/etc/exports: 1: bad anonuid "anonuid=x"'),
        ("/srv/a 10.0.0.1(rw,sec=odd)", 1, "unknown flavor odd"),
        ("/srv/a 10.0.0.0/33(rw,no_subtree_check)", 1, "Invalid prefix `33' for 10.0.0.0/33"),
        ("/srv/a nosuchhost(rw,no_subtree_check)", 0, "Failed to resolve nosuchhost"),
        ("/srv/a", 0, "No options for /srv/a : suggest (sync) to avoid warning"),
    ],
)
def test_messages_about_exports(node, line, code, said):
    done, _ = exports(node, line + "\n")
    assert done.exit == code
    assert f"exportfs: {said}\n" in done.stderr


def test_duplicate_exports(node):
    done, rows = exports(node, "/srv/a 10.0.0.1(rw,no_subtree_check) 10.0.0.1(ro,no_subtree_check)\n")
    assert done == transcripts.Outcome(
        1,
        "",
        "exportfs: incompatible duplicated export entries:\n"
        "exportfs: \t10.0.0.1:/srv/a (0x425) [IGNORED]\nexportfs: \t10.0.0.1:/srv/a (0x424)\n",
    )
    assert rows == [("/srv/a", "10.0.0.1")]


def test_exporting_without_resync_keeps_what_was(node):
    exports(node, "/srv/a *(rw,no_subtree_check)\n")
    node.write("/etc/exports", "/srv/b *(rw,no_subtree_check)\n")
    node.ok("exportfs", "-a")
    assert {line.split()[0] for line in node.ok("exportfs").splitlines()} == {"/srv/a", "/srv/b"}
    node.ok("exportfs", "-u", "*:/srv/a")
    assert [line.split()[0] for line in node.ok("exportfs").splitlines()] == ["/srv/b"]
    again = node.run("exportfs", "-u", "*:/srv/a")
    assert (again.exit, again.stderr) == (1, "exportfs: Could not find '*:/srv/a' to unexport.\n")


def test_stopping_the_server_withdraws_exports(node):
    exports(node, "/srv/a *(rw,no_subtree_check)\n")
    node.ok("systemctl", "stop", "nfs-kernel-server")
    assert node.read("/var/lib/nfs/etab") == ""
    assert node.run("showmount", "-e").exit == 1
    node.ok("systemctl", "start", "nfs-server")
    assert node.ok("showmount", "-e", "127.0.0.1", "--no-headers") == "/srv/a *\n"


def test_mounts_follow_the_exports(node):
    exports(node, "/srv/a 127.0.0.0/8(rw,no_subtree_check)\n/srv/b 10.0.0.0/8(rw,no_subtree_check)\n")
    node.file("/srv/a/deep").mkdir()
    node.ok("mount", "-t", "nfs4", "-o", "vers=4.2", "localhost:/srv/a/deep", "/mnt")
    (node.file("/mnt") / "new").write_text("x")
    assert node.file("/srv/a/deep/new").read_text() == "x"
    assert "busy or already mounted" in node.run("mount", "-t", "nfs", "localhost:/srv/a", "/mnt").stderr
    node.ok("umount", "/mnt")
    assert (node.file("/mnt").is_symlink(), list(node.file("/mnt").iterdir())) == (False, [])
    assert node.run("umount", "/mnt") == transcripts.Outcome(32, "", "umount: /mnt: not mounted.\n")
    denied = node.run("mount", "-t", "nfs", "-o", "vers=3", "127.0.0.1:/srv/b", "/mnt")
    assert denied == transcripts.Outcome(
        32, "", "mount.nfs: access denied by server while mounting 127.0.0.1:/srv/b\n"
    )
    node.ok("systemctl", "stop", "nfs-server")
    refused = node.run("mount", "-t", "nfs", "127.0.0.1:/srv/a", "/mnt")
    assert (refused.exit, refused.stderr) == (32, "mount.nfs: Connection refused\n")
    assert node.run("mount", "-a").exit == 70


# Samba


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("writable = yes", "read only = No"),
        ("Write  OK = 1", "read only = No"),
        ("public = true", "guest ok = Yes"),
        ("browsable = off", "browseable = No"),
        ("create mode = 664", "create mask = 0664"),
        ("directory mask = 2775", "directory mask = 02775"),
        ("valid users = heads, @grp, +other", "valid users = heads @grp +other"),
        ("hosts allow=10.0.0.0/24,127.", "hosts allow = 10.0.0.0/24 127."),
        ("case sensitive = yes", "case sensitive = Yes"),
        ("inherit owner = yes", "inherit owner = windows and unix"),
        ("server smb encrypt = mandatory", "server smb encrypt = required"),
        ("max connections = 12abc", "max connections = 12"),
        ("fruit:model = X", "fruit:model = X"),
    ],
)
def test_testparm_writes_parameters_its_way(node, typed, canonical):
    node.write("/etc/samba/smb.conf", f"[a]\n path = /srv/a\n {typed}\n")
    printed = node.ok("testparm", "-s").partition("[a]\n")[2].splitlines()
    assert set(printed) == {f"\t{canonical}", "\tpath = /srv/a"}


@pytest.mark.parametrize("typed", ["read only = yes", "guest ok = no", "create mask = 0744", "comment ="])
def test_testparm_leaves_defaults_out(node, typed):
    node.write("/etc/samba/smb.conf", f"[a]\n path = /srv/a\n {typed}\n")
    assert node.ok("testparm", "-s").endswith("\n\n[a]\n\tpath = /srv/a\n")


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("[a]\npath = /x\nnosuch = 1\n", 0, 'Ignoring unknown parameter "nosuch"'),
        ("[a]\npath = /x\nguest ok =\n", 1, "set_variable_helper(): value is not boolean!"),
        ("[a]\npath = /x\ncreate mask = 9\n", 1, "Invalid octal number create mask"),
        (
            "[a]\npath = /x\ncase sensitive = maybe\n",
            1,
            "Ignoring invalid value 'maybe' for parameter 'case sensitive'",
        ),
        ("[a]\npath = /x\nworkgroup = W\n", 0, "Global parameter workgroup found in service section!"),
        ("[a]\ncomment = x\n", 0, "WARNING: No path in service a - making it unavailable!"),
        ("[a\npath = /x\n", 1, "Error loading services."),
        ("[global]\nencrypt passwords = yes\n", 0, 'The "encrypt passwords" option is deprecated'),
    ],
)
def test_testparm_complains(node, text, code, said):
    node.write("/etc/samba/smb.conf", text)
    done = node.run("testparm", "-s", "--suppress-prompt")
    assert done.exit == code
    assert said in done.stderr


def test_a_share_named_twice_is_one_share(node):
    node.write(
        "/etc/samba/smb.conf", "[a]\npath = /srv/a\n[b]\npath = /b\n[A]\npath = /srv/z\nread only = no\n"
    )
    assert (
        node.ok("testparm", "-s").partition("[a]")[2]
        == "\n\tpath = /srv/z\n\tread only = No\n\n\n[b]\n\tpath = /b\n"
    )


def test_what_follows_an_include_belongs_to_the_included_share(node):
    node.write("/etc/samba/lab.conf", "[inc]\npath = /inc\n")
    node.write("/etc/samba/smb.conf", "[global]\ninclude = /etc/samba/lab.conf\nworkgroup = X\ncomment = y\n")
    done = node.run("testparm", "-s")
    assert "Global parameter workgroup found in service section!" in done.stderr
    assert done.stdout.endswith("\tinclude = /etc/samba/lab.conf\n\n\n[inc]\n\tcomment = y\n\tpath = /inc\n")


def test_global_share_parameters_are_defaults(node):
    node.write(
        "/etc/samba/smb.conf", "[global]\nread only = no\n[a]\npath = /a\n[b]\npath = /b\nread only = yes\n"
    )
    tail = "\tread only = No\n\n\n[a]\n\tpath = /a\n\n\n[b]\n\tpath = /b\n\tread only = Yes\n"
    assert node.ok("testparm", "-s").endswith(tail)


def test_one_parameter_at_a_time(node):
    node.write("/etc/samba/smb.conf", "[a]\npath = /x\n")

    def ask(*words):
        done = node.run("testparm", "-s", *words)
        return done.exit, done.stdout

    assert ask("--parameter-name=workgroup") == (0, "WORKGROUP\n")
    assert ask("--section-name=a", "--parameter-name=writable") == (0, "No\n")
    assert ask("--section-name=a") == (0, "\n[a]\n\tpath = /x\n")
    assert ask("--section-name=b") == (1, "")
    assert ask("--section-name=a", "--parameter-name=workgroup") == (1, "")
    assert ask("--parameter-name=netbios name") == (0, "PVE1\n")


@pytest.fixture
def samba_accounts(monkeypatch):
    monkeypatch.syspath_prepend(str(STANDINS))
    import samba_accounts

    yield samba_accounts
    for name in ("samba_accounts", "model"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        ("", "31d6cfe0d16ae931b73c59d7e0c089c0"),
        ("a", "bde52cb31de33e46245e05fbdbd6fb24"),
        ("abc", "a448017aaf21d8525fc10ae87aa6729d"),
        ("message digest", "d9130a8164549fe818874806e1c7014b"),
        ("abcdefghijklmnopqrstuvwxyz", "d79e1c308aa5bbcdeea8ed63df412da9"),
        (
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            "043f8582f241db351ce627e153e7f0e4",
        ),
        ("1234567890" * 8, "e33b4ddc9c38f2199c3e7b164fcc0536"),
    ],
)
def test_md4_of_rfc_1320(samba_accounts, text, digest):
    assert samba_accounts.md4(text.encode()).hex() == digest


def test_the_nt_hash_is_real(node):
    node.samba_user("heads", "password")
    assert ":8846F7EAEE8FB117AD06BDD830B7586C:[U          ]:LCT-" in node.ok("pdbedit", "-L", "-w")


def test_samba_accounts(node):
    node.samba_user("heads", "x")
    assert (
        node.run("smbpasswd", "-s", "other", stdin="y\ny\n").stderr
        == "Failed to find entry for user other.\n"
    )
    assert node.run("smbpasswd", "-s", "heads", stdin="y\n").stderr == "Unable to get new password.\n"
    assert node.ok("smbpasswd", "-d", "heads") == "Disabled user heads.\n"
    assert ":[DU         ]:" in node.ok("pdbedit", "-w", "-u", "heads")
    assert node.ok("smbpasswd", "-e", "heads") == "Enabled user heads.\n"
    assert node.run("pdbedit", "-L", "-u", "other") == transcripts.Outcome(255, "", "Username not found!\n")
    assert node.run("pdbedit", "-x", "other").stderr == "user other does not exist in the passdb\n"
    assert node.run("pdbedit", "-x", "-u", "heads") == transcripts.Outcome(0, "", "")
    assert node.ok("pdbedit", "-L") == ""


def test_a_rotated_password_is_seen(sharing):
    assert sharing.client("heads%secret-one", "ls").exit == 0
    sharing.ok("smbpasswd", "-s", "heads", stdin="secret-two\nsecret-two\n")
    failure = transcripts.Outcome(1, "session setup failed: NT_STATUS_LOGON_FAILURE\n", "")
    assert sharing.client("heads%secret-one", "ls") == failure
    assert sharing.client("heads%secret-two", "ls").exit == 0


def test_a_forgotten_reload_is_seen(sharing):
    sharing.write("/etc/samba/smb.conf", MEDIA.replace("[media]", "[music]"))
    missing = transcripts.Outcome(1, "tree connect failed: NT_STATUS_BAD_NETWORK_NAME\n", "")
    assert sharing.client("heads%secret-one", "ls", "music") == missing
    sharing.ok("smbcontrol", "smbd", "reload-config")
    assert sharing.client("heads%secret-one", "ls", "music").exit == 0
    assert sharing.client("heads%secret-one", "ls", "media") == missing
    sharing.write("/etc/samba/smb.conf", MEDIA)
    sharing.ok("systemctl", "reload", "smbd")
    assert sharing.client("heads%secret-one", "ls").exit == 0


def test_a_broken_configuration_does_not_replace_the_loaded_one(sharing):
    sharing.write("/etc/samba/smb.conf", MEDIA.replace("read only = no", "read only = maybe"))
    assert sharing.run("systemctl", "reload", "smbd").exit == 0
    assert sharing.client("heads%secret-one", "ls").exit == 0
    restart = sharing.run("systemctl", "restart", "smbd")
    assert restart.exit == 1
    assert restart.stderr.startswith(
        "Job for smbd.service failed because the control process exited with error code."
    )
    assert sharing.ok("systemctl", "show", "-p", "ActiveState", "--value", "smbd") == "failed\n"
    assert "NT_STATUS_CONNECTION_REFUSED" in sharing.client("heads%secret-one", "ls").stderr


def test_smbd_on_a_fresh_node_knows_no_share_of_ours(node):
    node.file("/srv/a").mkdir()
    node.samba_user("heads", "x")
    node.write("/etc/samba/smb.conf", MEDIA)
    assert "BAD_NETWORK_NAME" in node.client("heads%x", "ls").stdout


def test_files_travel(sharing):
    sharing.write("/tmp-in", "hello")
    done = sharing.client(
        "heads%secret-one", 'mkdir d; cd d; put /tmp-in "a b"; get "a b" /tmp-out; ls; cd ..; ls'
    )
    assert done.exit == 0
    assert sharing.read("/tmp-out") == "hello"
    assert re.search(r"^  a b {33}A        5  ", done.stdout, re.MULTILINE)
    assert "putting file /tmp-in as \\d\\a b (" in done.stderr
    assert sharing.ok("stat", "-c", "%U %G %a %F", "/srv/a/d/a b") == "heads heads 644 regular file\n"
    assert sharing.client("heads%secret-one", 'rm "d/a b"; rmdir d').exit == 0
    assert list(sharing.file("/srv/a").iterdir()) == []


@pytest.mark.parametrize(
    ("setting", "login", "command", "said"),
    [
        (
            "read only = yes",
            "heads%secret-one",
            "put /etc/hostname h",
            "NT_STATUS_ACCESS_DENIED opening remote file \\h",
        ),
        ("invalid users = heads", "heads%secret-one", "ls", "tree connect failed: NT_STATUS_ACCESS_DENIED"),
        ("valid users = @media", "heads%secret-one", "ls", "tree connect failed: NT_STATUS_ACCESS_DENIED"),
        ("available = no", "heads%secret-one", "ls", "tree connect failed: NT_STATUS_BAD_NETWORK_NAME"),
        ("path = /srv/gone", "heads%secret-one", "ls", "tree connect failed: NT_STATUS_BAD_NETWORK_NAME"),
        ("hosts deny = 127.0.0.1", "heads%secret-one", "ls", "tree connect failed: NT_STATUS_ACCESS_DENIED"),
        ("comment = x", "other%x", "ls", "session setup failed: NT_STATUS_LOGON_FAILURE"),
    ],
)
def test_shares_say_no(sharing, setting, login, command, said):
    sharing.write("/etc/samba/smb.conf", f"{MEDIA}{setting}\n")
    sharing.ok("smbcontrol", "smbd", "reload-config")
    done = sharing.client(login, command)
    assert (done.exit, done.stdout) == (1, said + "\n")


def test_write_lists_and_modes_decide_together(sharing):
    sharing.write("/etc/samba/smb.conf", f"{MEDIA}read only = yes\nwrite list = heads\n")
    sharing.ok("systemctl", "reload", "smbd")
    assert sharing.client("heads%secret-one", "put /etc/hostname h").exit == 0
    sharing.ok("chown", "root:root", "/srv/a")
    done = sharing.client("heads%secret-one", "put /etc/hostname i")
    assert (done.exit, done.stdout) == (1, "NT_STATUS_ACCESS_DENIED opening remote file \\i\n")
    sharing.write("/etc/samba/smb.conf", f"{MEDIA}force user = root\n")
    sharing.ok("systemctl", "reload", "smbd")
    assert sharing.client("heads%secret-one", "put /etc/hostname i").exit == 0
    assert sharing.ok("stat", "-c", "%U", "/srv/a/i") == "root\n"


def test_guests(sharing):
    sharing.write(
        "/etc/samba/smb.conf",
        "[open]\npath = /srv/a\nguest ok = yes\nbrowseable = no\n[shut]\npath = /srv/a\n",
    )
    sharing.ok("systemctl", "restart", "smbd")
    assert sharing.run("smbclient", "-N", "//127.0.0.1/open", "-c", "ls").exit == 0
    assert "ACCESS_DENIED" in sharing.run("smbclient", "-N", "//127.0.0.1/shut", "-c", "ls").stdout
    assert sharing.ok("smbclient", "-N", "-g", "-L", "127.0.0.1").splitlines()[0] == "Disk|shut|"


def test_a_login_from_stdin(sharing):
    call = ("smbclient", "-A", "/dev/stdin", "//127.0.0.1/media", "-c", "quit")
    assert sharing.run(*call, stdin="username = heads\npassword = secret-one\n").exit == 0
    assert "LOGON_FAILURE" in sharing.run(*call, stdin="username=heads\npassword=no\n").stdout
    asked = sharing.run("smbclient", "-U", "heads", "//127.0.0.1/media", "-c", "quit", stdin="secret-one\n")
    assert asked == transcripts.Outcome(0, "Password for [WORKGROUP\\heads]:\n", "")
    sharing.ok("smbpasswd", "-d", "heads")
    assert (
        sharing.client("heads%secret-one", "quit").stdout
        == "session setup failed: NT_STATUS_ACCOUNT_DISABLED\n"
    )


# systemd


def test_units_are_told_apart(node):
    assert node.run("systemctl", "is-active", "--quiet", "smbd").exit == 0
    node.ok("systemctl", "stop", "smbd.service")
    assert node.run("systemctl", "is-active", "smbd") == transcripts.Outcome(3, "inactive\n", "")
    assert node.run("systemctl", "reload", "smbd") == transcripts.Outcome(
        1, "", "smbd.service is not active, cannot reload.\n"
    )
    node.ok("systemctl", "reload-or-restart", "smbd")
    node.ok("systemctl", "disable", "--now", "smbd")
    assert node.run("systemctl", "is-enabled", "smbd") == transcripts.Outcome(1, "disabled\n", "")
    assert node.run("systemctl", "mask", "smbd").stderr.endswith(
        "/etc/systemd/system/smbd.service → /dev/null.\n"
    )
    assert node.run("systemctl", "start", "smbd") == transcripts.Outcome(
        1, "", "Failed to start smbd.service: Unit smbd.service is masked.\n"
    )
    node.ok("systemctl", "unmask", "smbd")
    node.ok("systemctl", "enable", "--now", "smbd")
    assert node.ok("systemctl", "show", "-p", "ActiveState,UnitFileState", "smbd").split() == [
        "ActiveState=active", "UnitFileState=enabled",
    ]  # fmt: skip
    assert node.run("systemctl", "edit", "smbd").exit == 70


def test_a_oneshot_unit_runs_its_commands(node):
    unit = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=-/bin/false\nExecStart={}\n"
    node.write("/etc/systemd/system/lab.service", unit.format(f"/bin/touch {node.root}/ran"))
    node.ok("systemctl", "start", "lab")
    assert node.file("/ran").exists()
    assert node.ok("systemctl", "show", "-p", "SubState", "--value", "lab") == "exited\n"
    assert node.run("systemctl", "is-enabled", "lab") == transcripts.Outcome(0, "static\n", "")


def test_a_forgotten_daemon_reload_is_seen(node):
    node.write("/etc/systemd/system/lab.service", "[Service]\nExecStart=/bin/sleep 9\n")
    node.ok("systemctl", "start", "lab")
    need = ("systemctl", "show", "-p", "NeedDaemonReload", "--value", "lab")
    assert node.ok(*need) == "no\n"
    node.write("/etc/systemd/system/lab.service", "[Service]\nExecStart=/bin/false\n")
    assert node.ok(*need) == "yes\n"
    assert "Run 'systemctl daemon-reload'" in node.run("systemctl", "restart", "lab").stderr
    assert node.ok("systemctl", "is-active", "lab") == "active\n"
    node.ok("systemctl", "daemon-reload")
    node.ok("systemctl", "restart", "lab")
    assert node.run("systemctl", "is-failed", "lab") == transcripts.Outcome(0, "failed\n", "")
    assert node.run("systemctl", "is-system-running") == transcripts.Outcome(1, "degraded\n", "")
    assert node.ok("systemctl", "list-units", "--failed", "--no-legend").split()[0] == "lab.service"


# Users and owners


def test_users_come_and_go(node):
    node.ok("useradd", "-m", "-s", "/bin/bash", "one")
    node.ok("useradd", "--system", "-M", "--shell=/usr/sbin/nologin", "sys1")
    assert node.read("/etc/passwd").splitlines()[-2:] == [
        "one:x:1000:1000::/home/one:/bin/bash",
        "sys1:x:999:999::/home/sys1:/usr/sbin/nologin",
    ]
    assert node.file("/home/one").is_dir()
    assert node.run("useradd", "one") == transcripts.Outcome(9, "", "useradd: user 'one' already exists\n")
    assert node.run("useradd", "-u", "1000", "two") == transcripts.Outcome(
        4, "", "useradd: UID 1000 is not unique\n"
    )
    assert node.run("useradd", "-g", "nogrp", "two").exit == 6
    assert node.run("userdel", "two") == transcripts.Outcome(6, "", "userdel: user 'two' does not exist\n")
    node.ok("userdel", "one")
    assert "one:" not in node.read("/etc/passwd") + node.read("/etc/group") + node.read("/etc/shadow")


def test_owners_are_remembered(node):
    node.ok("useradd", "-M", "heads")
    node.write("/srv/d/f", "x")
    node.ok("chown", "heads:media", "/srv/d")
    node.ok("chown", "1234", "/srv/d/f")
    assert node.ok("stat", "-c", "%U:%G %u:%g %a %n", "/srv/d") == "heads:media 1000:2000 755 /srv/d\n"
    assert node.ok("stat", "-c", "%U %u %s", "/srv/d/f") == "UNKNOWN 1234 1\n"
    node.ok("chown", "-R", "root:", "/srv/d")
    assert node.ok("stat", "-c", "%U %G", "/srv/d", "/srv/d/f") == "root root\nroot root\n"
    assert node.run("chown", "nobodyhere", "/srv/d").stderr == "chown: invalid user: ‘nobodyhere’\n"  # noqa: RUF001
    assert node.run("chown", "root", "/srv/none").exit == 1
    assert node.run("stat", "-c", "%U", "/srv/none") == transcripts.Outcome(
        1, "", "stat: cannot statx '/srv/none': No such file or directory\n"
    )


def test_owners_follow_files_not_names(node):
    node.write("/srv/f", "x")
    node.ok("chown", "1234", "/srv/f")
    node.file("/srv/f").rename(node.file("/srv/g"))
    assert node.ok("stat", "-c", "%u", "/srv/g") == "1234\n"
    node.write("/srv/other", "y")
    node.file("/srv/other").rename(node.file("/srv/f"))
    assert node.ok("stat", "-c", "%u", "/srv/f") == f"{os.getuid()}\n"
    node.ok("chown", str(os.getuid()), "/srv/g")
    assert node.ok("stat", "-c", "%u", "/srv/g") == f"{os.getuid()}\n"


def test_a_link_has_an_owner_of_its_own(node):
    node.write("/srv/f", "x")
    node.file("/srv/l").symlink_to("f")
    node.ok("chown", "-h", "33", "/srv/l")
    assert node.ok("stat", "-c", "%u %F", "/srv/l", "/srv/f") == "33 symbolic link\n0 regular file\n"
    node.ok("chown", "34", "/srv/l")
    assert node.ok("stat", "-L", "-c", "%u", "/srv/l") == "34\n"


def test_stat_leaves_the_rest_to_the_real_tool(node):
    node.write("/srv/f", "x")
    assert node.ok("stat", "-c", "%h", str(node.file("/srv/f"))) == "1\n"


# All of them


def test_writers_at_once_lose_nothing(node):
    commands = []
    for number in range(8):
        folder = node.file(f"/srv/d{number}")
        folder.mkdir()
        commands.append(
            ("pvesm", "add", "dir", f"s{number}", "--path", f"/srv/d{number}", "--content", "iso")
        )
        commands.append(("useradd", "-M", f"user{number}"))
        commands.append(("chown", str(2000 + number), f"/srv/d{number}"))
    line = (sys.executable, "-I", "-S", str(STANDINS))
    running = [subprocess.Popen((*line, *command), env=node.env) for command in commands]
    assert [process.wait() for process in running] == [0] * len(running)
    assert node.read("/etc/pve/storage.cfg").count("dir: s") == 8
    uids = [row.split(":")[2] for row in node.read("/etc/passwd").splitlines() if row.startswith("user")]
    assert sorted(uids) == [str(1000 + number) for number in range(8)]
    assert len(node.model()["owners"]) == 8


@pytest.mark.parametrize(
    "argv",
    [
        ("pvesm", "status"), ("exportfs", "-s"), ("testparm", "-s"), ("pdbedit", "-L", "-w"),
        ("stat", "-c", "%U", "/srv"),
        ("systemctl", "is-active", "smbd"), ("smbclient", "-N", "-L", "127.0.0.1"),
    ],
)  # fmt: skip
def test_stand_ins_start_fast(node, argv):
    times = []
    for _ in range(5):
        started = time.perf_counter()
        node.ok(*argv)
        times.append(time.perf_counter() - started)
    # The best of five: a busy machine says nothing about the stand-in.
    assert min(times) < 0.4
