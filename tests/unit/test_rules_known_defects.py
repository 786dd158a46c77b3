"""Defects that real configurations had: each is told with its id, and what is right is not talked about."""

import re
from pathlib import Path

import pytest
from tests.unit.site_files import HOSTS, NODE, SITE, loaded, problems

HARDWARE = """\
hardware:
  gpus: {gpu0: {pci: "0000:01:00.0", memory: 48G}}
  disks: {a: {id: d1, size: 1T}, b: {id: d2, size: 1T}}
zfs_pool: {tank: {vdevs: [{type: mirror, disks: [d1, d2]}]}}
pve_storage:
  disks: {type: zfspool, pool: tank/disks, content: [rootdir]}
  iso: {type: dir, path: /tank/iso, content: [iso, vztmpl]}
ct_template: {base: {storage: iso, file: base_1_amd64.tar.zst}}
nvidia_driver: {version: 580.76.05, sha256: "%s"}
"""
HARDWARE %= "0" * 64
DATASETS = "zfs_dataset: {tank/disks: {}, tank/data: {}, tank/iso: {}%s}\n"
GOOD = HARDWARE + DATASETS % ""
APP, DNS = "configs/guests/950-app.yaml", "configs/guests/951-names.yaml"
ROOTFS = "template: base, rootfs: {storage: disks, size: 8G}"
LXC = f"lxc: {{{ROOTFS}, %s}}\n"
PLAIN = f"lxc: {{{ROOTFS}}}\n"
IP = "net: {eth0: {bridge: vmbr0, ip: %s/24}}"
FILES = {NODE: GOOD, HOSTS: "pve: {hostname: 10.0.0.13}\n", APP: PLAIN}
WITH_DNS = {DNS: LXC % IP % "10.0.0.53", APP: LXC % "nameserver: [10.0.0.53]"}
DIGEST = "x/y:1@sha256:" + "0" * 64
DOCKER = "features: {nesting: true, keyctl: true}"
ENGINE = 'docker_engine: {packages: {docker-ce: "5:28.5.2-1"}}\n'
COMPOSE = LXC % DOCKER + ENGINE + "compose_app:\n  web: {services: {a: {image: '%s', %s}}%s}\n"
VLLM = LXC % "gpus: [gpu0], mounts: {/models: {storage: disks, size: 1G}}" + "vllm_server: {%s: {%s}}\n"
DRIVER = "nvidia_userland: {}\n"

