"""NVIDIA's driver on a lab node: installed, repaired, upgraded, kept through kernel updates and reboots."""

import pytest
from tests.lab.running import LabSite, statuses, steps

from phoenix_hypervisor.errors import PhoenixError
from phoenix_hypervisor.lab.faults import Sort
from phoenix_hypervisor.observe.kinds_page import yaml

NODE, ADDRESS = "pve1", "10.0.0.13"
FILE = f"configs/nodes/{NODE}.yaml"
MODEL = "NVIDIA GeForce RTX 5060 Ti"
KERNEL, NEXT = "6.14.11-4-pve", "6.14.11-5-pve"
OLD, NEW = "570.153.02", "580.76.05"
SHA256 = {
    OLD: "148886e4f69576fa8fa67140e6e5dd6e51f90b2ec74a65f1a7a7334dfa5de1b6",
    NEW: "219be636b60931b021b2e8c1e0eff887363c731f8a940caa87bcc054d05d97fd",
}
PCI = ("0000:01:00.0", "0000:05:00.0")
HARDWARE = {
    "disks": {"d": {"id": "nvme-LAB_1", "size": "10G"}},
    "gpus": {f"gpu{n}": {"pci": pci, "model": MODEL} for n, pci in enumerate(PCI)},
}
REPOSITORY = {
    "uris": ["http://download.proxmox.com/debian/pve"],
    "suites": ["trixie"],
    "components": ["pve-no-subscription"],
    "signed_by": "/usr/share/keyrings/proxmox-archive-keyring.gpg",
}
TEMPLATE = "debian-12-standard_12.12-1_amd64.tar.zst"
WITH_A_CARD = f"""
set -e
zpool create tank /dev/disk/by-id/nvme-LAB_1
pvesm add zfspool tank --pool tank --content rootdir
pveam download local {TEMPLATE}
pct create 100 local:vztmpl/{TEMPLATE} --hostname chat --unprivileged 1 --rootfs tank:1 --memory 64
pct set 100 --dev0 /dev/nvidia0,mode=0666 --onboot 1
pct start 100
"""
REF = f"nvidia_driver:{NODE}"
FOR_GUESTS = f"pvesm set local --content vztmpl,rootdir; pveam download local {TEMPLATE}"
GUEST = {
    "lxc": {
        "template": "base",
        "rootfs": {"storage": "local", "size": "1G"},
        "memory": "64M",
        "gpus": ["gpu0", "gpu1"],
    }
}
LXC = f"{NODE}/lxc:101"


class GraphicsSite(LabSite):
    """A site whose one node has two cards and a declared driver."""

    def __init__(self, folder, name=NODE):
        super().__init__(folder, name)

    def declare(self, version=NEW, **settings):
        driver = {"version": version, "sha256": SHA256.get(version, "0" * 64), **settings}
        sections = {"hardware": HARDWARE, "apt_repository": {"pve": REPOSITORY}, "nvidia_driver": driver}
        (self.folder / FILE).write_text(yaml(sections))

    def declare_guest(self):
        """A container with both cards, on a node that has all it needs but the driver."""
        self.on_node(FOR_GUESTS)
        (self.folder / "configs/guests").mkdir()
        (self.folder / "configs/guests/101-chat.yaml").write_text(yaml(GUEST))
        template = {"ct_template": {"base": {"storage": "local", "file": TEMPLATE}}}
        (self.folder / FILE).write_text((self.folder / FILE).read_text() + yaml(template))

    def differences(self):
        """What differs, as the plan says it: attribute → (actual, desired), and the steps for it."""
        plan = self.plan()
        found = [entry for entry in plan["entries"] if entry["resource"] == f"{NODE}/{REF}"]
        names = {one["attribute"] for entry in found for one in entry["changes"]}
        return names, steps(plan)

    def driver(self):
        """What is loaded, what the programs are, what the kernels have: a word each."""
        said = self.on_node(
            "grep -o '[0-9]*\\.[0-9.]* ' /proc/driver/nvidia/version | head -n 1; "
            "head -n 1 /var/lib/nvidia/log; modinfo -F version nvidia; uname -r"
        )
        return said.split()


