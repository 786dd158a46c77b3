"""Two cards of one sort, one for the node and its containers, one for a machine: bound, kept, given back."""

import json

import pytest
from tests.contract.ground import ADDRESS, DISKS, GPUS, HARDWARE, HOST, Run, Scene

from phoenix_hypervisor.dialects import lspci
from phoenix_hypervisor.errors import ExitCode
from phoenix_hypervisor.lab import boots, machine

CARDS = HARDWARE["gpus"]
GIVEN = {**HARDWARE, "gpus": {**CARDS, "gpu1": {**CARDS["gpu1"], "owner": "vfio"}}}
IOMMU = {"kernel_cmdline": {"iommu": {"value": "pt"}}}
OURS = {"hardware": GIVEN, **IOMMU, "vfio_device": {"gpu1": {}}}
HIS, OURS_FUNCTIONS = ("0000:01:00.0", "0000:01:00.1"), ("0000:05:00.0", "0000:05:00.1")
REBOOT = "systemctl reboot"


@pytest.fixture
def scene(tmp_path) -> Scene:
    return Scene.fresh(tmp_path / "site")


def applied(scene: Scene, sections: dict, *, prune: bool = False) -> Run:
    scene.declare(sections)
    return scene.run(apply=True, prune=prune)


def good(scene: Scene, sections: dict, *, prune: bool = False) -> Run:
    run = applied(scene, sections, prune=prune)
    assert run.code is ExitCode.OK, run.shown
    return run


def said(scene: Scene, command: str) -> str:
    ended = scene.node.run(command)
    assert ended.status == 0, ended.stderr.decode()
    return ended.stdout.decode()


def drivers(scene: Scene) -> dict[str, str]:
    found = lspci.parse(said(scene, lspci.COMMAND))
    return {slot: found[slot].driver for slot in (*HIS, *OURS_FUNCTIONS)}


OF_THE_NODE = {HIS[0]: "nvidia", HIS[1]: "snd_hda_intel"}
OF_A_MACHINE = dict.fromkeys(OURS_FUNCTIONS, "vfio-pci")
AS_BEFORE = {OURS_FUNCTIONS[0]: "nvidia", OURS_FUNCTIONS[1]: "snd_hda_intel"}


def test_of_two_cards_one_goes_to_a_machine_comes_back_by_itself_and_is_given_back(scene):
    assert drivers(scene) == {**OF_THE_NODE, **AS_BEFORE}
    first = good(scene, OURS)
    assert first.acts.count(REBOOT) == 1  # for both of them
    assert drivers(scene) == {**OF_THE_NODE, **OF_A_MACHINE}
    assert "iommu=pt" in said(scene, "cat /proc/cmdline").split()
    assert "blacklist nvidia\n" not in said(scene, "modprobe --showconfig; cat /etc/modprobe.d/*")
    again = scene.run(apply=True)
    assert (again.code, again.steps, again.acts) == (ExitCode.OK, [], [])

    # by hand: the card is taken from vfio, and our word out of the line
    bus = "/sys/bus/pci"
    for slot in OURS_FUNCTIONS:
        said(scene, f"echo >{bus}/devices/{slot}/driver_override; echo {slot} >{bus}/drivers/vfio-pci/unbind")
        assert drivers(scene)[slot] == ""
    said(scene, "sed -i 's/ iommu=pt//' /etc/kernel/cmdline")
    mended = scene.run(apply=True)
    assert (mended.code, REBOOT in mended.acts) == (ExitCode.OK, False)
    assert drivers(scene) == {**OF_THE_NODE, **OF_A_MACHINE}
    assert said(scene, "cat /etc/kernel/cmdline") == f"{boots.ROOT_ON_ZFS} iommu=pt\n"

    # no longer declared: everything goes, at the next boot
    pruned = good(scene, {"hardware": HARDWARE}, prune=True)
    assert {entry.ref.kind for entry in pruned.plan.entries} == {"vfio_device", "kernel_cmdline"}
    assert drivers(scene) == {**OF_THE_NODE, **OF_A_MACHINE}
    assert said(scene, "cat /etc/kernel/cmdline") == f"{boots.ROOT_ON_ZFS}\n"
    good(scene, {"hardware": HARDWARE, "kernel_cmdline": {"nosmt": {}}})  # which takes a reboot
    assert drivers(scene) == {**OF_THE_NODE, **AS_BEFORE}
    assert "iommu=pt" not in said(scene, "cat /proc/cmdline").split()


