"""What `apt-get -s` says is read as it is meant, and what an upgrade costs is said in time."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoenix_hypervisor.dialects import apt_get
from phoenix_hypervisor.dialects.apt_get import Package, Simulation
from phoenix_hypervisor.operate.upgrade import Machine, gates, refused, wanted

SAID = """\
NOTE: This is only a simulation!
      apt-get needs root privileges for real execution.
Reading package lists...
The following packages have been kept back:
  jq libjq1
  nvidia-driver-cuda
The following upgrades have been deferred due to phasing:
  snapd
The following NEW packages will be installed:
  proxmox-kernel-6.14.11-5-pve-signed
5 upgraded, 1 newly installed, 1 to remove and 4 not upgraded.
Remv gcc-13 [13.2.0-5] [libgcc1:amd64 ]
Inst libc6 [2.41-12] (2.41-12+deb13u1 Debian:13.1/stable, Debian-Security:13/stable-security [amd64]) []
Conf libc6 (2.41-12+deb13u1 Debian:13.1/stable [amd64])
Inst libc6:i386 [2.41-12] (2.41-12+deb13u1 Debian:13.1/stable [i386])
Inst proxmox-kernel-6.14.11-5-pve-signed (6.14.11-5 Proxmox Debian Repository:stable [amd64])
Inst samba [2:4.22.4+dfsg-1~deb13u1] (2:4.22.6+dfsg-0+deb13u1 Debian:13.2/stable [amd64]) [libwbclient0 ]
Purg old-conf [1.0]
"""


def test_a_simulation_is_read():
    assert apt_get.simulation(SAID) == Simulation(
        (
            Package("gcc-13", "13.2.0-5", ""),
            Package("libc6", "2.41-12", "2.41-12+deb13u1"),
            Package("libc6:i386", "2.41-12", "2.41-12+deb13u1"),
            Package("proxmox-kernel-6.14.11-5-pve-signed", "", "6.14.11-5"),
            Package("samba", "2:4.22.4+dfsg-1~deb13u1", "2:4.22.6+dfsg-0+deb13u1"),
            Package("old-conf", "1.0", ""),
        ),
        ("jq", "libjq1", "nvidia-driver-cuda", "snapd"),
    )


@pytest.mark.parametrize("line", ["Inst x", "Inst x [1]", "Remv", "Inst x [1] 2", "Remv x (2 y [amd64])"])
def test_a_step_that_is_not_understood_is_never_passed_over(line):
    with pytest.raises(ValueError, match="is no step of apt-get"):
        apt_get.simulation(f"Reading package lists...\n{line} \n")


words = st.from_regex(r"[a-z0-9][a-z0-9.+-]{1,12}", fullmatch=True)
versions = st.from_regex(r"([0-9]:)?[0-9][0-9A-Za-z.+~-]{0,12}", fullmatch=True)
packages = st.builds(Package, words, st.just("") | versions, st.just("") | versions).filter(
    lambda one: one.before or one.after
)


def written(simulation):
    """As apt-get writes it."""
    kept = f"{apt_get.KEPT[0]}\n  {' '.join(simulation.kept)}\n" if simulation.kept else ""
    lines = []
    for name, before, after in simulation.packages:
        old = f" [{before}]" if before else ""
        lines.append(f"Inst {name}{old} ({after} Debian:13/stable [amd64])" if after else f"Remv {name}{old}")
    return f"Reading state information...\n{kept}1 upgraded\n" + "".join(f"{line}\n" for line in lines)


@given(
    st.builds(
        Simulation,
        st.lists(packages, unique_by=lambda one: one.name).map(tuple),
        st.lists(words).map(tuple),
    )
)
def test_what_is_written_is_read_again(simulation):
    found = apt_get.simulation(written(simulation))
    assert found == simulation
    assert sorted([*found.upgraded, *found.new, *found.removed]) == sorted(found.packages)


@given(st.text())
def test_any_text_is_read_or_refused(text):
    try:
        apt_get.simulation(text)
    except ValueError as error:
        assert "is no step" in str(error)  # noqa: PT017  (it may be read, too)


@pytest.mark.parametrize(
    ("name", "kernel"),
    [
        ("proxmox-kernel-6.14.11-5-pve-signed", "6.14.11-5-pve"),
        ("proxmox-kernel-6.14.11-5-pve", "6.14.11-5-pve"),
        ("pve-kernel-5.15.158-2-pve", "5.15.158-2-pve"),
        ("linux-image-6.12.43+deb13-amd64", "6.12.43+deb13-amd64"),
        ("proxmox-kernel-6.14", ""),
        ("proxmox-kernel-helper", ""),
        ("proxmox-headers-6.14.11-5-pve", ""),
    ],
)
def test_a_new_kernel_is_known_by_its_package(name, kernel):
    assert Package(name, "", "1").kernel == kernel
    assert Package(name, "1", "2").kernel == ""


NEW_KERNEL = Package("proxmox-kernel-6.14.11-5-pve-signed", "", "6.14.11-5")
NODE = Machine(
    would=Simulation((NEW_KERNEL,)),
    held=(),
    running="6.14.11-4-pve",
    boot=("vmlinuz-6.14.11-4-pve", "initrd.img-6.14.11-4-pve"),
    pins=(),
    driver="NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05",
    dkms="nvidia/580.95.05, 6.14.11-4-pve, x86_64: installed\n",
    headers=frozenset({"proxmox-default-headers"}),
    reboot_wanted=False,
    guest=False,
    own_kernel=True,
)


def but(**changes):
    return dataclasses.replace(NODE, **changes)


def test_a_driver_that_a_new_kernel_would_lose_is_named_before():
    """The predecessor upgraded everything in each run, and lost a driver that was installed without DKMS."""
    assert list(gates(NODE)) == []
    (said,) = gates(but(dkms=""))
    assert said.startswith("loses its NVIDIA driver at the next boot, with the kernel 6.14.11-5-pve")
    (said,) = gates(but(headers=frozenset({"proxmox-headers-6.14.11-4-pve"})))
    assert "DKMS cannot build it for the kernel 6.14.11-5-pve without its headers" in said
    with_headers = Simulation((NEW_KERNEL, Package("proxmox-headers-6.14.11-5-pve", "", "6.14.11-5")))
    for harmless in (
        but(headers=frozenset(), would=with_headers),
        but(dkms="", driver=""),
        but(dkms="", would=Simulation((Package("jq", "1", "2"),))),
        but(dkms="", guest=True, own_kernel=False),
    ):
        assert list(gates(harmless)) == []


def test_a_reboot_is_wanted_when_another_kernel_comes_next():
    after = but(would=Simulation(), boot=("vmlinuz-6.14.11-4-pve", "vmlinuz-6.14.11-5-pve"))
    assert list(wanted(NODE, after)) == [
        "runs the kernel 6.14.11-4-pve, and starts with 6.14.11-5-pve: reboot it when it suits"
    ]
    assert list(wanted(NODE, dataclasses.replace(after, pins=("6.14.11-4-pve",)))) == []
    machine = dataclasses.replace(after, guest=True)
    assert list(wanted(NODE, machine)) == [
        "runs the kernel 6.14.11-4-pve, and starts with 6.14.11-5-pve: `phoenix restart` it when it suits"
    ]
    assert list(wanted(NODE, dataclasses.replace(machine, own_kernel=False))) == []


def test_what_goes_on_with_the_old_one_is_named():
    before = but(would=Simulation((Package("libc6:amd64", "1", "2"), Package("lxcfs", "1", "2"))))
    assert list(wanted(before, but(would=Simulation()))) == [
        "uses libc6 of before until a reboot",
        "has guests on lxcfs of before: each has the new one after a `phoenix restart`",
    ]
    guest = but(would=Simulation((Package("libc6", "1", "2"),)), guest=True)
    after = dataclasses.replace(guest, would=Simulation())
    assert list(wanted(guest, after)) == ["uses libc6 of before until a `phoenix restart`"]
    assert list(wanted(guest, guest)) == []  # it has not come about
    plain = but(would=Simulation((Package("jq", "1", "2"),)), guest=True)
    marked = dataclasses.replace(plain, would=Simulation(), reboot_wanted=True)
    assert list(wanted(plain, marked)) == ["uses what was upgraded of before until a `phoenix restart`"]


def test_removals_need_a_word_more():
    assert refused("pve", NODE) is None
    error = refused("pve", but(would=Simulation((Package("proxmox-ve", "9.0.0", ""),))))
    assert error.message == "`pve`: the upgrade would remove proxmox-ve"
