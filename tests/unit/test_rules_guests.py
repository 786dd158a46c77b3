"""Rules about guests: what is refused, where it is said, and what is allowed."""

from pathlib import Path

import pytest
from tests.unit.site_files import HOSTS, NODE, SITE, loaded, problems

from phoenix_hypervisor.resource import Ref

GUESTS = """\
hardware:
  memory: 16G
  gpus: {gpu0: {pci: "0000:01:00.0"}}
  disks: {a: {id: d1, size: 1T}, b: {id: d2, size: 1T}}
zfs_pool: {tank: {vdevs: [{type: mirror, disks: [d1, d2]}]}}
zfs_dataset: {tank/disks: {}, tank/data: {}, tank/iso: {}}
pve_storage:
  disks: {type: zfspool, pool: tank/disks, content: [rootdir]}
  iso: {type: dir, path: /tank/iso, content: [iso, vztmpl]}
ct_template: {base: {storage: iso, file: base_1_amd64.tar.zst}}
"""
"""A node that can have containers; ten lines."""
BASE = "configs/guests/900-base.yaml"
WORK = "configs/guests/950-work.yaml"
OTHER = "configs/guests/951-other.yaml"
LAYER = """\
lxc: {template: base, rootfs: {storage: disks, size: 8G}}
lxc_layer: {}
"""
CLONE = "lxc: {clone: base}\n"
FILES = {NODE: GUESTS, BASE: LAYER}
NO_FOLDERS = "Proxmox seals and clones no container with a folder of the node: mount it into the clones"


def found(folder: Path, files: dict[str, str]) -> str:
    return problems(folder, {**FILES, **files})


