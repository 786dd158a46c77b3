"""The parts of the virtual machine's lab that need no QEMU."""

import importlib.util
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from phoenix_hypervisor import cli
from phoenix_hypervisor.errors import PhoenixError
from phoenix_hypervisor.lab import site
from phoenix_hypervisor.lab.node import Disk, LabNode, standins
from phoenix_hypervisor.lab.vm import accelerator, cpio, furnishing, image, machine, monitor
from phoenix_hypervisor.lab.vm.node import MARKER, VmNode

IMAGE = image.Image(Path("/vmlinuz"), Path("/initrd"), Path("/root.img"), "key")
KEYS = {
    "authorized": "ssh-ed25519 AAAA lab\n",
    "host": "-- a private key --\n",
    "host.pub": "ssh-ed25519 BBBB\n",
}


def members(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """Read an archive by the letter of the kernel's description: path → (mode, content)."""
    found, at = {}, 0
    while True:
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = archive[at + 110 : at + 110 + name_size - 1].decode()
        start = -(-(at + 110 + name_size) // 4) * 4
        if name == "TRAILER!!!":
            return found
        found[name] = mode, archive[start : start + size]
        assert fields[2:4] == [0, 0]
        at = -(-(start + size) // 4) * 4


def test_an_archive_has_its_files_and_the_folders_they_need() -> None:
    packed = cpio.pack(
        {"a/b/c": cpio.text("x\n", 0o600), "a/link": cpio.link("b/c"), "z": cpio.folder(0o700)}
    )

    assert len(packed) % 4 == 0
    assert members(packed) == {
        "a": (stat.S_IFDIR | 0o755, b""),
        "a/b": (stat.S_IFDIR | 0o755, b""),
        "a/b/c": (stat.S_IFREG | 0o600, b"x\n"),
        "a/link": (stat.S_IFLNK | 0o777, b"b/c"),
        "z": (stat.S_IFDIR | 0o700, b""),
    }


@pytest.mark.skipif(shutil.which("cpio") is None, reason="cpio is not installed")
def test_cpio_itself_unpacks_it(tmp_path: Path) -> None:
    packed = cpio.pack({"a/b": cpio.text("x\n"), "a/c": cpio.link("b")})
    subprocess.run(["cpio", "-id", "--quiet"], input=packed, cwd=tmp_path, check=True)
    assert (tmp_path / "a/c").read_text() == "x\n"


def test_a_node_is_laid_out_with_its_names_keys_disks_and_stand_ins() -> None:
    disks = [Disk("nvme-LAB_A", 1 << 30), Disk("ata-LAB_B", 1 << 20)]

    found = members(furnishing.archive("pve1", "10.0.0.13/24", disks, KEYS))

    assert all(path == "own" or path.startswith("own/") for path in found)
    assert found["own/etc/hostname"][1] == b"pve1\n"
    assert b"10.0.0.13 pve1.lab pve1\n" in found["own/etc/hosts"][1]
    assert found["own/root/.ssh/authorized_keys"] == (stat.S_IFREG | 0o600, b"ssh-ed25519 AAAA lab\n")
    assert found["own/etc/ssh/ssh_host_ed25519_key"][0] == stat.S_IFREG | 0o600
    assert found["own/etc/pve/lxc"][1] == b"nodes/pve1/lxc"
    assert b"address add 10.0.0.13/24 brd + dev vmbr0\n" in found["own/etc/network/lab"][1]
    nothing = (stat.S_IFLNK | 0o777, b"/dev/null")
    assert found["own/etc/systemd/system/getty.target"] == nothing
    assert found["own/etc/udev/rules.d/60-drm.rules"] == nothing
    rules = found["own/etc/udev/rules.d/61-phoenix-lab.rules"][1].decode()
    assert 'ENV{ID_SCSI_SERIAL}=="phoenix1", ENV{DEVTYPE}=="disk", SYMLINK+="disk/by-id/ata-LAB_B"\n' in rules
    assert furnishing.drives(disks) == [("phoenix0", 1 << 30), ("phoenix1", 1 << 20)]
    if sys.implementation.cache_tag == furnishing.IMAGE_PYTHON:
        code = found["own/usr/local/lib/phoenix-lab/__pycache__/tool_pct.cpython-311.pyc"][1]
        assert code[:8] == importlib.util.MAGIC_NUMBER + b"\1\0\0\0"  # valid whatever the times of files are
    tools = {path.rpartition("/")[2] for path in found if path.startswith("own/usr/local/sbin/")}
    assert {"pct", "pvesm"} <= tools <= set(standins())
    assert not tools & {"zfs", "zpool", "exportfs", "smbpasswd", "systemctl", "lsblk"}


def test_the_machines_own_mirror_is_built_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = tmp_path / "debian.sources"
    listed.write_text(
        "Types: deb\n# http://old.example/debian\nURIs: http://mirror.example/pub/debian/\nSuites: trixie\n"
        "\nTypes: deb\nURIs: http://mirror.example/debian-security\n"
    )
    text = image._without_comments(listed)
    assert "old.example" not in text
    monkeypatch.setattr(image, "_without_comments", lambda _: text)
    assert image.mirrors() == ("http://mirror.example/pub/debian", "http://mirror.example/debian-security")
    monkeypatch.setattr(
        image, "_without_comments", lambda _: "deb http://archive.ubuntu.com/ubuntu noble main"
    )
    assert image.mirrors() == (image.MIRROR, image.SECURITY)


def test_a_part_is_kept_under_what_it_is_made_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a.sh").write_text("one\n")
    monkeypatch.setattr(image, "HERE", tmp_path)
    keys = {image._key("kernel", "a.sh", "mirror"), image._key("kernel", "a.sh", "other mirror")}
    (tmp_path / "a.sh").write_text("two\n")
    keys.add(image._key("kernel", "a.sh", "mirror"))
    assert len(keys) == 3
    assert all(key.startswith("kernel-") for key in keys)


def test_both_parts_are_made_at_once_and_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(image.CACHE, str(tmp_path))
    waits = f"until [ -e {tmp_path}/begun ]; do sleep 0.05; done; echo userland >"
    monkeypatch.setattr(image, "_userland", lambda new: ["sh", "-c", f"{waits}{new}"])
    monkeypatch.setattr(image, "_kernel", lambda new: ["sh", "-c", f"echo kernel >{new}; >{tmp_path}/begun"])
    said: list[str] = []

    kernel, userland = image._parts("kernel-1", "userland-1", said.append)
    assert (kernel.read_text(), userland.read_text()) == ("kernel\n", "userland\n")
    assert len(said) == 2
    assert image._parts("kernel-1", "userland-1", said.append) == (kernel, userland)
    assert len(said) == 2


def test_a_part_that_cannot_be_made_is_said_and_ends_the_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(image.CACHE, str(tmp_path))
    monkeypatch.setattr(image, "_userland", lambda _: ["sh", "-c", "echo no room >&2; exit 1"])
    monkeypatch.setattr(image, "_kernel", lambda _: ["sh", "-c", f"echo $$ >{tmp_path}/pid; exec sleep 600"])
    with pytest.raises(PhoenixError, match=r"could not be built \(bootstrap\.sh\): no room\n"):
        image._parts("kernel-1", "userland-1", lambda _: None)
    pid = tmp_path / "pid"
    assert not pid.exists() or not Path("/proc", pid.read_text().strip() or "none").exists()
    assert list(tmp_path.glob("*.tar")) == []


def test_images_are_kept_where_a_person_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(image.CACHE, str(tmp_path))
    assert image.folder() == tmp_path
    monkeypatch.delenv(image.CACHE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    expected = Path("/var/cache/phoenix-lab") if os.geteuid() == 0 else tmp_path / "phoenix-lab"
    assert image.folder() == expected


def test_what_is_missing_is_named_by_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda tool, path: None if "qemu" in tool else f"/bin/{tool}")
    assert image.missing() == ["qemu-system-x86", "qemu-utils"]
    with pytest.raises(PhoenixError) as error:
        image.image()
    assert error.value.hint == "apt-get install qemu-system-x86 qemu-utils"


@pytest.fixture
def kvm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A device for KVM, and a QEMU that does as it is told."""
    (tmp_path / "image").mkdir()
    device = tmp_path / "kvm"
    device.touch()
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(accelerator, "TRIAL_SECONDS", 0.5)

    def found(script: str):
        qemu = tmp_path / "qemu-system-x86_64"
        qemu.write_text(f"#!/bin/sh\n{script}\n")
        qemu.chmod(0o755)
        return accelerator.accelerator(IMAGE._replace(root=tmp_path / "image/root.img"), device)

    return found


def test_the_processor_is_emulated_where_there_is_no_kvm(tmp_path: Path) -> None:
    assert accelerator.accelerator(IMAGE, tmp_path / "kvm") == accelerator.EMULATED


@pytest.mark.parametrize("script", ["exit 1", "sleep 60", "echo a kernel that says something else"])
def test_a_kvm_in_which_the_kernel_does_not_come_up_is_not_used(kvm, script: str) -> None:
    assert kvm(script) == accelerator.EMULATED


def test_a_kvm_that_works_is_used_and_tried_once(kvm) -> None:
    assert kvm("echo phoenix: it runs") == accelerator.NATIVE
    assert kvm("exit 1") == accelerator.NATIVE


@pytest.fixture
def monitored(tmp_path: Path):
    """A monitor that answers every command with a line; returns its socket and the commands it got."""
    heard: list[str] = []
    deep = tmp_path / ("a" * 100)  # too long for a socket's path
    deep.mkdir()
    listening = socket.socket(socket.AF_UNIX)
    here = os.open(deep, os.O_PATH)
    listening.bind(f"/proc/self/fd/{here}/monitor")
    os.close(here)
    listening.listen()

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.sendall(b"QEMU 7.2 monitor\r\n(qemu) ")
            command = connection.recv(1000).decode()
            heard.append(command)
            if command != "quit\n":
                said = "Error: no such thing" if "bad" in command else "done"
                connection.sendall(f"{command.strip()}\r\n{said}\r\n(qemu) ".encode())

    thread = threading.Thread(target=serve)
    thread.start()
    yield deep / "monitor", heard
    thread.join()
    listening.close()


def test_the_monitor_is_told_and_answers(monitored) -> None:
    place, heard = monitored
    assert monitor.tell(place, "savevm one") == "done"
    assert heard == ["savevm one\n"]


def test_what_the_monitor_refuses_is_an_error(monitored) -> None:
    with pytest.raises(PhoenixError, match=r"^loadvm: Error: no such thing$"):
        monitor.tell(monitored[0], "loadvm bad")


def test_a_machine_that_ends_by_our_word_is_no_error(monitored) -> None:
    assert monitor.tell(monitored[0], "quit") == ""


def test_a_monitor_nobody_listens_at_is_said(tmp_path: Path) -> None:
    with pytest.raises(PhoenixError, match="does not answer"):
        monitor.tell(tmp_path / "monitor", "quit")


def test_a_machine_whose_number_another_process_has_does_not_run(tmp_path: Path) -> None:
    (tmp_path / machine.PID).write_text(f"{os.getpid()}\n")
    assert not machine.Machine(tmp_path).running
    machine.Machine(tmp_path).kill()  # and does not kill us


def test_a_folder_says_of_which_sort_its_node_is(tmp_path: Path) -> None:
    assert type(site.node_in(tmp_path)) is LabNode
    (tmp_path / MARKER).write_text(
        '{"hostname": "pve1", "address": "10.0.0.13/24", "disks": [["nvme-A", 1]]}'
    )
    node = site.node_in(tmp_path)
    assert isinstance(node, VmNode)
    assert (node.exists, node.sandboxed, node.state) == (True, False, "stopped")
    assert node.status().disks == {"sda": "nvme-A"}


def test_a_cache_that_cannot_be_written_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(image.CACHE, str(tmp_path / "file/cache"))
    monkeypatch.setattr(image, "missing", list)
    with pytest.raises(PhoenixError, match=r"cannot be kept in .*/file/cache: Not a directory") as error:
        image.image()
    assert error.value.hint == "say where they can be: PHOENIX_LAB_CACHE=FOLDER"


@pytest.fixture
def verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Run `phoenix lab …` on a site with one node; its status and all it said."""
    for name, text in {
        "configs/site.yaml": "name: one\n",
        "configs/nodes/pve1.yaml": "hardware: { disks: { a: { id: nvme-A, size: 1048576 } } }\n",
        "inventory/hosts.yaml": "pve1: { hostname: 10.0.0.13, data: { transport: lab } }\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def run(*words: str) -> tuple[int, str]:
        status = int(cli.run(["--site", str(tmp_path), "lab", *words]))
        said = capsys.readouterr()
        return status, said.out + said.err

    run.folder = tmp_path / ".phoenix/lab/pve1"
    return run


def test_verbs_know_a_machine_that_does_not_run(verb) -> None:
    verb.folder.mkdir(parents=True)
    (verb.folder / MARKER).write_text(
        '{"hostname": "pve1", "address": "10.0.0.13/24", "disks": [["nvme-A", 1]]}'
    )

    assert verb("status")[1].startswith("pve1: stopped, 0 acts so far, ")
    status, said = verb("fault", "slow-boot", "3")
    assert status == 64
    assert "fault `slow-boot`: a virtual machine has none of that" in said
    assert verb("fault", "kill-before", "3") == (0, "pve1: kill-before 3\n")
    assert verb("down") == (0, "pve1: removed\n")
    assert not verb.folder.exists()


def test_an_image_can_be_built_beforehand(verb, monkeypatch: pytest.MonkeyPatch) -> None:
    def built(tell):
        tell("it takes a while")
        return IMAGE._replace(root=Path("/cache/image-key/root.img"))

    monkeypatch.setattr(image, "image", built)
    assert verb("image") == (0, "/cache/image-key\nit takes a while\n")


def test_a_node_in_a_sandbox_does_not_become_a_machine_by_the_way(verb) -> None:
    verb.folder.mkdir(parents=True)
    (verb.folder / "phoenix-lab.json").write_text("{}")

    status, said = verb("up", "--vm")

    assert status == 1
    assert "pve1 is there already, in a sandbox" in said
    assert "`phoenix lab up --vm --fresh pve1` makes it anew" in said