def made(folder, sort=GraphicsSite):
    site = sort(folder)
    for part in ("configs/nodes", "inventory"):
        (folder / part).mkdir(parents=True)
    (folder / "configs/site.yaml").write_text("name: graphics\n")
    reach = {NODE: {"hostname": ADDRESS, "data": {"transport": "lab"}}}
    (folder / "inventory/hosts.yaml").write_text(yaml(reach))
    site.declare()
    ran = site.run("lab", "up")
    assert ran.status == 0, ran
    try:
        site.on_node("true")
    except PhoenixError as error:
        pytest.skip(f"this machine does not let us make a lab: {error}")
    return site


@pytest.fixture(scope="session")
def _graphics_fresh(tmp_path_factory):
    return made(tmp_path_factory.mktemp("nvidia") / "fresh")


@pytest.fixture(scope="session")
def _graphics(_graphics_fresh, tmp_path_factory):
    site = _graphics_fresh.copy(tmp_path_factory.mktemp("nvidia") / "converged")
    ran = site.run("apply", "--yes")
    assert ran.status == 0, ran
    return site


@pytest.fixture
def fresh_node(_graphics_fresh, tmp_path):
    """A node without any driver."""
    return _graphics_fresh.copy(tmp_path / "site")


@pytest.fixture
def site(_graphics, tmp_path):
    """A node with the declared driver."""
    return _graphics.copy(tmp_path / "site")


def test_a_fresh_node_gets_the_driver_everywhere_and_then_nothing_is_left_to_do(site):
    assert site.driver() == [NEW, NEW, NEW, KERNEL]
    assert site.on_node("dkms status") == f"nvidia/{NEW}-open, {KERNEL}, x86_64: installed\n"
    shown = site.on_node("nvidia-smi --query-gpu=pci.bus_id,name,persistence_mode --format=csv,noheader")
    assert shown.splitlines() == [f"0000{pci.upper()}, {MODEL}, Enabled" for pci in PCI]
    nodes = site.on_node("cd /dev && find nvidia* -xtype c | sort").split()
    shared = [
        "nvidia-caps/nvidia-cap1",
        "nvidia-caps/nvidia-cap2",
        "nvidia-modeset",
        "nvidia-uvm",
        "nvidia-uvm-tools",
    ]
    assert nodes == [*shared, "nvidia0", "nvidia1", "nvidiactl"]
    with site.nothing_done():
        assert site.apply()["exit"] == 0


def test_a_container_with_a_card_waits_for_the_driver_and_one_apply_makes_both(fresh_node):
    fresh_node.declare_guest()
    planned = fresh_node.plan()
    (guest,) = [one for one in planned["entries"] if one["resource"] == LXC]
    assert (planned["exit"], guest["after"], guest["refusals"]) == (2, f"{NODE}/{REF}", [])
    assert fresh_node.apply()["exit"] == 0
    assert fresh_node.on_node("lxc-attach -n 101 -- sh -c 'test -c /dev/nvidia1 && echo there'") == "there\n"
    with fresh_node.nothing_done():
        assert fresh_node.apply()["exit"] == 0
    # what gets lost is for the driver to bring back, and the container, which has its own, waits for it
    fresh_node.on_node("rm /var/lib/phoenix-lab/dev/nvidia1")
    driver, guest = fresh_node.plan()["entries"]
    assert [one["attribute"] for one in driver["changes"]] == ["nodes"]
    assert (guest["after"], guest["steps"], guest["refusals"]) == (f"{NODE}/{REF}", [], [])


LITTLE = {
    # what is done by hand → what differs then
    "rm /var/lib/phoenix-lab/dev/nvidia-uvm": {"nodes"},
    "systemctl disable phoenix-nvidia": {"enabled phoenix-nvidia.service"},
    "sed -i 's/^ExecStart=.*-u -c 0/ExecStart=nvidia-smi/' /etc/systemd/system/phoenix-nvidia.service": {
        "unit phoenix-nvidia.service"
    },
    "rm /etc/modprobe.d/zz-phoenix-nvidia.conf": {"nouveau_off"},
    "mkdir -p /usr/src/nvidia-1.0; touch /usr/src/nvidia-1.0/dkms.conf; dkms add nvidia/1.0": {"dkms_others"},
    "systemctl stop phoenix-nvidia-persistence": {
        "active phoenix-nvidia-persistence.service",
        "persistence gpu0",
        "persistence gpu1",
    },
}


