"""Files in the predecessor's shapes: a small good site, and one in which every rule finds something."""

import json
from typing import Any

from phoenix_hypervisor.adopt.legacy.importing import Imported, imported
from phoenix_hypervisor.adopt.legacy.source import File, concealed, sort_of
from phoenix_hypervisor.config.json_reader import read_json

NODE = "phoenix_hypervisor_config.json"
CONTAINERS = "phoenix_lxc_configs.json"
MACHINES = "phoenix_vm_configs.json"
STACKS = "phoenix_stacks_config.json"


def container(number: int, **more: Any) -> dict[str, Any]:
    return {
        "name": f"guest-{number}",
        "memory_mb": 512,
        "cores": 2,
        "storage_pool": "tank-lxc",
        "storage_size_gb": 16,
        "network_config": {
            "name": "eth0",
            "bridge": "vmbr0",
            "ip": f"10.0.0.{number - 700}/24",
            "gw": "10.0.0.1",
        },
        "mac_address": f"52:54:00:00:{number // 100:02d}:{number % 100:02d}",
        "gpu_assignment": "none",
        "unprivileged": True,
        **more,
    }


def dataset(name: str, sort: str, content: str, quota: str = "100G") -> dict[str, Any]:
    return {
        "name": name,
        "pool": "tank",
        "properties": f"recordsize=128K,quota={quota}",
        "proxmox_storage_type": sort,
        "proxmox_content_type": content,
    }


def good() -> dict[str, Any]:
    """A site in which only what the files cannot say is left to decide: nothing."""
    return {
        NODE: {
            "timezone": "Europe/Berlin",
            "network": {"interfaces": {"name": "vmbr0", "address": "10.0.0.2/24", "gateway": "10.0.0.1"}},
            "zfs": {
                "arc_max_gb": 4,
                "pools": [
                    {"name": "tank", "raid_level": "single", "disks": ["/dev/disk/by-id/ata-EXAMPLE_2TB_1"]}
                ],
                "datasets": [dataset("lxc", "zfspool", "rootdir"), dataset("iso", "dir", "iso,vztmpl")],
            },
            "nfs": {
                "exports": [{"path": "/tank/iso", "clients": ["10.0.0.0/24"], "options": ["ro", "sync"]}]
            },
        },
        CONTAINERS: {
            "lxc_configs": {
                "900": container(
                    900,
                    name="base",
                    template="/tank/iso/template/cache/ubuntu-24.04-standard_24.04-2_amd64.tar.zst",
                    template_snapshot_name="done",
                    start_at_boot=False,
                ),
                **{
                    str(number): container(number, clone_from_ctid="900", start_at_boot=True, boot_order=2)
                    for number in (910, 911, 912)
                },
            }
        },
    }


def with_machines(**more: Any) -> dict[str, Any]:
    """The good site with a template and a machine that is a clone of it; `more` is said of that one."""
    own = good()
    own[NODE]["zfs"]["datasets"].append(dataset("vm", "zfspool", "images"))
    own[MACHINES] = {
        "vm_defaults": {"template": "ubuntu-24.04-standard", "cores": 4, "storage_pool": "tank-vm"},
        "vms": [
            {
                "vmid": 9000,
                "name": "Noble Template",
                "is_template": True,
                "template_image": "noble-server-cloudimg-amd64.img",
                "network_config": {"ip": "dhcp"},
            },
            {
                "vmid": 8001,
                "name": "Desktop",
                "clone_from_vmid": 9000,
                "memory_mb": 2048,
                "disk_size_gb": 20,
                "network_bridge": "vmbr0",
                "network_config": {"ip": "10.0.0.81/24", "gw": "10.0.0.1"},
                "user_config": {"username": "ann"},
                **more,
            },
        ],
    }
    return own


def run(files: dict[str, Any], memory: int | None = 65536) -> Imported:
    """Import files that are given as Python values."""
    problems: list[Any] = []
    trees = {name: read_json(json.dumps(value, indent=1), name, problems) for name, value in files.items()}
    assert problems == []
    whole = concealed({name: tree for name, tree in trees.items() if tree is not None})
    return imported([File(name, sort_of(tree), tree) for name, tree in whole.items()], memory)


def leaves(value: Any) -> int:
    """Count the leaves, in another way than the import does."""
    if isinstance(value, dict | list) and value:
        return sum(map(leaves, value.values() if isinstance(value, dict) else value))
    return 1


