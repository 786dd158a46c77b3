"""Rules about virtual machines: what is refused, where it is said, and what is allowed."""

import pytest
from tests.unit.site_files import NODE, SITE, loaded, problems

from phoenix_hypervisor.resource import Ref

NODE_FILE = """\
hardware:
  memory: 16G
  gpus: {gpu0: {pci: "0000:01:00.0"}, gpu1: {pci: "0000:05:00.0", owner: vfio}}
  disks: {a: {id: d1, size: 1T}, b: {id: d2, size: 1T}}
kernel_cmdline: {iommu: {value: pt}}
vfio_device: {gpu1: {}}
zfs_pool: {tank: {vdevs: [{type: mirror, disks: [d1, d2]}]}}
zfs_dataset: {tank/disks: {}, tank/iso: {}, tank/t: {}}
pve_storage:
  disks: {type: zfspool, pool: tank/disks, content: [images, rootdir]}
  iso: {type: dir, path: /tank/iso, content: [iso, vztmpl, snippets]}
  templates: {type: dir, path: /tank/t, content: [vztmpl]}
ct_template: {base: {storage: iso, file: base_1_amd64.tar.zst}}
vm_image:
  ubuntu: {url: "https://example.org/u.img", sha256: "%s", vmid: 9000, storage: disks}
""" % ("ab" * 32)
DESK = "configs/guests/8001-desk.yaml"
OTHER = "configs/guests/8002-other.yaml"
CT = "configs/guests/950-work.yaml"
SIMPLE = "vm: {image: ubuntu}\n"
CONTAINER = "lxc:\n  template: base\n  rootfs: {storage: disks, size: 8G}\n"
CLOUD = "  cloud_init: {storage: disks, snippets: iso}\n"

WRONG = {
    "V-01 an address that a container has": (
        {
            CT: CONTAINER + "  net: {eth0: {bridge: vmbr0, ip: 10.0.0.60/24}}\n",
            DESK: "vm:\n  image: ubuntu\n  net:\n    net0: {bridge: vmbr0, ip: 10.0.0.60/24}\n",
        },
        f"{DESK}:4:27: vm:8001: 10.0.0.60 belongs to eth0 of lxc:950 [V-01]",
    ),
    "V-02 a template with a guest's number": (
        {"configs/guests/9000-desk.yaml": SIMPLE},
        (
            f"{NODE}:15:122: vm_image:ubuntu: VMID 9000 is taken by the guest `desk` [V-02]\n"
            "  hint: templates have numbers like guests"
        ),
    ),
    "V-13 an image that is not declared": (
        {DESK: "vm: {image: ubuntoo}\n"},
        (
            f"{DESK}:1:6: vm:8001: there is no vm_image `ubuntoo` on this node [V-13]\n"
            "  hint: did you mean `ubuntu`?"
        ),
    ),
    "V-17 a disk on a storage that takes none": (
        {DESK: "vm:\n  image: ubuntu\n  disks:\n    scsi1: {size: 1G, storage: iso}\n"},
        (
            f"{DESK}:4:23: vm:8001: the storage `iso` does not take `images` [V-17]\n"
            "  hint: add `images` to the storage's `content`, or take another one"
        ),
    ),
    "V-17 user-data on a storage that takes none": (
        {DESK: "vm:\n  image: ubuntu\n  cloud_init: {storage: disks, snippets: templates}\n"},
        (
            f"{DESK}:3:32: vm:8001: the storage `templates` does not take `snippets` [V-17]\n"
            "  hint: add `snippets` to the storage's `content`, or take another one"
        ),
    ),
    "V-36 a card that the node keeps": (
        {DESK: "vm:\n  image: ubuntu\n  machine: q35\n  pci:\n    hostpci0: {gpu: gpu0}\n"},
        "[V-36]",
    ),
    "V-36 one card for two machines": (
        dict.fromkeys(
            (DESK, OTHER), "vm:\n  image: ubuntu\n  machine: q35\n  pci:\n    hostpci0: {gpu: gpu1}\n"
        ),
        "[V-36]",
    ),
    "V-36 a card that was given away, for a container": ({CT: CONTAINER + "  gpus: [gpu1]\n"}, "[V-36]"),
    "nobody gets in without an agent": (
        {DESK: "vm:\n  image: ubuntu\n  agent: {enabled: false}\nhost_file: {/etc/x: {content: x}}\n"},
        "its agent is switched off, and host_file:/etc/x is to be inside",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_is_refused(what, tmp_path):
    files, said = WRONG[what]
    assert said in problems(tmp_path, {NODE: NODE_FILE, **files})


def test_defaults_of_containers_are_not_laid_under_machines(tmp_path):
    files = {
        SITE: "name: t\nguest_defaults: {lxc: {swap: 512M}, vm: {cores: 2}}\n",
        NODE: NODE_FILE,
        DESK: "vm:\n  image: ubuntu\n" + CLOUD,
        CT: CONTAINER,
    }
    site = loaded(tmp_path, files)
    assert site.resources[Ref("pve", "vm", "8001")].cores == 2
    assert site.resources[Ref("pve", "lxc", "950")].swap == 512 << 20
    assert {guest.name: guest.entered for guest in site.guests.values()} == {
        "desk": "agent",
        "work": "attach",
    }


def test_a_machine_takes_of_its_node_what_it_is_given(tmp_path):
    big = "vm: {image: ubuntu, memory: 20G, onboot: true}\n"
    assert "[V-20]" in problems(tmp_path, {NODE: NODE_FILE, DESK: big})