def test_what_is_broken_by_hand_is_found_by_its_name_and_all_of_it_is_repaired(site):
    """Predecessor: a unit that was there was not looked at again; no persistence; perhaps no uvm."""
    site.on_node("; ".join(LITTLE))
    assert site.differences()[0] == set().union(*LITTLE.values())
    assert site.apply()["exit"] == 0


MUCH = {
    "DKMS does not know it": (f"dkms remove nvidia/{NEW}-open --all", {f"dkms {KERNEL}", f"module {KERNEL}"}),
    "the programs are of another version": (
        f"sed -i '1s/.*/{OLD}/' /var/lib/nvidia/log",
        {"nvidia_smi", "version", "version installed"},
    ),
    "the module is not loaded": (
        "unit=phoenix-nvidia-persistence; systemctl stop $unit; modprobe -r nvidia; systemctl start $unit",
        {"loaded"},
    ),
}


@pytest.mark.parametrize("what", MUCH)
def test_what_keeps_the_driver_from_working_is_found_by_its_name_and_repaired(site, what):
    command, names = MUCH[what]
    site.on_node(command)
    found, planned = site.differences()
    assert (found, planned[-1]) == (names, f"load the driver {NEW} open, make its device nodes")
    assert site.apply()["exit"] == 0


def test_a_new_kernel_gets_its_module_and_one_without_headers_is_told_before_the_boot(site):
    """Predecessor: without DKMS the driver was lost with a kernel update, and nobody was told."""
    site.on_node(f"cp /boot/vmlinuz-{KERNEL} /boot/vmlinuz-{NEXT}")
    found, _ = site.differences()
    assert found == {f"headers {NEXT}"}
    assert site.apply()["exit"] == 0
    assert site.on_node(f"modinfo -k {NEXT} -F version nvidia") == f"{NEW}\n"

    site.on_node(f"cp /boot/vmlinuz-{KERNEL} /boot/vmlinuz-6.14.11-9-pve")
    plan = site.run("plan")
    said = "6.14.11-9-pve, for which the driver has no module, and no repository has its headers"
    assert (plan.status, said in plan.out) == (0, True), plan
    site.on_node(f"echo {KERNEL} >/etc/kernel/proxmox-boot-pin")
    assert said not in site.run("plan").out


def test_an_upgrade_under_a_running_container_waits_for_a_reboot_and_stops_nobody(site):
    """Predecessor: it rebooted in the middle of its setup, and began anew afterwards."""
    site.on_node(WITH_A_CARD)
    pid = site.on_node("lxc-info -n 100 -pH")
    site.declare(OLD)

    first = site.run("apply", "--json")

    assert first.status == 2, first
    assert list(first.document["waiting"]) == [f"{NODE}/{REF}"]
    assert "lxc:100 would lose the driver" in first.document["waiting"][f"{NODE}/{REF}"]
    assert site.on_node("lxc-info -n 100 -pH") == pid
    assert site.driver() == [NEW, OLD, OLD, KERNEL]
    names, planned = site.differences()
    assert (names, planned) == ({"loaded"}, ["systemctl reboot"])

    last = site.run("apply", "--yes", "--reboot")

    assert last.status == 0, last
    assert site.driver() == [OLD, OLD, OLD, KERNEL]
    assert (
        site.on_node("lxc-ls --running -1; lxc-attach -n 100 -- sh -c 'test -c /dev/nvidia0 && echo there'")
        == "100\nthere\n"
    )


def test_an_installer_that_is_not_there_or_another_one_changes_nothing(site):
    before = site.driver()
    for settings, said in (
        (
            {"version": "999.12"},
            "nothing came from https://us.download.nvidia.com/XFree86/Linux-x86_64/999.12/",
        ),
        ({"version": OLD, "sha256": "0" * 64}, f"has the sha256 {SHA256[OLD]}, not 00000"),
    ):
        site.declare(**settings)
        outcome = site.apply()
        assert (outcome["exit"], said in outcome["stuck"][f"{NODE}/{REF}"]) == (1, True), outcome["stuck"]
        assert site.on_node("ls -A /var/cache/phoenix/downloads") == f".lock\n{SHA256[NEW]}\n"
        assert site.driver() == before