def everything_wrong() -> dict[str, Any]:
    """Each rule finds something here."""
    test = {"name": "x", "type": "script"}
    rule = {"type": "in", "action": "ACCEPT", "proto": "tcp", "port": "80"}
    return {
        NODE: {
            "version": "1.0.0",
            "docker": {"portainer_server_image": "portainer/portainer-ce:latest"},
            "network": {
                "interfaces": {"address": "10.0.0.2/24", "dns_nameservers": ["10.0.0.210"]},
                "nfs_server": "10.0.0.2",
            },
            "mount_point_base": "/mnt/pve",
            "zfs": {
                "pools": [{"name": "tank", "raid_level": "mirror", "disks": ["ata-A_1TB_1", "ata-A_1TB_2"]}],
                "datasets": [
                    dataset("lxc", "zfspool", "rootdir", "900G"),
                    dataset("iso", "dir", "iso,vztmpl", "500G"),
                    dataset("tank-iso", "dir", "iso,vztmpl"),
                ],
            },
            "proxmox_storage_ids": {"tank_elsewhere": "tank-lxc"},
            "nfs": {"exports": [{"path": "/tank/iso", "clients": ["10.0.0.0/24"], "options": ["ro"]}]},
            "samba": {"shares": [{"name": "a", "path": "tank/iso"}, {"name": "b", "path": "tank/none"}]},
            "shared_volumes": {
                "models": {"host_path": "/mnt/pve/tank/lxc/m", "mounts": {"799": "/m", "911": "/models"}},
                "firewall": {"enabled": True},
            },
            "tests": {"health_.check": []},
            "vm_defaults": {"ubuntu_release": "noble"},
        },
        CONTAINERS: {
            "lxc_configs": {
                "900": container(
                    900,
                    template="/tank/iso/template/cache/a_1_amd64.tar.zst",
                    template_snapshot_name="done",
                    features=["nvidia"],
                    dependencies=["911"],
                ),
                "910": container(
                    910,
                    clone_from_ctid="900",
                    features=["nvidia", "docker", "flying"],
                    lxc_options=["lxc.mount.entry=a b", "lxc.cap.keep=mknod"],
                    apparmor_profile="unconfined",
                    ports=["80:80"],
                    start_at_boot=True,
                    application_script="phoenix_hypervisor_lxc_799.sh",
                    storage_size_gb=8,
                    health_check={"command": "/usr/local/phoenix_hypervisor/bin/x.sh"},
                ),
                "911": container(
                    911,
                    clone_from_ctid="900",
                    gpu_assignment="0",
                    start_at_boot=True,
                    name="granite",
                    vllm_model="example/embed-1",
                    vllm_model_type="embedding",
                    memory_mb=90000,
                    dependencies=["910", "798"],
                    boot_order=1,
                    tests={
                        "health_checks": [
                            {**test, "path": "dummy_fail.sh"},
                            {**test, "path": "vllm/test_vllm_responsiveness.py"},
                        ]
                    },
                    volumes=[{"name": "m", "pool": "tank-lxc", "size_gb": 5, "mount_point": "/models"}],
                    firewall={"enabled": True, "rules": [rule, rule, {**rule, "source": "10.9.9.9"}]},
                ),
                "912": container(
                    912,
                    name="GRANITE",
                    gpu_assignment="0",
                    start_at_boot=True,
                    dependencies=["913"],
                    traefik_service={"name": "x", "port": 1},
                ),
                "913": container(913, dependencies=["912"]),
            }
        },
        MACHINES: {
            "vm_defaults": {"cores": 2},
            "vms": [
                {
                    "vmid": 8000,
                    "name": "image",
                    "is_template": True,
                    "template_image": "noble.img",
                    "network_config": {"ip": "10.0.0.210/24"},
                }
            ],
        },
        STACKS: {
            "docker_stacks": {
                "app": {
                    "labels": ["traefik.http.routers.app.entrypoints=websecure"],
                    "variables": [{"name": "DATABASE_PASS", "value": "correct-horse-battery"}],
                }
            }
        },
    }


def wrong_before() -> dict[str, Any]:
    """What only September's files could have: vLLM without what its script asked for."""
    return {CONTAINERS: {"lxc_configs": {"950": container(950, features=["vllm"])}}}