def test_what_stands_in_the_way_is_named_and_nothing_is_done(scene):
    good(scene, IOMMU)
    before = drivers(scene)
    model = scene.node.root / "var/lib/phoenix-lab/model.json"
    state = json.loads(model.read_text())
    shared = json.loads(model.read_text())
    group = next(row["group"] for row in state["pci"] if row["slot"] == OURS_FUNCTIONS[0])
    next(row for row in shared["pci"] if row["slot"] == "0000:0e:00.0")["group"] = group
    model.write_text(json.dumps(shared))
    run = applied(scene, OURS)
    assert (run.code, run.acts) == (ExitCode.FAILED, [])
    assert f"it shares IOMMU group {group} with 0000:0e:00.0 RTL8125 2.5GbE Controller" in run.shown

    # ids do not tell the two cards apart, whoever wrote them
    model.write_text(json.dumps(state))
    said(scene, "echo options vfio-pci ids=10de:2684,10de:22ba >/etc/modprobe.d/vfio.conf")
    run = applied(scene, OURS)
    assert (run.code, run.acts, drivers(scene)) == (ExitCode.FAILED, [], before)
    assert "gives away the node's own card as well (gpu0)" in run.shown


def test_on_a_processor_of_intels_the_iommu_takes_a_word_more_and_one_reboot_is_enough(scene):
    cpu = scene.node.root / machine.PROCESSOR
    cpu.write_text(cpu.read_text().replace("AuthenticAMD", "GenuineIntel"))
    assert {one.group for one in lspci.parse(said(scene, lspci.COMMAND)).values()} == {None}
    run = good(scene, OURS)
    assert run.acts.count(REBOOT) == 1
    assert said(scene, "cat /proc/cmdline").endswith(" intel_iommu=on iommu=pt\n")
    assert drivers(scene) == {**OF_THE_NODE, **OF_A_MACHINE}


def test_a_node_that_starts_with_grub_gets_a_file_beside_its_own(tmp_path):
    scene = Scene(tmp_path / "site")
    scene.declare({})
    scene.node.up(HOST, DISKS, ADDRESS, GPUS, loader=boots.GRUB)
    before = said(scene, "cat /etc/default/grub")
    run = good(scene, IOMMU)
    assert [act for act in run.acts if "update-grub" in act or act == REBOOT] == [
        "sh -c 'update-grub && : >/var/lib/phoenix/boot-loader'",
        REBOOT,
    ]
    assert "iommu=pt" in said(scene, "cat /proc/cmdline").split()
    assert said(scene, "cat /etc/default/grub") == before
    assert said(scene, "ls -A /etc/default/grub.d") == "zz-phoenix-iommu.cfg\n"
    assert not (scene.node.root / "etc/kernel/cmdline").exists()
    said(scene, "echo 'GRUB_CMDLINE_LINUX_DEFAULT=quiet' >/etc/default/grub.d/zzz.cfg")
    run = scene.run(apply=True)
    assert (run.code, run.acts) == (ExitCode.FAILED, [])
    assert "a later one takes the words out again" in run.shown


LISTED = """\
05:00.0 VGA compatible controller [0300]: NVIDIA Corporation AD102 [GeForce RTX 4090] [10de:2684] (rev a1)
\tKernel driver in use: nvidia
\tKernel modules: nvidiafb, nouveau, nvidia_drm, nvidia
05:00.1 Audio device [0403]: NVIDIA Corporation AD102 High Definition Audio Controller [10de:22ba]
\tKernel driver in use: snd_hda_intel
\tKernel modules: snd_hda_intel
"""


def test_the_labs_lspci_prints_what_people_read_too_and_knows_what_it_does_not_know(scene):
    assert said(scene, "lspci -nnks 05:00") == LISTED
    assert said(scene, "lspci -Dns 10:00.0") == "0000:10:00.0 0400: bdbd:a124\n"
    ended = scene.node.run("lspci -t")
    assert (ended.status, ended.stderr) == (70, b"lspci: not simulated: -t\n")