def test_modules_that_cannot_be_built_leave_the_old_driver_working(site):
    old = "535.183.01"  # it does not compile against this kernel
    digest = site.on_node(
        f"curl -fsSL --output /root/x.run https://us.download.nvidia.com/XFree86/Linux-x86_64/{old}/"
        f"NVIDIA-Linux-x86_64-{old}.run && sha256sum /root/x.run"
    ).split()[0]
    site.declare(old, sha256=digest, modules="proprietary")
    outcome = site.apply()
    said = f"the modules of {old} cannot be built for the kernel {KERNEL}: what was there works as before"
    assert (outcome["exit"], said in outcome["stuck"][f"{NODE}/{REF}"]) == (1, True), outcome["stuck"]
    assert site.driver() == [NEW, NEW, NEW, KERNEL]
    assert site.on_node("dkms status") == f"nvidia/{NEW}-open, {KERNEL}, x86_64: installed\n"
    site.declare()
    assert site.plan()["entries"] == []


def test_nouveau_on_a_card_is_left_alone_until_the_reboot(fresh_node):
    fresh_node.declare_guest()
    fresh_node.fault(Sort.SLOW, 0)  # it is back at once
    fresh_node.node.reboot()  # nothing keeps it off yet; it boots when somebody connects
    first = fresh_node.run("apply", "--json")
    assert first.status == 2, first
    assert "nouveau" in fresh_node.on_node("readlink /sys/bus/pci/devices/0000:01:00.0/driver")
    assert (
        "another driver has 0000:01:00.0 (nouveau), 0000:05:00.0 (nouveau)"
        in first.document["waiting"][f"{NODE}/{REF}"]
    )
    assert (list(first.document["waiting"]), first.document["stuck"]) == ([f"{NODE}/{REF}"], {})
    last = fresh_node.run("apply", "--yes", "--reboot")
    assert last.status == 0, last
    assert fresh_node.driver() == [NEW, NEW, NEW, KERNEL]
    assert fresh_node.on_node("lxc-ls --running -1") == "101\n"


def test_a_boot_makes_all_device_nodes_before_any_guest_starts(site):
    """Predecessor: its unit ran `nvidia-smi`, which makes no uvm."""
    site.on_node(WITH_A_CARD + "pct set 100 --dev1 /dev/nvidia-uvm,mode=0666\n")
    site.fault(Sort.SLOW, 0)  # it is back at once
    site.node.reboot()
    assert site.plan()["entries"] == []
    assert site.on_node("lxc-ls --running -1") == "100\n"


def test_a_card_that_is_not_there_and_one_too_many_are_said(site):
    """Predecessor: nothing looked whether both cards were there."""
    other = {"gpu0": HARDWARE["gpus"]["gpu0"], "gpu1": {"pci": "0000:09:00.0", "model": MODEL}}
    text = (site.folder / FILE).read_text()
    (site.folder / FILE).write_text(
        text.replace('"0000:05:00.0"', '"0000:09:00.0"').replace("0000:05:00.0", "0000:09:00.0")
    )
    assert other["gpu1"]["pci"] in (site.folder / FILE).read_text()
    with site.nothing_done():
        outcome = site.apply()
    stuck = " ".join(one["reason"] for one in outcome["plan"]["entries"][0]["refusals"])
    assert "gpu1: the driver shows no such card, not 0000:09:00.0" in stuck
    assert "the driver has 0000:05:00.0, which the files do not name" in stuck


def test_it_goes_with_what_came_with_it_but_not_from_under_a_container(site):
    site.on_node(WITH_A_CARD)
    text = (site.folder / FILE).read_text()
    (site.folder / FILE).write_text(text.replace("sha256:", "state: absent\n  sha256:"))
    outcome = site.apply()
    assert "lxc:100 would lose the driver: stop what uses a card first" in outcome["stuck"][f"{NODE}/{REF}"]
    site.on_node("pct stop 100")
    assert site.apply()["exit"] == 0
    places = "/proc/driver/nvidia/version /var/lib/nvidia/log /etc/modprobe.d/*nvidia* /usr/src/nvidia-*"
    left = f"ls -d {places} 2>/dev/null | cat"
    assert site.on_node(left) == ""
    assert "dkms" not in site.on_node(
        "dpkg-query -W -f '${Status} ${Package}\\n' | grep '^install ok installed'"
    )
    assert statuses(site.plan()) == {}
