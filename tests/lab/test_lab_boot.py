"""How a lab node boots: with which kernel, what is gone then, and what comes up again."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.lab.test_lab_node import node, way  # noqa: F401  (fixtures)

from phoenix_hypervisor.cli.lab import lab
from phoenix_hypervisor.errors import HostError
from phoenix_hypervisor.lab import boots, door, skeleton
from phoenix_hypervisor.lab.faults import Faults, Sort
from phoenix_hypervisor.lab.node import LabNode
from phoenix_hypervisor.lab.transport import LabTransport
from phoenix_hypervisor.transport import Address, Question

STANDINS = Path(boots.__file__).with_name("standins")
KERNEL, NEWER = boots.KERNEL, "6.14.11-10-pve"
ESP = """\
Copying and configuring kernels on /dev/disk/by-uuid/8354-C2A8
\tCopying kernel and creating boot-entry for {0}
"""
USE = "Use the 'refresh' command to update the ESPs.\n"


def pytest_generate_tests(metafunc):
    from tests.lab import test_lab_node

    test_lab_node.pytest_generate_tests(metafunc)


# --- stand-ins --------------------------------------------------------------------------------------------


class Root:
    """A fresh node's root in a folder, and its stand-ins."""

    def __init__(self, root, loader):
        self.root = root
        root.mkdir()
        skeleton.make(root, "pve1", "10.0.0.13")
        boots.lay(root, loader)
        model = skeleton.model("pve1") | boots.model(root, loader)
        (root / "var/lib/phoenix-lab/model.json").write_text(json.dumps(model))

    def run(self, *argv):
        ended = subprocess.run(
            [sys.executable, "-I", "-S", str(STANDINS), *argv],
            env={"PHOENIX_LAB_ROOT": str(self.root), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        return ended.returncode, ended.stdout, ended.stderr

    def install(self, kernel):
        for name in ("vmlinuz", "initrd.img"):
            (self.root / f"boot/{name}-{kernel}").write_text("")

    def boot(self):
        """Go down and come up; the kernel and the command line it has then."""
        assert self.run("systemctl", "reboot")[0] == 0
        ended = self.run("lab-boot")
        assert ended[0] == 0, ended
        found = json.loads((self.root / "var/lib/phoenix-lab/model.json").read_text())["boot"]
        return found["kernel"], found["cmdline"]


@pytest.fixture
def systemd_boot(tmp_path):
    return Root(tmp_path / "root", boots.SYSTEMD)


@pytest.fixture
def grub(tmp_path):
    return Root(tmp_path / "root", boots.GRUB)


def test_uname_knows_the_node_s_kernel(systemd_boot):
    release = os.uname()
    version = "#1 SMP PREEMPT_DYNAMIC PMX 6.14.11-4 (2025-10-10T08:04Z)"
    for options, said in {
        ("-r",): KERNEL,
        ("-v",): version,
        ("-sr",): f"Linux {KERNEL}",
        ("--kernel-release", "-m"): f"{KERNEL} {release.machine}",
        ("-a",): f"Linux {release.nodename} {KERNEL} {version} {release.machine} GNU/Linux",
        (): "Linux",
    }.items():
        assert systemd_boot.run("uname", *options) == (0, said + "\n", "")
    assert systemd_boot.run("uname", "--nosuch")[0] == 1


def test_a_new_kernel_is_started_once_the_partitions_have_it(systemd_boot):
    systemd_boot.install(NEWER)
    assert systemd_boot.boot()[0] == KERNEL
    status, out, err = systemd_boot.run("proxmox-boot-tool", "refresh")
    assert (status, err) == (
        0,
        ESP.format(NEWER) + f"\tCopying kernel and creating boot-entry for {KERNEL}\n",
    )
    assert out.startswith(
        "Running hook script 'proxmox-auto-removal'..\nRunning hook script 'zz-proxmox-boot'..\n"
    )
    assert systemd_boot.boot() == (
        NEWER,
        rf"initrd=\EFI\proxmox\{NEWER}\initrd.img-{NEWER} root=ZFS=rpool/ROOT/pve-1 boot=zfs",
    )


def test_the_command_line_is_the_one_that_was_refreshed(systemd_boot):
    line = systemd_boot.root / "etc/kernel/cmdline"
    line.write_text("root=ZFS=rpool/ROOT/pve-1 boot=zfs iommu=pt\nsecond line\n")
    assert "iommu" not in systemd_boot.boot()[1]
    assert systemd_boot.run("proxmox-boot-tool", "refresh")[0] == 0
    assert systemd_boot.boot()[1].endswith(" root=ZFS=rpool/ROOT/pve-1 boot=zfs iommu=pt")
    line.write_text("quiet\n")
    status, _, err = systemd_boot.run("proxmox-boot-tool", "refresh")
    assert (status, err) == (1, "No root= parameter in /etc/kernel/cmdline found!\n")


def test_kernels_are_listed_and_pinned(systemd_boot):
    systemd_boot.install(NEWER)
    automatic = f"Automatically selected kernels:\n{NEWER}\n{KERNEL}\n"
    none = f"Manually selected kernels:\nNone.\n\n{automatic}"
    assert systemd_boot.run("proxmox-boot-tool", "kernel", "list") == (0, none, "")
    said = f"Set kernel '{KERNEL}' in /etc/kernel/proxmox-boot-pin. {USE}"
    assert systemd_boot.run("proxmox-boot-tool", "kernel", "pin", KERNEL) == (0, said, "")
    assert systemd_boot.run("proxmox-boot-tool", "kernel", "pin", NEWER, "--next-boot")[0] == 0
    pins = f"\nPinned kernel:\n{KERNEL}\n\nKernel pinned on next-boot:\n{NEWER}\n"
    assert systemd_boot.run("proxmox-boot-tool", "kernel", "list") == (0, none + pins, "")
    assert systemd_boot.run("proxmox-boot-tool", "kernel", "pin", "1.2")[0] == 1

    systemd_boot.run("proxmox-boot-tool", "refresh")

    assert [systemd_boot.boot()[0] for _ in range(2)] == [NEWER, KERNEL]
    gone = "Removed /etc/kernel/next-boot-pin.\nRemoved /etc/kernel/proxmox-boot-pin.\n"
    more = f"Unpinned kernel '{KERNEL}'. {USE}"
    assert systemd_boot.run("proxmox-boot-tool", "kernel", "unpin") == (0, gone + more, "")


def test_the_tool_says_what_the_node_boots_from(systemd_boot):
    told = "Re-executing '/usr/sbin/proxmox-boot-tool' in new private mount namespace..\n"
    found = f"System currently booted with uefi\n8354-C2A8 is configured with: uefi (versions: {KERNEL})\n"
    assert systemd_boot.run("proxmox-boot-tool", "status") == (0, told + found, "")
    assert systemd_boot.run("proxmox-boot-tool", "status", "--quiet") == (0, "", "")


def test_a_node_with_grub_boots_what_its_menu_says(grub):
    missing = "E: /etc/kernel/proxmox-boot-uuids does not exist.\n"
    assert grub.run("proxmox-boot-tool", "status")[::2] == (2, missing)
    assert grub.boot() == (KERNEL, f"BOOT_IMAGE=/boot/vmlinuz-{KERNEL} root=/dev/mapper/pve-root ro quiet")
    grub.install(NEWER)
    (grub.root / "etc/default/grub.d").mkdir()
    drop_in = grub.root / "etc/default/grub.d/x.cfg"
    drop_in.write_text('GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT iommu=pt"\n')
    assert grub.boot()[0] == KERNEL
    said = "Generating grub configuration file ...\n" + "".join(
        f"Found linux image: /boot/vmlinuz-{version}\nFound initrd image: /boot/initrd.img-{version}\n"
        for version in (NEWER, KERNEL)
    )
    assert grub.run("update-grub") == (0, "", said + "done\n")
    assert grub.boot() == (
        NEWER,
        f"BOOT_IMAGE=/boot/vmlinuz-{NEWER} root=/dev/mapper/pve-root ro quiet iommu=pt",
    )
    status, out, _ = grub.run("proxmox-boot-tool", "kernel", "pin", KERNEL)
    assert (status, out) == (0, f"Setting '{KERNEL}' as grub default entry and running update-grub.\n")
    assert grub.boot()[0] == KERNEL
    drop_in.write_text('GRUB_CMDLINE_LINUX="never ends\n')
    assert grub.run("update-grub")[0] == 2


def test_after_a_boot_only_what_is_written_down_is_there(systemd_boot):
    root = systemd_boot.root
    systemd_boot.run("systemctl", "stop", "smbd")
    systemd_boot.run("systemctl", "start", "systemd-timesyncd")
    systemd_boot.run("systemctl", "disable", "cron")
    systemd_boot.run("modprobe", "loop")
    systemd_boot.run("sysctl", "-w", "vm.swappiness=1")
    systemd_boot.run("systemd-run", "--on-active=600", "--unit=later", "true")
    (root / "run/lock/somebody").write_text("")
    (root / "etc/sysctl.d/a.conf").write_text("# mine\nvm.dirty_ratio = 11\n")
    (root / "etc/modules-load.d/a.conf").write_text("kvm\n")

    systemd_boot.boot()

    states = systemd_boot.run("systemctl", "is-active", "smbd", "systemd-timesyncd", "cron", "pve-guests")[1]
    assert states.split() == ["active", "inactive", "inactive", "active"]
    assert systemd_boot.run("sysctl", "-n", "vm.dirty_ratio")[1] == "11\n"
    assert systemd_boot.run("sysctl", "-n", "vm.swappiness")[1] != "1\n"
    loaded = json.loads((root / "var/lib/phoenix-lab/model.json").read_text())["modules"]
    assert ("loop" in loaded, "kvm" in loaded, "zfs" in loaded) == (False, True, True)
    assert not (root / "var/lib/phoenix-lab/timers.json").exists()
    assert not (root / "run/lock/somebody").exists()
    assert (root / "run/lock").is_dir()


def test_zfs_takes_the_options_its_initramfs_has(systemd_boot):
    parameter = systemd_boot.root / "sys/module/zfs/parameters/zfs_arc_max"
    (systemd_boot.root / "etc/modprobe.d/zfs.conf").write_text("options zfs zfs_arc_max=1073741824\n")
    systemd_boot.boot()
    assert parameter.read_text() == "0\n"
    systemd_boot.run("update-initramfs", "-u", "-k", "all")
    systemd_boot.boot()
    assert parameter.read_text() == "1073741824\n"


def test_a_node_without_a_kernel_does_not_boot(systemd_boot):
    for path in (systemd_boot.root / "boot").glob("vmlinuz-*"):
        path.unlink()
    systemd_boot.run("proxmox-boot-tool", "refresh")
    systemd_boot.run("reboot")
    assert systemd_boot.run("lab-boot") == (1, "", "No bootable medium found!\n")


# --- connections ------------------------------------------------------------------------------------------


@pytest.fixture
def open_transport(node):  # noqa: F811
    opened = []

    def make():
        transport = LabTransport(Address("pve1", "10.1.1.2", "lab", options=(str(node.folder),)))
        opened.append(transport)
        return transport

    yield make
    for transport in opened:
        transport.close()


BOOT = "cat /proc/sys/kernel/random/boot_id /proc/cmdline; uname -r"


def test_a_reboot_ends_every_shell_and_the_next_one_finds_another_boot(node, open_transport):  # noqa: F811
    one, two = open_transport(), open_transport()
    before = [transport.ask([Question(BOOT)])[0].stdout for transport in (one, two)]
    assert before[0] == before[1]
    assert before[0].split()[-1].decode() == KERNEL

    with pytest.raises(HostError, match="the connection ended"):
        one.act("systemctl reboot; sleep 60")
    with pytest.raises(HostError, match="Connection closed by remote host"):
        two.act("touch /root/never")
    with pytest.raises(HostError, match="Connection refused"):
        one.open()

    end = time.monotonic() + 60
    while True:
        try:
            after = two.ask([Question(BOOT)])[0].stdout
        except HostError:
            assert time.monotonic() < end
            time.sleep(0.05)
        else:
            break
    assert after.split()[0] != before[0].split()[0]
    assert after.split()[1:] == before[0].split()[1:]
    assert not (node.root / "root/never").exists()


def test_a_command_that_goes_on_elsewhere_ends_with_the_node(node):  # noqa: F811
    child = subprocess.Popen(
        node.argv(door.mortal(["sh", "-c", "echo on; sleep 60"])), stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "on\n"
    node.reboot()
    assert child.wait(20) == 137
    child.stdout.close()


def test_a_node_may_take_its_time_or_stay_down(node):  # noqa: F811
    faults = Faults(node.folder)
    faults.set(Sort.DEAD)
    node.reboot()
    assert door.knock(node) == "Connection refused"
    faults.clear()
    faults.set(Sort.SLOW, 3600)
    assert door.knock(node) == "Connection refused"
    assert boots.down_since(node.root) is not None
    faults.clear()
    (node.root / boots.DOWN).write_text('{"since": 0}')
    assert door.knock(node) == ""
    assert boots.down_since(node.root) is None


def test_the_verb_reboots_nodes(node, tmp_path):  # noqa: F811
    site = tmp_path / "site"
    (site / ".phoenix/lab").mkdir(parents=True)
    os.rename(node.folder, site / ".phoenix/lab/pve1")
    ran = CliRunner().invoke(lab, ["reboot"], obj=type("Chosen", (), {"site_folder": site})())
    assert (ran.exit_code, ran.output) == (0, "pve1: reboots\n")
    assert door.knock(LabNode(site / ".phoenix/lab/pve1")) == "Connection refused"