WRONG = {
    # title: (the files, what is said)
    "V-13 a smaller disk": (
        {WORK: "lxc:\n  clone: base\n  rootfs: {storage: disks, size: 4G}\n"},
        (
            f"{WORK}:3:28: lxc:950: its disk of 4 GiB is smaller than the 8 GiB of its layer `base` [V-13]\n"
            "  hint: a clone begins as large as its layer, and Proxmox does not shrink disks"
        ),
    ),
    "V-13 another privilege": (
        {WORK: "lxc:\n  clone: base\n  unprivileged: false\n"},
        (
            f"{WORK}:3:3: lxc:950: `unprivileged` is false, and true in its layer `base` [V-13]\n"
            "  hint: a clone's files belong to the same ids as its layer's: say the same in both"
        ),
    ),
    "V-13 cloned from what is no layer": (
        {WORK: CLONE, OTHER: "lxc:\n  clone: work\n"},
        (
            f"{OTHER}:2:3: lxc:951: `work` is no layer on this node: a layer's file has a section "
            "`lxc_layer` [V-13]"
        ),
    ),
    "V-13 made from an archive that is not declared": (
        {WORK: "lxc:\n  template: bace\n  rootfs: {storage: disks, size: 8G}\n"},
        (
            f"{WORK}:2:3: lxc:950: there is no ct_template `bace` on this node [V-13]\n"
            "  hint: did you mean `base`?"
        ),
    ),
    "V-13 a layer with folders of the node": (
        {
            NODE: f"{GUESTS}shared_volume:\n  m: {{path: /tank/data, guests: {{base: {{path: /d}}}}}}\n",
            BASE: "lxc:\n  template: base\n  rootfs: {storage: disks, size: 8G}\n"
            "  mounts: {/iso: {source: /tank/iso}}\nlxc_layer: {}\n",
            WORK: CLONE,
        },
        (
            f"{BASE}:4:19: lxc:900: `/tank/iso` is mounted into the layer `base` [V-13]\n"
            f"  hint: {NO_FOLDERS}\n"
            f"{NODE}:12:34: shared_volume:m: `/tank/data` is mounted into the layer `base` [V-13]\n"
            f"  hint: {NO_FOLDERS}"
        ),
    ),
    "V-16 what it waits for is not there": (
        {WORK: "lxc:\n  clone: base\n  after: [bace]\n"},
        (f"{WORK}:3:3: lxc:950: there is no guest `bace` on this node [V-16]\n  hint: did you mean `base`?"),
    ),
    "V-15 a layer that waits for a workload": (
        {WORK: CLONE, OTHER: "lxc: {clone: base, after: [work]}\nlxc_layer: {}\n"},
        (
            f"{OTHER}:1:28: lxc:951: the layer `other` waits for the workload `work` [V-15]\n"
            "  hint: let what is cloned from the layer wait for it"
        ),
    ),
    "V-16 it starts before what it waits for": (
        {
            WORK: "lxc: {clone: base, startup: {order: 3}}\n",
            OTHER: "lxc:\n  clone: base\n  startup: {order: 2}\n  after: [work]\n",
        },
        (
            f"{OTHER}:4:11: lxc:951: starts at 2, and `work`, which it waits for, at 3 [V-16]\n"
            "  hint: give `work` a `startup.order` of 2 or less"
        ),
    ),
    "V-16 what it waits for has no order": (
        {WORK: CLONE, OTHER: "lxc:\n  clone: base\n  startup: {order: 2}\n  after: [work]\n"},
        (
            f"{OTHER}:4:11: lxc:951: starts at 2, and `work`, which it waits for, last, for it has no "
            "`startup.order` [V-16]\n"
            "  hint: give `work` a `startup.order` of 2 or less"
        ),
    ),
    "V-16 what it waits for does not start with the node": (
        {WORK: CLONE, OTHER: "lxc:\n  clone: base\n  onboot: true\n  after: [work]\n"},
        (
            f"{OTHER}:4:11: lxc:951: starts when the node boots, and `work`, which it "
            "waits for, does not [V-16]\n"
            "  hint: `onboot: true` for `work` too"
        ),
    ),
    "V-17 a storage that does not take disks": (
        {WORK: "lxc: {template: base, rootfs: {storage: iso, size: 8G}}\n"},
        (
            f"{WORK}:1:32: lxc:950: the storage `iso` does not take `rootdir` [V-17]\n"
            "  hint: add `rootdir` to the storage's `content`, or take another one"
        ),
    ),
    "V-17 a storage that is not declared": (
        {WORK: "lxc: {clone: base, mounts: {/data: {storage: disk, size: 1G}}}\n"},
        f"{WORK}:1:37: lxc:950: `disk` is not a declared storage [V-17]\n  hint: did you mean `disks`?",
    ),
    "V-17 a storage that does not take archives": (
        {NODE: GUESTS.replace("[iso, vztmpl]", "[iso]")},
        (
            f"{NODE}:10:22: ct_template:base: the storage `iso` does not take `vztmpl` [V-17]\n"
            "  hint: add `vztmpl` to the storage's `content`, or take another one"
        ),
    ),
    "V-20 more memory than there is": (
        {
            NODE: f"{GUESTS}zfs_arc: {{max: 8G}}\n",
            WORK: "lxc: {clone: base, onboot: true, memory: 6G}\n",
            OTHER: "lxc: {clone: base, onboot: true, memory: 4G}\n",
        },
        (
            f"{OTHER}:1:34: lxc:951: the memory of the ARC and of all that starts with the node reaches "
            "18 GiB here, the node has 16 GiB [V-20]\n"
            "  hint: lower a `memory`, or allow it in configs/site.yaml: `allow: {memory_overcommit: 1.2}`"
        ),
    ),
    "V-22 capabilities kept and dropped": (
        {WORK: "lxc:\n  clone: base\n  raw: {lxc.cap.keep: sys_admin, lxc.cap.drop: mknod}\n"},
        (
            f"{WORK}:3:9: lxc:950: `lxc.cap.keep` and `lxc.cap.drop` exclude each other [V-22]\n"
            "  hint: LXC does not start a container with both"
        ),
    ),
    "V-24 a profile that nobody declares": (
        {WORK: "lxc:\n  clone: base\n  apparmor: lxc-ours\n"},
        (
            f"{WORK}:3:3: lxc:950: no AppArmor profile `lxc-ours` is declared [V-24]\n"
            "  hint: `generated`, `unconfined`, or a `host_file` /etc/apparmor.d/lxc-ours of the node"
        ),
    ),
    "V-26 a shared folder where the guest has a mount": (
        {
            NODE: f"{GUESTS}shared_volume:\n  m: {{path: /tank/data, guests: {{work: {{path: /data}}}}}}\n",
            WORK: "lxc: {clone: base, mounts: {/data: {storage: disks, size: 1G}}}\n",
        },
        (
            f"{NODE}:12:41: shared_volume:m: `/data` in `work` is taken by `mounts` of lxc:950 [V-26]\n"
            "  hint: one path, one mount: two that look shared may be two different ones"
        ),
    ),
    "V-26 two shared folders": (
        {
            NODE: f"{GUESTS}shared_volume:\n  m: {{path: /tank/data/m, guests: {{work: {{path: /data}}}}}}\n"
            "  n: {path: /tank/data/n, guests: {work: {path: /data}}}\n",
            WORK: CLONE,
        },
        (
            f"{NODE}:13:43: shared_volume:n: `/data` in `work` is taken by shared_volume:m [V-26]\n"
            "  hint: one path, one mount: two that look shared may be two different ones"
        ),
    ),
    "V-27 a guest that does not exist": (
        {
            NODE: f"{GUESTS}shared_volume:\n  m: {{path: /tank/data, guests: {{wrok: {{path: /data}}}}}}\n",
            WORK: CLONE,
        },
        (
            f"{NODE}:12:34: shared_volume:m: there is no guest `wrok` on this node [V-27]\n"
            "  hint: did you mean `work`?"
        ),
    ),
    "V-29 one folder, two owners": (
        {
            NODE: f"{GUESTS}shared_volume:\n  m: {{path: /tank/data, guests: {{work: {{path: /d, uid: 7}}, "
            "other: {path: /d, uid: 8}}}\n",
            WORK: CLONE,
            OTHER: CLONE,
        },
        (
            f"{NODE}:12:25: shared_volume:m: one folder, and several owners: on the node, its uid would be "
            "100007 by `work`, 100008 by `other` [V-29]\n"
            "  hint: let the guests agree; `shared_ids` gives one id of the node to several guests"
        ),
    ),
    "V-29 the dataset says whose it is": (
        {
            NODE: GUESTS.replace("tank/data: {}", "tank/data: {owner: root}")
            + "shared_volume:\n  m: {path: /tank/data, guests: {work: {path: /d, uid: 7}}}\n",
            WORK: CLONE,
        },
        (
            f"{NODE}:12:25: shared_volume:m: zfs_dataset:tank/data says too whose /tank/data is [V-29]\n"
            "  hint: say it once: there, or at the guests"
        ),
    ),
    "V-30 a shared folder on the system disk": (
        {
            NODE: f"{GUESTS}shared_volume:\n  m: {{path: /srv/m, guests: {{work: {{path: /d}}}}}}\n",
            WORK: CLONE,
        },
        f"{NODE}:12:7: shared_volume:m: `/srv/m` does not lie under a declared dataset's mountpoint [V-30]",
    ),
    "V-01 two guests of one address": (
        {
            WORK: "lxc: {clone: base, net: {eth0: {bridge: vmbr0, ip: 10.0.0.5/24}}}\n",
            OTHER: "lxc:\n  clone: base\n  net: {eth0: {bridge: vmbr0, ip: 10.0.0.5/16}}\n",
        },
        f"{OTHER}:3:31: lxc:951: 10.0.0.5 belongs to eth0 of lxc:950 [V-01]",
    ),
    "V-01 the node's own address": (
        {
            HOSTS: "pve: {hostname: 10.0.0.13}\n",
            WORK: "lxc:\n  clone: base\n  net: {eth0: {bridge: vmbr0, ip: 10.0.0.13/24}}\n",
        },
        f"{WORK}:3:31: lxc:950: 10.0.0.13 belongs to the node `pve` [V-01]",
    ),
    "V-02 two guests of one host name": (
        {WORK: CLONE, OTHER: "lxc:\n  clone: base\n  hostname: Work\n"},
        f"{OTHER}:3:3: lxc:951: the hostname `Work` belongs to lxc:950 [V-02]",
    ),
    "V-02 two interfaces of one MAC": (
        {
            WORK: "lxc: {clone: base, net: {eth0: {bridge: vmbr0, mac: '52:54:00:67:89:B0'}}}\n",
            OTHER: "lxc:\n  clone: base\n  net: {eth0: {bridge: vmbr0, mac: '52:54:00:67:89:b0'}}\n",
        },
        f"{OTHER}:3:31: lxc:951: the MAC 52:54:00:67:89:b0 belongs to eth0 of lxc:950 [V-02]",
    ),
    "V-02 two guests of one number": (
        {WORK: CLONE, "configs/guests/950-x.yaml": CLONE},
        "configs/guests/950-x.yaml:1:1: VMID 950 is taken by the guest `work` [V-02]",
    ),
    "a gateway outside of the network": (
        {WORK: "lxc:\n  clone: base\n  net: {eth0: {bridge: vmbr0, ip: 10.0.0.5/24, gw: 10.0.1.1}}\n"},
        (
            f"{WORK}:3:48: lxc:950: the gateway 10.0.1.1 lies outside of 10.0.0.0/24\n"
            "  hint: nothing would leave through it"
        ),
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_a_rule_refuses_is_said_at_its_place(tmp_path: Path, what: str) -> None:
    files, said = WRONG[what]
    assert found(tmp_path, files) == said


ALLOWED = {
    "the same disk as its layer": {WORK: "lxc: {clone: base, rootfs: {storage: disks, size: 8G}}\n"},
    "one that starts together with what it waits for": {
        WORK: "lxc: {clone: base, startup: {order: 2}, onboot: true}\n",
        OTHER: "lxc: {clone: base, startup: {order: 2}, onboot: true, after: [work]}\n",
    },
    "a storage that Proxmox itself makes": {
        WORK: "lxc: {clone: base, rootfs: {storage: local-lvm, size: 8G}}\n"
    },
    "memory of what does not start with the node": {WORK: "lxc: {clone: base, memory: 64G}\n"},
    "memory that is allowed in writing": {
        SITE: "name: t\nallow: {memory_overcommit: 2}\n",
        WORK: "lxc: {clone: base, memory: 32G, onboot: true}\n",
    },
    "a profile that is declared": {
        NODE: f"{GUESTS}host_file: {{/etc/apparmor.d/lxc-ours: {{content: x}}}}\n",
        WORK: "lxc: {clone: base, apparmor: lxc-ours}\n",
    },
    "one card in two guests": {
        WORK: "lxc: {clone: base, gpus: [gpu0]}\n",
        OTHER: "lxc: {clone: base, gpus: [gpu0]}\n",
    },
    "the same address in another VLAN": {
        WORK: "lxc: {clone: base, net: {eth0: {bridge: vmbr0, ip: 10.0.0.5/24}}}\n",
        OTHER: "lxc: {clone: base, net: {eth0: {bridge: vmbr0, ip: 10.0.0.5/24, tag: 7}}}\n",
    },
    "what is declared absent counts for nothing": {
        WORK: "lxc: {clone: base, net: {eth0: {bridge: vmbr0, ip: 10.0.0.5/24}}, state: absent}\n",
        OTHER: "lxc: {clone: base, net: {eth0: {bridge: vmbr0, ip: 10.0.0.5/24}}}\n",
    },
    "one id of the node for two guests' own": {
        NODE: f"{GUESTS}shared_volume:\n  m: {{path: /tank/data, guests: {{work: {{path: /d, uid: 7}}, "
        "other: {path: /d, uid: 8}}}\n",
        WORK: "lxc: {clone: base, shared_ids: {uids: {7: 1000}}}\n",
        OTHER: "lxc: {clone: base, shared_ids: {uids: {8: 1000}}}\n",
    },
}


@pytest.mark.parametrize("what", ALLOWED)
def test_what_no_rule_forbids(tmp_path: Path, what: str) -> None:
    assert found(tmp_path, ALLOWED[what]) == ""


def test_layers_and_waits_in_a_loop_are_shown_as_a_loop(tmp_path: Path) -> None:
    said = found(
        tmp_path,
        {
            WORK: "lxc: {clone: other}\nlxc_layer: {}\n",
            OTHER: "lxc: {clone: work}\nlxc_layer: {}\n",
        },
    )
    assert "these need each other in a loop: " in said
    assert "lxc:950 → lxc_layer:951 → lxc:951 → lxc_layer:950 → lxc:950 [V-14]" in said


def test_a_card_that_is_not_there_is_said(tmp_path: Path) -> None:
    said = found(tmp_path, {WORK: "lxc:\n  clone: base\n  gpus: [gpu1]\n"})
    assert said.startswith(f"{WORK}:3:")
    assert "gpu1" in said
    assert "[V-36]\n  hint: did you mean `gpu0`?" in said


def test_a_shared_folder_belongs_to_who_owns_it_inside(tmp_path: Path) -> None:
    volume = "  m: {path: /tank/data/m, guests: {work: {path: /d, uid: 7, gid: 8}}}\n"
    node = f"{GUESTS}shared_volume:\n{volume}"
    for guest, owner in {
        CLONE: {"owner": "100007", "group": "100008"},
        "lxc: {clone: base, shared_ids: {uids: {7: 1000}}}\n": {"owner": "1000", "group": "100008"},
    }.items():
        site = loaded(tmp_path / owner["owner"], {**FILES, NODE: node, WORK: guest})
        volume = site.resources[Ref("pve", "shared_volume", "m")]
        assert volume.access == owner
        assert Ref("pve", "shared_volume", "m") in site.needs[Ref("pve", "lxc", "950")]
        assert Ref("pve", "lxc", "950") not in site.needs[Ref("pve", "shared_volume", "m")]


def test_of_a_guest_that_shall_not_be_nothing_else_is_wanted(tmp_path: Path) -> None:
    there = LAYER + "host_file: {/etc/x: {content: x}}\n"
    site = loaded(tmp_path, {NODE: GUESTS, BASE: there})
    assert [ref.kind for ref in site.of_guest("base")] == ["lxc", "host_file", "lxc_layer"]
    site = loaded(tmp_path, {NODE: GUESTS, BASE: there.replace("lxc: {", "lxc: {state: absent, ")})
    assert site.of_guest("base") == [Ref("pve", "lxc", "900")]
