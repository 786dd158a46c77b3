"""Rules about virtual machines: what is refused, where it is said, and what is allowed."""

import pytest
from tests.unit.site_files import HOSTS, NODE, SITE, loaded, problems

from phoenix_hypervisor.inspect.fleet import Fleet
from phoenix_hypervisor.render import Renderer
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
    "V-01 an address that a machine has": (
        dict.fromkeys(
            (DESK, OTHER), "vm:\n  image: ubuntu\n  net:\n    net0: {bridge: vmbr0, ip: 10.0.0.60/24}\n"
        ),
        f"{OTHER}:4:27: vm:8002: 10.0.0.60 belongs to net0 of vm:8001 [V-01]",
    ),
    "V-01 an address that a clone would take over": (
        {
            "configs/guests/900-base.yaml": f"{CONTAINER}  net: {{eth0: {{bridge: vmbr0, ip: 10.0.0.45/24}}}}"
            "\nlxc_layer: {}\n",
            CT: "lxc:\n  clone: base\n  rootfs: {size: 8G}\n",
        },
        (
            f"{CT}:2:3: lxc:950: it would start with 10.0.0.45, which belongs to eth0 of lxc:900 [V-01]\n"
            "  hint: declare a `net: {eth0: …}` of its own, or leave the layer's address out"
        ),
    ),
    "V-46 a template's address has no place in the files": (
        {NODE: NODE_FILE.replace("vmid: 9000,", "vmid: 9000, net: {net0: {ip: 10.0.0.45/24}},")},
        "vm_image:ubuntu: unknown key `net`",
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
    "V-17 user-data on a storage that nobody declares": (
        {DESK: "vm:\n  image: ubuntu\n  cloud_init: {storage: disks, snippets: nowhere}\n"},
        f"{DESK}:3:32: vm:8001: `nowhere` is not a declared storage [V-17]",
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
WRONG |= {
    "a container that is to be reached by ssh": (
        {CT: CONTAINER, HOSTS: "pve: {}\nwork: {hostname: 10.0.0.9}\n"},
        (f"{HOSTS}:2:1: `work` is a container, which is entered through its node\n  hint: leave it out here"),
    ),
    "a machine by another way than ssh": (
        {DESK: SIMPLE, HOSTS: "pve: {}\ndesk: {data: {transport: local}}\n"},
        f"{HOSTS}:2:1: the machine `desk` is reached by ssh or through its node, not by `local`\n",
    ),
    "a host that is neither node nor machine": (
        {DESK: SIMPLE, HOSTS: "pve: {}\ndesc: {}\n"},
        f"{HOSTS}:2:1: host `desc` has no file in configs/nodes/\n  hint: did you mean `desk`?",
    ),
    "a key that no cloud-config has": (
        {DESK: "vm:\n  image: ubuntu\n" + CLOUD.replace("}", ",\n    more: {ntpp: {}}}")},
        (
            f"{DESK}:4:12: vm:8001: `cloud_init.more.ntpp` is no key of a cloud-config\n"
            "  hint: did you mean `ntp`?"
        ),
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_is_refused(what, tmp_path):
    files, said = WRONG[what]
    assert said in problems(tmp_path, {NODE: NODE_FILE, **files})


@pytest.mark.parametrize(
    ("user", "told"),
    [("{}", True), ('{keys: ["ssh-ed25519 AAAA ada"]}', False), ("{password: !secret vm/ada}", False)],
)
def test_a_user_who_cannot_log_in_is_told(tmp_path, user, told):
    cloud = CLOUD.replace("}", f", users: {{ada: {user}}}}}")
    site = loaded(tmp_path, {NODE: NODE_FILE, DESK: f"vm:\n  image: ubuntu\n{cloud}"})
    said = f"{DESK}:3:55: warning: vm:8001: nobody can log in as `ada`: neither `keys` nor a `password`"
    assert any(str(one).startswith(said) for one in site.warnings) == told, site.warnings


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


def test_a_machine_that_is_reached_by_ssh_needs_no_agent_and_is_waited_for(tmp_path):
    files = {
        NODE: NODE_FILE,
        HOSTS: "pve: {}\ndesk: {hostname: 10.0.0.9, port: 2222, username: ops, data: {sudo: true}}\n",
        DESK: "vm:\n  image: ubuntu\n  agent: {enabled: false}\nhost_file: {/etc/x: {content: x}}\n",
    }
    site = loaded(tmp_path, files)
    assert site.resources[Ref("pve", "vm", "8001")].ssh == ("10.0.0.9", 2222)
    fleet = Fleet(site.inventory, site.folder, None, site.guests.values())
    assert (fleet.nodes, fleet.hosts) == (["pve"], ["pve", "desk"])
    reached = fleet.address("desk")
    assert (reached.hostname, reached.port, reached.username, reached.sudo) == ("10.0.0.9", 2222, "ops", True)
    artifact = next(a for a in site.resources[Ref("pve", "vm", "8001")].artifacts() if "start" in a.path)
    text = Renderer(site.folder).text("vm", artifact, site.resources[Ref("pve", "vm", "8001")])
    assert "ssh-keyscan -T 5 -p 2222 -- 10.0.0.9" in text
    assert "'no sshd answers at 10.0.0.9, port 2222'" in text


def test_a_machine_takes_of_its_node_what_it_is_given(tmp_path):
    big = "vm: {image: ubuntu, memory: 20G, onboot: true}\n"
    assert "[V-20]" in problems(tmp_path, {NODE: NODE_FILE, DESK: big})
