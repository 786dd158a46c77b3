"""The vector store and the gateway of the reference site: each cell that the predecessor declared of both.

What could not work there is corrected, and a comment says why. Of the others: test_reference_services.py.
"""

from typing import Any

import pytest
from tests.unit.test_reference_services import GIB, guest, site

from phoenix_hypervisor.firewall.ports import FACT, PORT
from phoenix_hypervisor.resource import Ref
from phoenix_hypervisor.services import SERVICE, Service

CELLS: dict[str, dict[str, Any]] = {
    "952": {
        "guest": "qdrant",
        "hostname": "qdrant-vscoderag",
        "cores": 2,
        "memory": 2 * GIB,
        "ip": "10.0.0.152/24",
        "mac": "52:54:00:67:89:B2",
        "clone": "template-docker",
        "features": {"nesting", "keyctl"},  # overlay2 on ZFS 2.3 needs neither fuse nor mknod
        "order": 3,
        "after": ("gateway",),
    },
    "953": {
        "guest": "gateway",
        "hostname": "nginx-vscoderag",
        "cores": 4,
        "memory": 4 * GIB,
        "ip": "10.0.0.153/24",
        "mac": "52:54:00:67:89:B3",
        "clone": "template-base",
        "features": {"nesting"},
        "order": 1,
        "after": (),
    },
}
ROUTES = {
    "/v1/chat/completions": ("10.0.0.150:8000", False),
    "/v1/completions": ("10.0.0.150:8000", False),
    "/v1/models": ("10.0.0.150:8000", False),  # was missing
    "/v1/embeddings": ("10.0.0.151:8000", False),
    "/qdrant/": ("10.0.0.152:6333", True),
    "/ollama/": ("10.0.0.155:11434", True),
}
"""Path → the backend, and whether it is asked without the prefix. Of n8n, Open WebUI, llama.cpp and Portainer
there is a route where one of them is declared (examples/open-webui); where none is, the answer is 404."""


def inside(vmid: str, kind: str) -> Any:
    """The one resource of a kind in a guest."""
    (found,) = [ref for ref in site().of_host(CELLS[vmid]["guest"]) if ref.kind == kind]
    return site().resources[found]


@pytest.mark.parametrize("vmid", CELLS)
def test_the_container_is_as_declared(vmid: str) -> None:
    own, cells = guest(vmid), CELLS[vmid]
    net = own.net["eth0"]
    assert (own.hostname, own.cores, own.memory) == (cells["hostname"], cells["cores"], cells["memory"])
    assert (own.rootfs.size, own.rootfs.storage, own.swap) == (32 * GIB, "quickOS-lxc-disks", GIB // 2)
    assert (str(net.ip), net.mac, net.gw, net.bridge) == (cells["ip"], cells["mac"], "10.0.0.1", "vmbr0")
    assert (own.clone, tuple(own.gpus), own.unprivileged) == (cells["clone"], (), True)
    assert {name for name in ("nesting", "keyctl", "fuse", "mknod") if getattr(own.features, name)} == cells[
        "features"
    ]
    assert own.apparmor == "generated"  # `unconfined` was asked for, and is not needed
    startup = own.startup
    assert (own.onboot, startup.order, startup.up, startup.down) == (True, cells["order"], 5, 5)
    assert tuple(own.after) == cells["after"]


def test_the_points_lie_on_a_volume_of_their_own() -> None:
    """Predecessor: in the container's layer, which every run removed."""
    (mount,) = guest("952").mounts.items()
    assert (mount[0], mount[1].storage, mount[1].size, mount[1].backup) == (
        "/qdrant/storage",
        "quickOS-shared-prod-data-volumes",
        20 * GIB,
        True,
    )
    store = inside("952", "qdrant")
    service = store.content["services"]["qdrant"]
    assert (store.storage, service["volumes"]) == (
        "/qdrant/storage",
        [{"type": "bind", "source": "/qdrant/storage", "target": "/qdrant/storage"}],
    )
    assert service["image"].startswith("qdrant/qdrant:v1.15.5@sha256:")
    assert (service["container_name"], service["restart"]) == ("qdrant", "unless-stopped")
    assert service["ports"] == ["6333:6333", "6334:6334"]


def test_the_store_says_what_it_serves_and_only_those_who_use_it_get_through() -> None:
    store = inside("952", "qdrant")
    offers = [offer.value for offer in store.provides() if offer.topic == SERVICE]
    collections = {"code": 768}  # as long as what 951 gives
    assert offers == [
        Service("vector-store", 6333, collections=collections, health="/readyz", metrics="/metrics")
    ]
    ports = {offer.key for offer in store.provides() if offer.topic == PORT}
    assert ports == {"6333/tcp", "6334/tcp"}
    firewall = site().resources[Ref("phoenix", "firewall_guest", "952")]
    exposed = {str(numbers): tuple(clients) for numbers, clients in firewall.expose.items()}
    assert exposed == {"6333,6334": ("gateway",)}


def test_every_path_leads_to_its_backend() -> None:
    routes = {
        route.path: (route.backend.place, route.strip)
        for route in inside("953", "nginx_gateway").routing.routes
    }
    assert routes == ROUTES


def test_the_gateway_is_what_is_reached_from_the_lan_over_both_ports() -> None:
    """Predecessor: its firewall was on, with no rule at all; certificates were never renewed."""
    gateway = inside("953", "nginx_gateway")
    (network,) = [
        given.value for given in site().resources[Ref("phoenix", "firewall_guest", "953")].given(FACT[0])
    ]
    open_to_lan = {one.port.number for one in network.served["gateway"] if set(one.clients or ()) == {"lan"}}
    assert open_to_lan == {"80", "443"}
    assert (gateway.port, gateway.tls_port, gateway.tls.self_signed_days) == (80, 443, 365)
    assert "10.0.0.153" in gateway.server_names
    text = gateway.files["gateway.conf"].parts[0]
    for line in (
        "proxy_set_header Host $http_host;",
        "proxy_set_header X-Real-IP $remote_addr;",
        "proxy_buffering off;",
        "proxy_read_timeout 3600s;",
    ):
        assert line in text, line
