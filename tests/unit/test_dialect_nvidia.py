"""What is read of NVIDIA's driver, of DKMS and of a node's kernels: texts as the real tools write them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.answers import verify_module

from phoenix_hypervisor.dialects import nvidia
from phoenix_hypervisor.kinds.nvidia_driver import NvidiaDriver
from phoenix_hypervisor.resource import Given

REPOSITORY = Path(__file__).resolve().parents[2]
OPEN = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.76.05  Release Build  (dvs-builder@U22)\n"
)
PROPRIETARY = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (OPEN + "GCC version:  gcc version 14.2.0 (Debian 14.2.0-19)\n", "580.76.05 open"),
        (PROPRIETARY, "535.183.01 proprietary"),
        ("", ""),
    ],
)
def test_the_loaded_module_is_told_by_version_and_sort(text, said):
    assert nvidia.loaded(text) == said


def test_cards_are_told_by_the_address_that_the_kernel_writes():
    text = (
        "00000000:01:00.0, NVIDIA GeForce RTX 5060 Ti, GPU-1f0a, Enabled, 580.76.05\n"
        "00000000:0A:00.0, NVIDIA GeForce RTX 4090, GPU-2b, Disabled, 580.76.05\n"
    )
    assert nvidia.cards(text) == {
        "0000:01:00.0": nvidia.Card("NVIDIA GeForce RTX 5060 Ti", "GPU-1f0a", "Enabled", "580.76.05"),
        "0000:0a:00.0": nvidia.Card("NVIDIA GeForce RTX 4090", "GPU-2b", "Disabled", "580.76.05"),
    }


@given(st.integers(0, 0xFFFF), st.integers(0, 255), st.integers(0, 31), st.integers(0, 7))
def test_any_address_reads_as_the_kernel_writes_it(domain, bus, slot, function):
    end = f"{bus:02x}:{slot:02x}.{function}"
    assert (
        nvidia.pci(f"{domain:08X}:{end.upper()}")
        == nvidia.pci(f"{domain:04x}:{end}")
        == f"{domain:04x}:{end}"
    )


def test_what_dkms_has_is_told_for_each_version_and_kernel():
    text = (
        "nvidia/580.76.05-open, 6.14.11-4-pve, x86_64: installed\n"
        "nvidia/580.76.05-open, 6.14.11-5-pve, x86_64: installed "
        "(WARNING! Diff between built and installed module!)\n"
        "nvidia/570.153.02: added\n"
        "i915-sriov-dkms/2025.03.27, 6.14.11-4-pve, x86_64: installed\n"
    )
    assert nvidia.dkms(text) == {
        "580.76.05-open": {"6.14.11-4-pve": "installed", "6.14.11-5-pve": "differs"},
        "570.153.02": {},
    }


KERNELS = """\
running 6.14.11-4-pve
kernel 6.14.11-4-pve
headers 6.14.11-4-pve
module 6.14.11-4-pve 580.76.05 Dual MIT/GPL
kernel 6.14.11-10-pve
kernel 6.8.12-15-pve
module 6.8.12-15-pve 535.183.01 NVIDIA
"""


def test_the_kernels_of_a_node_and_what_there_is_for_them():
    found = nvidia.kernels(KERNELS)
    assert found.installed == ("6.8.12-15-pve", "6.14.11-4-pve", "6.14.11-10-pve")
    assert found.headers == {"6.14.11-4-pve"}
    assert found.modules == {"6.14.11-4-pve": "580.76.05 open", "6.8.12-15-pve": "535.183.01 proprietary"}


@pytest.mark.parametrize(
    ("more", "kernel"),
    [
        ("", "6.14.11-10-pve"),
        ("grub 0\n", "6.14.11-10-pve"),
        ("pin 6.8.12-15-pve\n", "6.8.12-15-pve"),
        ("pin 6.14.11-4-pve\npin 6.8.12-15-pve\n", "6.14.11-4-pve"),  # for the next boot only, then for good
        ("pin 6.5.1-1-pve\n", "6.14.11-10-pve"),  # which is not there any more
        ('grub "gnulinux-advanced-d5b1>gnulinux-6.14.11-4-pve-advanced-d5b1"\n', "6.14.11-4-pve"),
        ('grub "Advanced options for Proxmox VE GNU/Linux>Proxmox VE GNU/Linux, with Linux 6.8.12-15-pve"\n',
         "6.8.12-15-pve"),
    ],
)  # fmt: skip
def test_the_kernel_of_the_next_boot_is_pinned_or_grubs_default_or_the_newest(more, kernel):
    assert nvidia.kernels(KERNELS + more).next_boot == kernel


def test_checks_and_scripts_ask_the_same_who_uses_a_card():
    checks = verify_module(REPOSITORY / "verify/test_nvidia_driver.py")
    assert checks.USERS.strip() == (REPOSITORY / "templates/nvidia_users.sh.j2").read_text().strip()


def driver(**settings):
    given = {"name": "pve", "version": "580.76.05", "sha256": "a" * 64}
    return NvidiaDriver.model_validate({**given, **settings})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"sha256": None}, "a runfile needs `sha256`: it is run as root"),
        ({"source": "packages"}, "`packages` and `source: packages` belong together"),
        ({"packages": {"nvidia-driver": "580.76.05-1"}}, "`packages` and `source: packages` belong together"),
        (
            {
                "sha256": None,
                "url": "https://example.org/x.run",
                "source": "packages",
                "packages": {"nvidia-driver": "580.76.05-1"},
            },
            "`url` is that of a runfile, which needs `sha256`",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        driver(**settings)


def test_only_the_cards_of_the_node_itself_are_its_drivers_and_minors_are_counted_among_them():
    resource = driver()
    cards = {"gpu0": ("0000:01:00.0", "vfio"), "gpu1": ("0000:05:00.0", "host")}
    resource.bind(
        Given("gpu", name, {"pci": pci, "owner": owner}, None) for name, (pci, owner) in cards.items()
    )
    assert list(resource.cards) == ["gpu1"]
    assert resource.nodes[0] == "/dev/nvidia0"
    assert "/dev/nvidia1" not in resource.nodes
    assert "ExecStart=nvidia-modprobe -c 0 -c 255 -m" in " ".join(resource.units["phoenix-nvidia.service"])


def test_the_unit_makes_uvm_before_any_guest_starts():
    """Predecessor: it started `nvidia-smi` at boot, after which there may be no uvm."""
    unit = driver().units["phoenix-nvidia.service"]
    assert "Before=phoenix-nvidia-persistence.service pve-guests.service" in unit
    assert "ExecStart=nvidia-modprobe -u -c 0" in unit


def test_a_version_is_held():
    """Predecessor: packages of the driver were upgraded with all others."""
    text = (REPOSITORY / "templates/nvidia_driver/packages.sh.j2").read_text()
    assert 'apt-mark hold "${name%%=*}"' in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", False),
        ("[nvidia-container-cli]\n#no-cgroups = true\n", False),
        ("[nvidia-container-cli]\nload-kmods = true\nno-cgroups = true\n", True),
        ("[nvidia-container-runtime]\nno-cgroups = true\n", False),
    ],
)
def test_whether_the_toolkit_leaves_control_groups_alone(text: str, said: bool):
    assert nvidia.no_cgroups(text) is said


def test_settings_of_the_toolkit_that_are_no_toml_are_said_and_versions_that_let_containers_out():
    with pytest.raises(ValueError, match="line 1"):
        nvidia.no_cgroups("no-cgroups = yes\n")
    assert "CVE-2025-23266" in nvidia.toolkit_known_bad("1.17.7-1")
    assert [nvidia.toolkit_known_bad(version) for version in ("1.17.8-1", "1.18.0-1")] == ["", ""]