WRONG = {
    "V-03 a key that nobody knows": (
        {APP: LXC % "memroy: 1G"},
        f"{APP}:1:59: lxc:950: unknown key `memroy` [V-03]\n  hint: did you mean `memory`?",
    ),
    "V-03 an option that vLLM does not have": (
        {APP: VLLM % ("chat", "model: org/m, arguments: {max-modle-len: 1}")},
        "vllm_server:chat: `arguments`: vLLM knows no option `max-modle-len`: did you mean",
    ),
    "V-04 a node's section in a guest": (
        {APP: PLAIN + "hardware: {}\n"},
        f"{APP}:2:1: unknown key `hardware` [V-04]\n  hint: `hardware` belongs into configs/nodes/",
    ),
    "V-04 a setting beside its section": (
        {APP: PLAIN + "memory: 1G\n"},
        f"{APP}:2:1: unknown key `memory` [V-04]\n  hint: `memory` belongs below `lxc`",
    ),
    "V-04 a setting of a part outside of it": (
        {APP: LXC % "bridge: vmbr0"},
        f"{APP}:1:59: lxc:950: unknown key `bridge` [V-04]\n  hint: `bridge` belongs to `net.NAME`",
    ),
    "V-04 a kind of the node's in a guest": (
        {APP: PLAIN + "zfs_arc: {max: 1G}\n"},
        f"{APP}:2:1: `zfs_arc` does not belong to a guest [V-04]",
    ),
    "V-05 a resource whose name cannot be": (
        {NODE: GOOD + "timezone: Europe/Berlin\nsysctl: {'vm swappiness': {value: 1}}\n"},
        "[V-05]",
    ),
    "V-05 a name within settings that cannot be": (
        {APP: LXC % "raw: {lxc.Net: [a]}"},
        f"{APP}:1:65: lxc:950: `raw.lxc.Net` string should match pattern '^lxc\\.[a-z0-9_.-]+$' [V-05]",
    ),
    "V-06 a profile that there is not": (
        {APP: "profiles: [gpus]\n" + PLAIN},
        f"{APP}:1:12: guest `950-app`: no profile `gpus` [V-06]",
    ),
    "V-09 a text that there is not": (
        {APP: PLAIN + "host_file: {/srv/x: {content: !file run.sh}}\n"},
        f"{APP}:2:31: no file `run.sh` [V-09]",
    ),
    "V-18 a dataset beside its double": (
        {NODE: HARDWARE + DATASETS % ", tank/tank-iso: {}"},
        f"{NODE}:10:60: warning: zfs_dataset:tank/tank-iso: it is zfs_dataset:tank/iso once more [V-18]",
    ),
    "V-21 a raw value of two lines": (
        {APP: LXC % 'raw: {lxc.mount.auto: ["proc:rw\\nsys:rw"]}'},
        "cannot be written as a line of a container's conf file [V-21]",
    ),
    "V-22 a raw key that Proxmox drops": (
        {APP: LXC % "raw: {lxc.network.type: [veth]}"},
        "has another name today: see lxc.container.conf(5) [V-22]",
    ),
    "V-23 a profile said twice": (
        {APP: LXC % "apparmor: unconfined, raw: {lxc.apparmor.profile: [unconfined]}"},
        "lxc:950: the profile is said twice: `apparmor` and `raw` lxc.apparmor.profile [V-23]",
    ),
    "V-23 nesting for who is unconfined": (
        {APP: LXC % "apparmor: unconfined, raw: {lxc.apparmor.allow_nesting: [1]}"},
        "lxc:950: `raw` lxc.apparmor.allow_nesting does nothing: the container is unconfined [V-23]",
    ),
    "V-37 a driver without a card": (
        {APP: PLAIN + DRIVER},
        f"{APP}:1:1: warning: lxc:950: `app` has NVIDIA's libraries, and `app` no card [V-37]",
    ),
    "V-37 a layer's driver without a card": (
        {DNS: PLAIN + "lxc_layer: {}\n" + DRIVER, APP: "lxc: {clone: names}\n"},
        f"{APP}:1:7: warning: lxc:950: `names` has NVIDIA's libraries, and `app` no card [V-37]",
    ),
    "V-38 another address than a guest's own": (
        {APP: LXC % IP % "10.0.0.50", NODE: GOOD + "hosts_entry: {10.0.0.51: {names: [app]}}\n"},
        f"{NODE}:11:27: hosts_entry:10.0.0.51: `app` is 10.0.0.51 here, and 10.0.0.50 in its own file [V-38]",
    ),
    "V-38 another address than the node's": (
        {APP: PLAIN + "hosts_entry: {10.0.0.14: {names: [pve]}}\n"},
        "hosts_entry:10.0.0.14: `pve` is 10.0.0.14 here, and 10.0.0.13 in its own file [V-38]",
    ),
    "V-38 two addresses of one name": (
        {APP: PLAIN + "hosts_entry: {10.0.0.8: {names: [nas]}, 10.0.0.9: {names: [nas]}}\n"},
        "hosts_entry:10.0.0.9: `nas` is 10.0.0.8 in another line of the same file [V-38]",
    ),
    "V-38 an option that is a field": (
        {APP: VLLM % ("chat", "model: org/m, arguments: {max-model-len: 1}")},
        "`arguments`: `max-model-len` has a field of its own: `max_model_len` [V-38]",
    ),
    "V-39 a profile that nobody names": (
        {"configs/profiles/spare.yaml": "{}\n"},
        "configs/profiles/spare.yaml:1:1: warning: no node or guest names the profile `spare` [V-39]",
    ),
    "V-39 an allowance for nobody": (
        {SITE: "name: test\nallow: {literals: ['zfs_pool:tnak']}\n"},
        (
            f"{SITE}:2:20: warning: `allow.literals`: there is no `zfs_pool:tnak` [V-39]\n"
            "  hint: did you mean `zfs_pool:tank`?"
        ),
    ),
    "V-41 an image without a digest": (
        {APP: COMPOSE % ("x/y:latest", "command: a", "")},
        "compose_app:web: service `a`: `image` must name a digest: `name:tag@sha256:…` [V-41]",
    ),
    "V-41 another kind's image without one": (
        {APP: LXC % DOCKER + ENGINE + "qdrant: {image: 'qdrant/qdrant:latest'}\n"},
        "[V-41]",
    ),
    "V-42 a guest that answers nobody": (
        WITH_DNS,
        f"{APP}:1:59: lxc:950: 10.0.0.53 is `names`, and nothing there answers for names [V-42]",
    ),
    "V-42 a node that answers nobody": (
        {APP: LXC % "nameserver: [10.0.0.13]"},
        "lxc:950: 10.0.0.13 is `pve`, and nothing there answers for names [V-42]",
    ),
    "V-43 a variable without a value": (
        {APP: COMPOSE % (DIGEST, "environment: {KEY: '${KEY}'}", "")},
        "compose_app:web: `env` has no value for `KEY`, which the services name [V-43]",
    ),
    "V-43 a volume that is not declared": (
        {APP: COMPOSE % (DIGEST, "volumes: ['data:/data', '/srv/x:/x']", "")},
        "compose_app:web: service `a`: `volumes` of the app has no `data` [V-43]",
    ),
    "V-43 a network that is not declared": (
        {APP: COMPOSE % (DIGEST, "networks: [default, inner]", "")},
        "compose_app:web: service `a`: `networks` of the app has no `inner` [V-43]",
    ),
    "V-43 a volume of somebody who is not there": (
        {APP: COMPOSE % (DIGEST, "volumes: ['data:/data']", ", volumes: {data: {external: true}}")},
        f"{APP}:4:149: compose_app:web: no app of `app` brings `data` [V-43]",
    ),
    "V-44 a key twice": (
        {APP: PLAIN + PLAIN},
        f"{APP}:2:1: `lxc` stands here twice [V-44]\n  hint: the first is at line 1",
    ),
    "V-44 a guest of two sorts": (
        {APP: PLAIN + "vm: {}\n"},
        "guest `app` has both lxc and vm [V-44]",
    ),
    "V-45 a file of the node's": (
        {APP: LXC % "ready: {command: sh /tank/data/check.sh}"},
        f"{APP}:1:67: lxc:950: `/tank/data/check.sh` is the node's, and the command is run in `app` [V-45]",
    ),
    "V-47 a guest's name that is none of a host": (
        {"configs/guests/952-My_App.yaml": PLAIN},
        "configs/guests/952-My_App.yaml:1:1: `952-My_App` is no guest's name [V-47]",
    ),
    "V-47 a host name that is none": ({APP: LXC % "hostname: my_app"}, "[V-47]"),
    "V-48 another family": (
        {APP: VLLM % ("granite-3b", "model: Qwen/Qwen3-4B")},
        "2:28: warning: vllm_server:granite-3b: it is called `granite-3b`, and serves Qwen/Qwen3-4B [V-48]",
    ),
    "V-48 another size": (
        {APP: VLLM % ("chat", "model: Qwen/Qwen3-4B-FP8, served_name: qwen-8b")},
        "vllm_server:chat: it is called `qwen-8b`, and serves Qwen/Qwen3-4B-FP8 [V-48]",
    ),
    "V-48 another task": (
        {APP: VLLM % ("embedder", "model: Qwen/Qwen3-4B")},
        "vllm_server:embedder: it is called `embedder`, and serves Qwen/Qwen3-4B [V-48]",
    ),
}
RIGHT = {
    "a name server that serves names": {
        **WITH_DNS,
        DNS: LXC % IP % "10.0.0.53" + "apt_package: {dnsmasq: {}}\n",
    },
    "a name server in Docker": {
        **WITH_DNS,
        DNS: (COMPOSE % (DIGEST, "ports: ['53:53/udp']", "")).replace(
            DOCKER, f"{DOCKER}, {IP % '10.0.0.53'}"
        ),
    },
    "a name server that a firewall speaks of": {
        **WITH_DNS,
        DNS: LXC % (IP % "10.0.0.53").replace("ip:", "firewall: true, ip:")
        + "firewall_guest: {expose: {53/udp: any}}\n",
        NODE: GOOD + "firewall_cluster: {}\nfirewall_node: {}\n",
    },
    "somebody else's name server": {APP: LXC % "nameserver: [10.0.0.1, 9.9.9.9]"},
    "an address that is said alike, and one's own": {
        APP: LXC % IP % "10.0.0.50" + "hosts_entry: {127.0.1.1: {names: [app]}, 10.0.0.13: {names: [pve]}}\n",
        NODE: GOOD + "hosts_entry: {10.0.0.50: {names: [app]}, '::5': {names: [app]}}\n",
    },
    "a volume that another app brings": {
        APP: COMPOSE
        % (DIGEST, "volumes: ['data:/data']", ", volumes: {data: {external: true, name: other_d}}")
        + f"  other: {{services: {{b: {{image: '{DIGEST}', volumes: ['d:/d']}}}}, volumes: {{d: {{}}}}}}\n"
    },
    "a file of the guest's, and a folder of the node's that is mounted": {
        NODE: GOOD + "shared_volume: {s: {path: /tank/data, guests: {app: {path: /tank/data}}}}\n",
        APP: LXC % "ready: {command: /tank/data/check.sh && test -e /srv/x && /usr/bin/true}"
        + "host_file: {/srv/x: {content: x}}\n",
    },
    "cards, and layers without": {
        DNS: PLAIN + "lxc_layer: {}\n" + DRIVER,
        APP: "lxc: {clone: names, gpus: [gpu0]}\n",
    },
    "names that speak of what is served": {
        APP: VLLM % ("qwen-chat", "model: Qwen/Qwen2.5-7B-Instruct-AWQ, served_name: qwen2.5-7b")
    },
    "nesting for who is confined": {APP: LXC % "raw: {lxc.apparmor.allow_nesting: [1]}"},
}


def told(folder: Path, files: dict[str, str]) -> str:
    """What is wrong with a site, or else its warnings."""
    return problems(folder, files) or "\n".join(str(one) for one in loaded(folder, files).warnings)


@pytest.mark.parametrize("what", WRONG)
def test_a_known_defect_is_told_with_its_id_and_place(tmp_path: Path, what: str) -> None:
    files, said = WRONG[what]
    found = told(tmp_path, {**FILES, **files})
    assert said in found
    assert re.search(rf"^configs/[^:]+:\d+:\d+: .*\[{what[:4]}\]$", found, re.MULTILINE), found


@pytest.mark.parametrize("what", RIGHT)
def test_what_is_right_is_not_talked_about(tmp_path: Path, what: str) -> None:
    ids = {"V-37", "V-38", "V-42", "V-43", "V-45", "V-48", "V-23"}
    files = {**FILES, **RIGHT[what]}
    warnings = loaded(tmp_path, files).warnings
    assert [str(one) for one in warnings if one.rule in ids] == []
