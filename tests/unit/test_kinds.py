"""What each kind does about each single difference, and what no kind ever does."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from tests.unit.site_files import cases, sample_sets

from phoenix_hypervisor import registry
from phoenix_hypervisor.config import load
from phoenix_hypervisor.render import Renderer, render
from phoenix_hypervisor.resource import (
    CREATE,
    REMOVE,
    Change,
    Difference,
    Kind,
    Ref,
    Refusal,
    Step,
)
from phoenix_hypervisor.secrets import Secret

REPOSITORY = Path(__file__).resolve().parents[2]
STEPS = cases("kind_steps")
KINDS = list(registry.homes())


def resource(kind: str, name: str, settings: dict) -> Kind:
    return registry.kind(kind).model_validate({**settings, "name": name})


def described(step: Step | Refusal) -> str:
    """A step in one line: what it does, then whatever is not the usual."""
    if isinstance(step, Refusal):
        return f"! {step.attribute}: {step.reason}"
    artifact = step.push or step.execute
    words = [f"fetch {fetch.url} to {fetch.file}" for fetch in step.fetch]
    words += [f"{'push' if step.push else 'run'} {artifact.path}"] if artifact else []
    words += [shlex.join(step.argv)] if step.argv else []
    words += [shlex.join(step.arguments)] if step.arguments else []
    words += [f"< {str(step.stdin)!r}"] if step.stdin else []
    words += [f"[{step.effect}]"] if step.effect else []
    words += ["(once)"] if step.once else []
    words += ["(checked)"] if step.check else []
    words += [f"(then reload {step.pending})"] if step.pending else []
    words += [f"(interrupts {step.interrupts})"] if step.interrupts else []
    words += [f"(holds {', '.join(step.locks)})"] if step.locks else []
    words += [f"destroys {step.destroys}"] if step.destroys else []
    return " ".join(words)


def change_of(written: dict | str) -> Change:
    if isinstance(written, str):
        return {"create": CREATE, "remove": REMOVE}[written]
    return Change({name: Difference(*sides) for name, sides in written.items()})


@pytest.mark.parametrize("what", STEPS)
def test_a_single_difference_gives_exactly_these_steps(what: str) -> None:
    text, expected = STEPS[what]
    case = YAML(typ="safe", pure=True).load(text.replace("!secret", ""))
    (kind, declared), *_ = [(key, value) for key, value in case.items() if key != "change"]
    (name, settings), *_ = declared.items()
    for field, declared_field in registry.kind(kind).model_fields.items():
        if field in settings and declared_field.annotation in (Secret, Secret | None):
            settings[field] = Secret(settings[field])
    if "values" in settings:
        settings["values"] = {key: Secret(name) for key, name in settings["values"].items()}
    one = resource(kind, name, settings)
    steps = [described(step) for step in one.converge(change_of(case["change"]))]
    assert "\n".join(steps) == expected
    assert steps == [described(step) for step in one.converge(change_of(case["change"]))]


REMOVALS = {
    ("locale", "pve"): [
        "run /var/lib/phoenix/scripts/locale/put-back.sh /var/lib/phoenix/made/locale/default"
    ],
    ("nvidia_userland", "chat"): [
        (
            "run /var/lib/phoenix/scripts/nvidia_userland/remove.sh "
            "/var/lib/phoenix/made/nvidia_userland/libraries"
        )
    ],
    ("python_environment", "/opt/x"): [
        (
            "run /var/lib/phoenix/scripts/python_environment/remove.sh "
            "/opt/x /opt/.x- /var/lib/phoenix/made/python_environment/opt-x"
        )
    ],
    ("docker_engine", "pve"): [
        (
            "run /var/lib/phoenix/scripts/docker_engine/remove.sh /var/lib/phoenix/made/docker_engine/engine "
            "/var/lib/phoenix/kept/docker_engine/daemon.json [restart] (interrupts docker)"
        )
    ],
    ("nvidia_container_toolkit", "chat"): [
        (
            "run /var/lib/phoenix/scripts/nvidia_container_toolkit/remove.sh "
            "/var/lib/phoenix/made/nvidia_container_toolkit/toolkit "
            "/var/lib/phoenix/kept/nvidia_container_toolkit/daemon.json [restart] (interrupts docker)"
        )
    ],
    ("compose_app", "web"): [
        (
            "run /var/lib/phoenix/scripts/compose_app/down.sh web /srv/phoenix/web "
            "/var/lib/phoenix/made/compose_app/web volumes [restart] (interrupts the containers of web) "
            "destroys the volumes of the app web, if it has any"
        )
    ],
    ("qdrant", "store"): [
        (
            "run /var/lib/phoenix/scripts/qdrant/down.sh qdrant /srv/phoenix/qdrant "
            "/var/lib/phoenix/made/qdrant/qdrant [restart] (interrupts the containers of qdrant)"
        )
    ],
    ("firewall_cluster", "pve"): [
        (
            "run /var/lib/phoenix/scripts/firewall_cluster/put.sh remove /etc/pve/firewall/cluster.fw "
            "firewall_cluster [reload] (holds firewall)"
        )
    ],
    ("firewall_node", "pve"): [
        (
            "run /var/lib/phoenix/scripts/firewall_node/put.sh remove /etc/pve/local/host.fw firewall_node "
            "[reload] (holds firewall)"
        )
    ],
    ("firewall_guest", "950"): [
        (
            "run /var/lib/phoenix/scripts/firewall_guest/put.sh remove /etc/pve/firewall/950.fw "
            "firewall_guest:950 [reload] (holds firewall)"
        )
    ],
    ("backup_job", "nightly"): [
        "pvesh delete /cluster/backup/nightly",
        "rm -f /var/lib/phoenix/made/backup_job/nightly",
    ],
    ("apt_package", "jq"): [
        "run /var/lib/phoenix/scripts/apt_package/remove.sh jq /var/lib/phoenix/made/apt_package/jq"
    ],
    ("apt_repository", "x"): [
        "rm -f /etc/apt/sources.list.d/phoenix-x.sources",
        (
            "run /var/lib/phoenix/scripts/apt_repository/put-back.sh /var/lib/phoenix/made/apt_repository/x "
            "/var/lib/phoenix/kept/apt_repository/x"
        ),
    ],
    ("hostname", "pve"): ["run /var/lib/phoenix/scripts/hostname/put-back.sh"],
    ("hosts_entry", "2001:db8::1"): [
        "run /var/lib/phoenix/scripts/hosts_entry/remove.sh /var/lib/phoenix/made/hosts_entry/2001_db8__1"
    ],
    ("kernel_module", "kvm"): [
        "rm -f /etc/modules-load.d/phoenix-kvm.conf /etc/modprobe.d/zz-phoenix-module-kvm.conf",
        "update-initramfs -u -k all (once)",
    ],
    ("kernel_cmdline", "iommu"): ["run /var/lib/phoenix/scripts/kernel_cmdline/words.sh remove iommu"],
    ("vfio_device", "0000:10:00.0"): [
        (
            "sh -c 'systemctl disable phoenix-vfio-0000.10.00.0.service && "
            "rm -f /etc/systemd/system/phoenix-vfio-0000.10.00.0.service && systemctl daemon-reload'"
        )
    ],
    ("logrotate", "x"): ["rm -f /etc/logrotate.d/phoenix-x"],
    ("nfs_mount", "/mnt/a-b"): [
        (
            "run /var/lib/phoenix/scripts/nfs_mount/remove.sh "
            r"'/var/lib/phoenix/made/nfs_mount/mnt-a\x2db.mount' '/var/lib/phoenix/pending/mnt-a\x2db.mount' "
            r"'mnt-a\x2db.mount' [restart] (interrupts the service mnt-a\x2db.mount)"
        )
    ],
    ("systemd_unit", "x.service"): [
        (
            "run /var/lib/phoenix/scripts/systemd_unit/remove.sh "
            "/var/lib/phoenix/made/systemd_unit/x.service /var/lib/phoenix/pending/x.service "
            "x.service [restart] (interrupts the service x.service)"
        )
    ],
    ("vllm_server", "chat"): [
        (
            "run /var/lib/phoenix/scripts/vllm_server/remove.sh /var/lib/phoenix/made/vllm_server/chat "
            "/var/lib/phoenix/pending/phoenix-vllm-chat.service phoenix-vllm-chat.service [restart] "
            "(interrupts the service phoenix-vllm-chat.service)"
        ),
        "rm -f /etc/phoenix/vllm-chat.environment",
    ],
    ("ollama", "web"): [
        (
            "run /var/lib/phoenix/scripts/ollama/remove.sh /var/lib/phoenix/made/ollama/server "
            "/var/lib/phoenix/pending/ollama.service ollama.service [restart] "
            "(interrupts the service ollama.service)"
        ),
    ],
    ("network_interface", "vmbr0.20"): [
        "run /var/lib/phoenix/scripts/network_interface/put.sh remove vmbr0.20 (holds network)",
        "run /var/lib/phoenix/scripts/network_interface/put.sh load [reload] (once) (holds network)",
    ],
    ("ntp", "pve"): [
        (
            "sh -ec '[ ! -e /etc/chrony/sources.d/phoenix.sources ] || "
            "{ rm -f /etc/chrony/sources.d/phoenix.sources && chronyc reload sources; }\n"
            "[ ! -e /etc/systemd/timesyncd.conf.d/zz-phoenix.conf ] || "
            "{ rm -f /etc/systemd/timesyncd.conf.d/zz-phoenix.conf && "
            "systemctl try-restart systemd-timesyncd; }' [reload]"
        )
    ],
    ("sysctl", "net.ipv4.conf.eth0/1.rp_filter"): [
        "rm -f /etc/sysctl.d/zz-phoenix-net.ipv4.conf.eth0%1.rp_filter.conf"
    ],
    ("timezone", "pve"): ["run /var/lib/phoenix/scripts/timezone/put-back.sh"],
    ("nvidia_driver", "pve"): [
        ("run /var/lib/phoenix/scripts/nvidia_driver/remove.sh /var/lib/phoenix/made/nvidia_driver/driver")
    ],
    ("nfs_export", "/tank/a b"): [
        "rm -f /etc/exports.d/phoenix-tank.a%20b.exports",
        "exportfs -ra [reload] (once)",
    ],
    ("pve_storage", "tank-iso"): [
        "pvesm remove tank-iso",
        "rm -f /var/lib/phoenix/made/pve_storage/tank-iso",
    ],
    ("ct_template", "base"): [
        (
            "run /var/lib/phoenix/scripts/ct_template/remove.sh /var/lib/phoenix/made/ct_template/base "
            "destroys the archives that were fetched for base"
        )
    ],
    ("host_file", "/etc/x.conf"): [
        (
            "run /var/lib/phoenix/scripts/host_file/remove.sh /etc/x.conf "
            "/var/lib/phoenix/made/host_file/etc.x%2Econf "
            "/var/lib/phoenix/kept/host_file/etc.x%2Econf [reload]"
        )
    ],
    ("prometheus_exporter", "node"): [
        (
            "run /var/lib/phoenix/scripts/prometheus_exporter/remove.sh "
            "/var/lib/phoenix/made/prometheus_exporter/node "
            "/var/lib/phoenix/pending/prometheus-node-exporter.service prometheus-node-exporter.service "
            "[restart] (interrupts the service prometheus-node-exporter.service)"
        )
    ],
    ("prometheus_server", "monitoring"): [
        (
            "run /var/lib/phoenix/scripts/prometheus_server/remove.sh "
            "/var/lib/phoenix/made/prometheus_server/server /var/lib/phoenix/pending/prometheus.service "
            "prometheus.service [restart] (interrupts the service prometheus.service)"
        ),
        (
            "rm -f /etc/prometheus/phoenix.yml /etc/prometheus/phoenix-rules.yml "
            "/var/lib/phoenix/pending/prometheus"
        ),
    ],
    ("journal_receiver", "monitoring"): [
        (
            "systemctl disable --now systemd-journal-remote.service systemd-journal-remote.socket [restart] "
            "(interrupts the service systemd-journal-remote.service)"
        ),
        (
            "run /var/lib/phoenix/scripts/journal_receiver/remove.sh "
            "/var/lib/phoenix/made/journal_receiver/receiver "
            "/var/lib/phoenix/pending/systemd-journal-remote.service systemd-journal-remote.service "
            "[restart] (interrupts the service systemd-journal-remote.service)"
        ),
        (
            "rm -f /etc/systemd/journal-remote.conf.d/zz-phoenix.conf "
            "/etc/tmpfiles.d/phoenix-journal-remote.conf"
        ),
    ],
    ("journal_sender", "chat"): [
        (
            "systemctl disable --now systemd-journal-upload.service [restart] "
            "(interrupts the service systemd-journal-upload.service)"
        ),
        (
            "run /var/lib/phoenix/scripts/journal_sender/remove.sh "
            "/var/lib/phoenix/made/journal_sender/sender "
            "/var/lib/phoenix/pending/systemd-journal-upload.service systemd-journal-upload.service "
            "[restart] (interrupts the service systemd-journal-upload.service)"
        ),
    ],
    ("nginx_gateway", "gateway"): ["run /var/lib/phoenix/scripts/nginx_gateway/remove.sh [reload]"],
    ("lxc", "950"): [
        (
            "run /var/lib/phoenix/scripts/lxc/destroy.sh 950 keep [restart] (interrupts lxc:950) "
            "(holds conf:950, clone:950) destroys lxc:950: its root file system"
        )
    ],
    ("lxc_layer", "900"): [
        (
            "run /var/lib/phoenix/scripts/lxc_layer/unseal.sh 900 /var/lib/phoenix/made/lxc_layer/900 "
            "(holds clone:900, conf:900)"
        )
    ],
    ("vm", "8001"): [
        (
            "run /var/lib/phoenix/scripts/vm/destroy.sh 8001 keep [restart] (interrupts vm:8001) "
            "(holds conf:8001, clone:8001) destroys vm:8001: the disk it starts from"
        )
    ],
    ("vm_image", "ubuntu"): [
        (
            "run /var/lib/phoenix/scripts/vm_image/remove.sh ubuntu /var/lib/phoenix/made/vm_image/ubuntu "
            "destroys the template of ubuntu"
        )
    ],
    ("shared_volume", "models"): [
        "run /var/lib/phoenix/scripts/shared_volume/remove.sh /var/lib/phoenix/made/shared_volume/models"
    ],
    ("samba_share", "media"): [
        "rm -f /etc/samba/phoenix.d/media.conf",
        "run /var/lib/phoenix/scripts/samba_share/include.sh (once)",
        RELOAD := "sh -c 'systemctl enable smbd && systemctl reload-or-restart smbd && "
        "rm -f /var/lib/phoenix/pending/smbd' [reload] (once)",
    ],
    ("samba_user", "heads"): ["smbpasswd -x heads", "rm -f /var/lib/phoenix/made/samba_user/heads"],
    ("pve_user", "dev@pve"): [
        (
            "run /var/lib/phoenix/scripts/pve_user/remove.sh dev@pve /var/lib/phoenix/made/pve_user/dev@pve "
            "destroys the user dev@pve with its tokens and second factors"
        )
    ],
    ("pve_role", "remove"): [
        "run /var/lib/phoenix/scripts/pve_role/remove.sh remove /var/lib/phoenix/made/pve_role/remove"
    ],
    ("pve_acl", "/vms dev@pve!ci"): [
        (
            "run /var/lib/phoenix/scripts/pve_acl/remove.sh /vms 'dev@pve!ci' --tokens "
            "/var/lib/phoenix/made/pve_acl/vms%20dev%40pve%21ci"
        )
    ],
    ("pve_token", "dev@pve!ci"): [
        (
            "pveum user token remove dev@pve ci destroys the token dev@pve!ci, "
            "with which nobody gets in any more"
        ),
        "rm -f '/var/lib/phoenix/made/pve_token/dev@pve!ci'",
    ],
    ("unix_user", "heads"): [
        (
            "run /var/lib/phoenix/scripts/unix_user/remove.sh heads /var/lib/phoenix/made/unix_user/heads "
            "destroys the account heads with its password and groups"
        )
    ],
    ("sshd", "pve"): ["run /var/lib/phoenix/scripts/sshd/put.sh remove [reload]"],
    ("zfs_arc", "pve"): ["rm -f /etc/modprobe.d/zz-phoenix-zfs_arc.conf", "update-initramfs -u -k all"],
    ("zfs_dataset", "tank/x"): ["zfs destroy tank/x destroys all data in the dataset tank/x"],
    ("zfs_dataset", "tank"): ["! present: `tank` is a pool's root dataset: it lives as long as its pool"],
    ("zfs_pool", "tank"): [
        "! present: pool `tank` is no longer declared; Phoenix never destroys or exports a pool"
    ],
}


@pytest.mark.parametrize(("kind", "name"), REMOVALS)
def test_removing_is_undoing_what_we_made_and_no_more(kind: str, name: str) -> None:
    assert [described(step) for step in registry.kind(kind).remove(name)] == REMOVALS[kind, name]


def test_every_kind_is_in_these_tables() -> None:
    assert {kind for kind, _ in REMOVALS} == set(KINDS)
    assert {what.partition(":")[0] for what in STEPS} == set(KINDS)


# --- relations --------------------------------------------------------------------------------------------

RELATIONS = [
    ("zfs_pool", "tank", {"vdevs": [{"type": "stripe", "disks": ["d1"]}]}, [], ["dataset tank"], []),
    ("zfs_dataset", "tank", {}, ["zfs_pool:tank"], ["dataset tank"], []),
    ("zfs_dataset", "tank/x", {}, ["zfs_pool:tank"], ["dataset tank/x", "path /tank/x"], []),
    (
        "zfs_dataset",
        "tank/x/y",
        {"mountpoint": "/srv", "owner": "heads", "group": "staff"},
        ["zfs_pool:tank", "zfs_dataset:tank/x"],
        ["dataset tank/x/y", "path /srv"],
        ["account heads exactly, if there", "account staff exactly, if there"],
    ),
    ("zfs_dataset", "tank/x", {"mountpoint": "none"}, ["zfs_pool:tank"], ["dataset tank/x"], []),
    (
        "nfs_export",
        "/tank/x",
        {"clients": {"a": []}},
        [],
        ["export /tank/x", "port 2049/tcp"],
        ["path /tank/x"],
    ),
    (
        "samba_share",
        "s",
        {"path": "/tank/x", "valid_users": ["heads", "@staff"]},
        ["samba_user:heads"],
        ["port 445/tcp"],
        ["path /tank/x"],
    ),
    (
        "samba_user",
        "heads",
        {"password": Secret("samba/heads")},
        [],
        ["account heads"],
        ["account heads exactly, if there"],
    ),
    (
        "pve_storage",
        "s1",
        {"type": "zfspool", "pool": "tank/x", "content": ["images"]},
        [],
        ["storage s1"],
        ["dataset tank/x exactly"],
    ),
    (
        "pve_storage",
        "s1",
        {"type": "dir", "path": "/tank/x", "content": ["iso"]},
        [],
        ["storage s1"],
        ["path /tank/x"],
    ),
    (
        "pve_storage",
        "s1",
        {"type": "dir", "path": "/tank/x", "content": ["iso"], "is_mountpoint": True},
        [],
        ["storage s1"],
        ["path /tank/x exactly"],
    ),
    (
        "ct_template",
        "base",
        {"storage": "iso", "file": "x.tar.zst", "url": "file:///srv/x"},
        [],
        ["ct_template base"],
        ["storage iso exactly, if there", "file /srv/x exactly, if there"],
    ),
    (
        "shared_volume",
        "models",
        {"path": "/tank/x", "guests": {"chat": {"path": "/m"}, "embed": {"path": "/m"}}},
        [],
        ["mounts chat", "mounts embed"],
        ["path /tank/x", "guest chat exactly", "guest embed exactly"],
    ),
    (
        "host_file",
        "/etc/x",
        {"content": "", "owner": "heads"},
        [],
        ["file /etc/x"],
        ["account heads exactly, if there", "account root exactly, if there", "path /etc/x, if there"],
    ),
    ("zfs_arc", "pve", {"max": "4G"}, [], ["takes memory"], []),
    (
        "nvidia_driver",
        "pve",
        {"version": "580.76.05", "sha256": "a" * 64, "url": "file:///srv/x.run"},
        [],
        ["nvidia_driver version", "nvidia_driver release"],
        ["gpu * exactly, if there", "file /srv/x.run exactly, if there"],
    ),
    (
        "backup_job",
        "nightly",
        {"schedule": "daily", "storage": "dump", "guests": ["embed", "chat"]},
        [],
        ["backup_job nightly"],
        ["storage dump exactly, if there", "guest chat exactly", "guest embed exactly"],
    ),
    (
        "backup_job",
        "nightly",
        {"schedule": "daily", "storage": "dump", "guests": "all", "exclude": ["chat"]},
        [],
        ["backup_job nightly"],
        ["storage dump exactly, if there", "guest chat exactly"],
    ),
    ("apt_package", "jq", {"repository": "x"}, ["apt_repository:x"], ["package jq"], []),
    (
        "apt_repository",
        "x",
        {"uris": ["http://a"], "suites": ["s/"], "signed_by": "/k.gpg"},
        [],
        [],
        ["file /k.gpg exactly, if there"],
    ),
    ("ntp", "pve", {"servers": ["a"]}, [], [], ["package chrony exactly, if there"]),
    (
        "network_interface",
        "vmbr0",
        {"ports": ["bond0"]},
        [],
        ["interface vmbr0"],
        ["interfaces node exactly, if there"],
    ),
    ("logrotate", "x", {"paths": ["/x"]}, [], [], ["package logrotate exactly, if there"]),
    (
        "docker_engine",
        "pve",
        {"packages": {"docker.io": "28.2.2-0x"}, "repository": "x"},
        ["apt_repository:x"],
        ["docker engine"],
        ["package docker.io exactly, if there"],
    ),
    (
        "nvidia_container_toolkit",
        "chat",
        {"version": "1.17.8-1", "repository": "x"},
        ["apt_repository:x"],
        ["docker_gpus toolkit"],
        [
            "docker engine exactly, if there",
            "nvidia_userland version exactly, if there",
            "package nvidia-container-toolkit exactly, if there",
            "package nvidia-container-toolkit-base exactly, if there",
            "package libnvidia-container-tools exactly, if there",
            "package libnvidia-container1 exactly, if there",
        ],
    ),
    (
        "qdrant",
        "store",
        {"image": f"qdrant/qdrant@sha256:{'0' * 64}"},
        [],
        ["compose qdrant", "port 6333/tcp", "port 6334/tcp", "service store"],
        [
            "docker engine exactly, if there",
            "path /qdrant/storage, if there",
            "volume /qdrant/storage exactly, if there",
        ],
    ),
    (
        "compose_app",
        "web",
        {
            "services": {"web": {"image": f"x@sha256:{'0' * 64}", "ports": ["80:80", "127.0.0.1:81:81"]}},
            "serves": {80: {"role": "web"}},
            "uses": [{"guest": "chat", "port": 8000}],
        },
        [],
        ["compose web", "port 80/tcp", "service web", "reaches chat"],
        ["docker engine exactly, if there", "network site exactly, if there", "guest chat exactly"],
    ),
    (
        "prometheus_exporter",
        "nginx",
        {},
        [],
        ["port 9113/tcp", "service nginx"],
        ["package prometheus-nginx-exporter exactly, if there", "nginx_numbers url exactly, if there"],
    ),
    (
        "prometheus_server",
        "monitoring",
        {"clients": ["lan"]},
        [],
        ["port 9090/tcp", "reaches *"],
        [
            "package prometheus exactly, if there",
            "network site exactly, if there",
            "guest *, if there",
            "service *, if there",
        ],
    ),
    (
        "journal_receiver",
        "monitoring",
        {"clients": ["lan"]},
        [],
        ["port 19532/tcp", "journals monitoring"],
        ["package systemd-journal-remote exactly, if there"],
    ),
    (
        "journal_sender",
        "chat",
        {},
        [],
        ["reaches *"],
        [
            "journals * exactly, if there",
            "network site exactly, if there",
            "package systemd-journal-remote exactly, if there",
        ],
    ),
    ("kernel_cmdline", "iommu", {"value": "pt"}, [], ["iommu node"], []),
    ("kernel_cmdline", "iommu", {"value": "off"}, [], [], []),
    ("kernel_cmdline", "quiet", {}, [], [], []),
    (
        "vfio_device",
        "gpu1",
        {},
        [],
        ["vfio gpu1"],
        ["gpus node exactly, if there", "vfio_addresses node exactly, if there"],
    ),
]


@pytest.mark.parametrize(("kind", "name", "settings", "needs", "offers", "wants"), RELATIONS)
def test_what_a_resource_needs_offers_and_wants(
    kind: str, name: str, settings: dict, needs: list[str], offers: list[str], wants: list[str]
) -> None:
    one = resource(kind, name, settings)
    assert list(one.needs()) == needs
    assert [f"{offer.topic} {offer.key}" for offer in one.provides()] == offers
    said = [
        f"{want.topic} {want.key}{' exactly' if want.exact else ''}{'' if want.required else ', if there'}"
        for want in one.consumes()
    ]
    assert said == wants


# --- never ------------------------------------------------------------------------------------------------


@cache
def every_resource() -> tuple[tuple[Ref, Kind], ...]:
    return tuple(_every_resource())


def _every_resource() -> Iterator[tuple[Ref, Kind]]:
    yield from load(REPOSITORY).resources.items()
    for kind in KINDS:
        for number, samples in enumerate(sample_sets(registry.kind(kind))):
            for which, settings in enumerate((samples.first, samples.second)):
                name = samples.name or f"host{number}{which}"
                yield Ref(f"host{number}{which}", kind, name), resource(kind, name, dict(settings))


def every_change(one: Kind) -> Iterator[Change]:
    """Creation, removal, and each attribute any table here knows, alone."""
    yield from (CREATE, REMOVE)
    attributes = KNOWN | set(type(one).model_fields) - {"name", "state"}
    for name in sorted(attributes):
        desired = getattr(one, "properties", {}).get(name, "wanted")
        yield Change({name: Difference("other", desired)})


def _attributes(text: str) -> list[str]:
    change = YAML(typ="safe", pure=True).load(text.replace("!secret", ""))["change"]
    return list(change) if isinstance(change, dict) else []


KNOWN = {name for text, _ in STEPS.values() for name in _attributes(text)}


@cache
def every_step() -> tuple[tuple[Ref, Step], ...]:
    return tuple(_every_step())


def _every_step() -> Iterator[tuple[Ref, Step]]:
    for ref, one in every_resource():
        for change in every_change(one):
            yield from ((ref, step) for step in one.converge(change) if isinstance(step, Step))
        yield from ((ref, step) for step in one.remove(ref.name) if isinstance(step, Step))


FORBIDDEN = re.compile(
    r"zpool\s+(add|attach|replace|destroy|export|labelclear|offline|detach|remove|split)\b"
    r"|zpool\s+import\b(?!(?: -d /dev/disk/by-id/[\w-]+-part1)+ [a-z]\w*\n)"
    r"|zpool\s+create\b.*\s-f\b|zfs\s+(destroy|rollback|receive)\b.*\s-[a-zA-Z]*[rRfF]"
    r"|wipefs\s+.*(-a|--all)\b|mkfs|sgdisk|dd\s+.*of=|rm\s+-[a-z]*r|exportfs\s+.*-[a-z]*f"
)


def test_nothing_we_run_or_render_can_take_a_disk_or_a_pool() -> None:
    steps = [shlex.join(step.argv) for _, step in every_step()]
    files = [file.text for file in _rendered()]
    assert len(steps) > 100
    assert len(files) > 20
    assert [text for text in (*steps, *files) if FORBIDDEN.search(text)] == []


def test_only_what_says_that_it_destroys_destroys() -> None:
    destroying = {step.destroys for _, step in every_step() if " destroy " in shlex.join(step.argv)}
    assert "" not in destroying
    others = [ref.kind for ref, step in every_step() if step.destroys and step.argv[:2] != ("zfs", "destroy")]
    assert set(others) == BY_SCRIPT


FIREWALL = {"firewall_cluster", "firewall_guest", "firewall_node"}
BY_SCRIPT = FIREWALL | {
    "apt_package",
    "compose_app",
    "ct_template",
    "host_file",
    "lxc",
    "pve_token",
    "pve_user",
    "unix_user",
    "vm",
    "vm_image",
}
"""Kinds that destroy by a script, which looks first what is there."""


def test_every_step_does_exactly_one_thing() -> None:
    wrong = [
        step
        for _, step in every_step()
        if [bool(step.argv), step.push is not None, step.execute is not None].count(True)
        not in ((0, 1) if step.fetch else (1,))
    ]
    assert wrong == []


UNITS = {"nfs_mount", "ollama", "systemd_unit", "vllm_server"}
WHOLE_FILES = (
    FIREWALL
    | UNITS
    | {
        "compose_app",
        "docker_engine",
        "host_file",
        "journal_receiver",
        "journal_sender",
        "network_interface",
        "nginx_gateway",
        "nvidia_container_toolkit",
        "prometheus_exporter",
        "prometheus_server",
        "qdrant",
        "sshd",
        "unix_user",
    }
)
"""Kinds that send a file on stdin, with a mark at its end."""


def test_arguments_are_words_and_secrets_are_on_no_command_line() -> None:
    for ref, step in every_step():
        assert all(type(word) is str for word in step.argv)
        assert "<secret" not in shlex.join(step.argv)
        assert step.stdin is None or step.stdin.has_secret or ref.kind in WHOLE_FILES


def test_titles_are_the_commands_or_name_them() -> None:
    for _, step in every_step():
        assert step.title
        if step.argv and step.argv[0] != "sh":
            # what the file must still be like is no part of what is done
            assert step.title == re.sub(r" --digest [0-9a-f]{40}", "", shlex.join(step.argv))


@cache
def _rendered():
    return render(every_resource(), Renderer())


def test_scripts_are_posix_sh_stop_at_errors_and_name_their_resource() -> None:
    for file in _rendered():
        if file.path.endswith(".sh") and file.kind != "host_file":
            first, second, *lines = file.text.splitlines()
            code = next(line for line in lines if not line.startswith("#"))
            assert (first, code, file.mode) == ("#!/bin/sh", "set -eu", 0o700), file.path
            assert second.startswith(f"# {file.kind}"), file.path
        elif file.kind not in ("host_file", "lxc", "vm"):  # somebody else's words, or Proxmox's
            assert file.text.splitlines()[0].startswith("# Written by phoenix: " + file.kind), file.path
        assert file.text.endswith("\n")
        assert not re.search(r"[ \t]+$", file.text, re.MULTILINE), file.path


def test_scripts_have_no_syntax_error(tmp_path: Path) -> None:
    from phoenix_hypervisor.process import run

    scripts = [file for file in _rendered() if file.path.endswith(".sh")]
    for number, file in enumerate(scripts):
        (tmp_path / f"{number}.sh").write_text(file.text)
    check = run(["sh", "-c", f'for f in {tmp_path}/*.sh; do sh -n "$f" || echo "$f"; done'])
    assert (check.stdout, check.stderr) == (b"", b"")


def test_samples_are_declarations_that_hold() -> None:
    for kind in KINDS:
        for samples in sample_sets(registry.kind(kind)):
            one, two = (
                resource(kind, samples.name or "host", dict(part)) for part in (samples.first, samples.second)
            )
            assert one != two or samples.first == samples.second
            assert one.present


def test_different_datasets_have_different_scripts() -> None:
    names = ["tank/a.b", "tank/a/b", "tank/a-b", "tank/a%2Eb"]
    paths = {next(iter(resource("zfs_dataset", name, {}).artifacts())).path for name in names[:3]}
    assert len(paths) == 3


def test_an_option_that_is_a_number_stays_one_in_the_file() -> None:
    share = resource(
        "samba_share", "s", {"path": "/x", "options": {"max connections": "1", "strict  sync": "1"}}
    )
    artifact = next(iter(share.artifacts()))
    text = Renderer().text("samba_share", artifact, share)
    assert text.splitlines()[-2:] == ["    max connections = 1", "    strict sync = 1"]
    assert share.parameters["strict sync"] == "yes"
