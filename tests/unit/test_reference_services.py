"""The model servers of the reference site: each cell of what the predecessor declared for 950, 951 and 955.

What could not work there is corrected, and a comment says why.
"""

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from phoenix_hypervisor.config import Site, load
from phoenix_hypervisor.firewall.ports import FACT
from phoenix_hypervisor.resource import Kind, Ref
from phoenix_hypervisor.services import SERVICE, Service

REPOSITORY = Path(__file__).resolve().parents[2]
GIB = 1 << 30
CELLS: dict[str, dict[str, Any]] = {
    "950": {
        "guest": "vllm-chat",
        "hostname": "vllm-qwen2-5-7b-awq",  # a dot would end the host name
        "cores": 6,
        "memory": 24 * GIB,  # 72000 MB, twice, are more than the node has
        "ip": "10.0.0.150/24",
        "mac": "52:54:00:67:89:B0",
        "gpus": ("gpu0",),
        "clone": "template-vllm",
        "order": 3,
        "mount": "/models",  # one shared folder, not two on one path
        "unit": "phoenix-vllm-chat.service",
        "restart": "10",
        "service": Service("chat", 8000, model="qwen2.5-7b-awq", health="/health", metrics="/metrics"),
        "clients": {"gateway", "monitoring"},
    },
    "951": {
        "guest": "vllm-embed",
        "hostname": "vllm-granite-embed-r2",
        "cores": 6,
        "memory": 12 * GIB,
        "ip": "10.0.0.151/24",
        "mac": "52:54:00:67:89:B1",
        "gpus": ("gpu0",),
        "clone": "template-vllm",
        "order": 3,
        "mount": "/models",
        "unit": "phoenix-vllm-embed.service",
        "restart": "10",
        "service": Service(
            "embeddings",
            8000,
            model="ibm-granite/granite-embedding-english-r2",
            dimension=768,
            health="/health",
            metrics="/metrics",
        ),
        "clients": {"gateway", "monitoring"},
    },
    "955": {
        "guest": "ollama",
        "hostname": "ollama-owui",
        "cores": 6,
        "memory": 20 * GIB,
        "ip": "10.0.0.155/24",
        "mac": "52:54:00:67:89:B5",
        "gpus": ("gpu1",),  # gpu0 has no room left: 0.85 and 0.10 of it are taken
        "clone": "template-gpu",
        "order": 2,
        "mount": "/ollama_models",
        "unit": "ollama.service",
        "restart": "3",
        "service": Service("ollama", 11434, health="/api/version"),
        "clients": {"gateway", "10.0.0.156"},
    },
}
COMMANDS = {
    "950": (
        "-m vllm.entrypoints.openai.api_server --model Qwen/Qwen2.5-7B-Instruct-AWQ "
        "--served-model-name qwen2.5-7b-awq --host 0.0.0.0 --port 8000 --quantization awq_marlin "
        "--max-model-len 32768 --gpu-memory-utilization 0.85 --tensor-parallel-size 1 --trust-remote-code "
        "--dtype float16 --kv-cache-dtype auto --max-num-batched-tokens 8192 --max-num-seqs 1"
    ),
    "951": (
        "-m vllm.entrypoints.openai.api_server --model ibm-granite/granite-embedding-english-r2 "
        "--served-model-name ibm-granite/granite-embedding-english-r2 --host 0.0.0.0 --port 8000 "
        "--runner pooling --tensor-parallel-size 1 --gpu-memory-utilization 0.1 --max-model-len 1024 "
        "--dtype auto"
    ),
    "955": "serve",
}


@cache
def site() -> Site:
    return load(REPOSITORY)


def guest(vmid: str) -> Any:
    """The container's own settings."""
    return site().resources[Ref("phoenix", "lxc", vmid)]


def server(vmid: str) -> Any:
    """The model server in it."""
    inside = site().of_host(CELLS[vmid]["guest"])
    found: list[Kind] = [site().resources[ref] for ref in inside if ref.kind in ("vllm_server", "ollama")]
    assert len(found) == 1
    return found[0]


def options(words: list[str]) -> dict[str, str]:
    """Words of a command line as option → value, whatever their order."""
    found, name = {}, ""
    for word in words:
        name = word if word.startswith("-") else name
        found[name] = "" if word == name else word
    return found


@pytest.mark.parametrize("vmid", CELLS)
def test_the_container_is_as_declared(vmid: str) -> None:
    own, cells = guest(vmid), CELLS[vmid]
    net = own.net["eth0"]
    assert (own.hostname, own.cores, own.memory, own.rootfs.size) == (
        cells["hostname"],
        cells["cores"],
        cells["memory"],
        128 * GIB,
    )
    assert (str(net.ip), net.mac, net.gw, net.bridge) == (cells["ip"], cells["mac"], "10.0.0.1", "vmbr0")
    assert (own.clone, tuple(own.gpus), own.unprivileged, own.onboot) == (
        cells["clone"],
        cells["gpus"],
        True,
        True,
    )
    startup = own.startup
    assert (startup.order, startup.up, startup.down, tuple(own.after)) == (cells["order"], 5, 5, ("gateway",))
    mounts = [given.value for given in own.given("mounts")]
    assert [one["target"] for one in mounts] == [cells["mount"]]


@pytest.mark.parametrize("vmid", CELLS)
def test_the_unit_is_as_declared(vmid: str) -> None:
    unit = server(vmid).unit
    assert unit.unit == CELLS[vmid]["unit"]
    text = unit.text.splitlines()
    assert {"Restart=always", f"RestartSec={CELLS[vmid]['restart']}"} <= set(text)
    assert not any(line.startswith("User=") for line in text)  # root, as it is declared
    if vmid == "955":
        assert {"Environment=OLLAMA_HOST=0.0.0.0:11434", "Environment=OLLAMA_MODELS=/ollama_models"} <= set(
            text
        )
    else:
        assert {"WorkingDirectory=/opt/vllm", "Environment=HF_HOME=/models/huggingface"} <= set(text)


@pytest.mark.parametrize("vmid", COMMANDS)
def test_the_command_line_means_what_was_declared(vmid: str) -> None:
    assert options(server(vmid).argv[1:]) == options(COMMANDS[vmid].split())


@pytest.mark.parametrize("vmid", CELLS)
def test_others_are_told_what_is_served(vmid: str) -> None:
    services = [offer.value for offer in server(vmid).provides() if offer.topic == SERVICE]
    assert services == [CELLS[vmid]["service"]]


@pytest.mark.parametrize("vmid", CELLS)
def test_only_those_who_use_it_get_through_the_firewall(vmid: str) -> None:
    name = CELLS[vmid]["guest"]
    firewall = site().resources[Ref("phoenix", "firewall_guest", vmid)]
    (network,) = [given.value for given in firewall.given(FACT[0])]
    port = str(CELLS[vmid]["service"].port)
    served = [one for one in network.served[name] if one.port.number == port]
    said = {client for one in served for client in one.clients or ()}
    exposed = {
        client for number, clients in firewall.expose.items() if str(number) == port for client in clients
    }
    assert said | exposed == CELLS[vmid]["clients"]
