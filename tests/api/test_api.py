"""Proxmox's API over HTTPS: who is asked, with what, and what is made of the answers."""

import hashlib
import io
import json
import ssl
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from socket import create_server

import pytest
from nornir import InitNornir
from tests.api import standin

from phoenix_hypervisor import cli
from phoenix_hypervisor.adopt.living import https_files, over_https, reading
from phoenix_hypervisor.errors import HostError, UsageError
from phoenix_hypervisor.inspect import cluster_inventory
from phoenix_hypervisor.proxmox.api import Api, NotAllowedError
from phoenix_hypervisor.proxmox.endpoint import endpoint
from phoenix_hypervisor.secretstore.given import given

REPOSITORY = Path(__file__).parents[2]
WEB = {
    "hostname": "web",
    "description": "Two lines:\nthe second\n",
    "memory": 512,
    "cores": 2,
    "unprivileged": 1,
    "rootfs": "local-lvm:vm-101-disk-0,size=8G",
    "net0": "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:01,ip=10.0.0.50/24,type=veth,firewall=1",
    "tags": "shop;old",
    "lxc": [["lxc.cap.drop", "mac_admin"]],
}
DESK = {
    "name": "desk",
    "memory": 1024,
    "scsi0": "local-lvm:vm-200-disk-0,size=8G",
    "net0": "virtio=BC:24:11:00:00:02,bridge=vmbr0",
    "ipconfig0": "ip=10.0.0.60/24,ip6=auto",
    "agent": "1",
}
GUESTS = [
    {"type": "lxc", "vmid": 101, "name": "web", "node": "pve1", "status": "running", "config": WEB},
    {"type": "lxc", "vmid": 102, "name": "web", "node": "pve2", "config": {"hostname": "web"}},
    {"type": "qemu", "vmid": 200, "name": "desk", "node": "pve1", "config": DESK},
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    found = standin.Standin(tmp_path_factory.mktemp("cluster"), nodes=["pve1", "pve2"], guests=GUESTS)
    found.post("cluster/firewall/options", enable=1, policy_in="REJECT")
    found.post("cluster/firewall/aliases", name="lan", cidr="10.0.0.0/24")
    found.post("cluster/firewall/groups", group="web")
    found.post("cluster/firewall/groups/web", type="in", action="ACCEPT", proto="tcp", dport="80", enable=1)
    found.post("cluster/firewall/ipset", name="management")
    found.post("cluster/firewall/ipset/management", cidr="10.0.0.0/24")
    rule = {"type": "in", "action": "ACCEPT", "macro": "SSH", "source": "lan", "log": "info", "comment": "us"}
    found.post("cluster/firewall/rules", **rule, enable=0)
    found.post("nodes/pve1/lxc/101/firewall/options", enable=1, dhcp=1)
    found.post("nodes/pve1/lxc/101/firewall/rules", type="in", action="ACCEPT", macro="HTTP", enable=1)
    yield found
    found.close()


def test_no_server_is_believed_that_has_not_proven_who_it_is(cluster):
    with (
        pytest.raises(HostError, match=r"not trusted: self.signed certificate"),
        Api(cluster.endpoint(ca_file=None)) as api,
    ):
        api.get("nodes")
    with (
        pytest.raises(HostError, match=r"another fingerprint: ([0-9A-F]{2}:){31}[0-9A-F]{2}"),
        Api(cluster.endpoint(ca_file=None, fingerprint="AB" * 32)) as api,
    ):
        api.get("nodes")
    der = ssl.PEM_cert_to_DER_cert(cluster.certificate.read_text())
    own = hashlib.sha256(der).hexdigest()
    with Api(cluster.endpoint(ca_file=None, fingerprint=own)) as api:
        assert {row["node"] for row in api.rows("nodes")} == {"pve1", "pve2"}


def test_the_token_is_not_sent_before_the_certificate_is_checked(cluster, tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*standin.certificate(tmp_path))

    def listen(server):
        try:
            with context.wrap_socket(server.accept()[0], server_side=True) as heard:
                heard.settimeout(60)
                return heard.recv(4096)
        except OSError:
            return b""  # the handshake is broken off

    with create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as pool:
        for known in ({"ca_file": cluster.certificate}, {"fingerprint": "AB" * 32}):
            heard = pool.submit(listen, server)
            url = f"https://127.0.0.1:{server.getsockname()[1]}"
            token = given("t", standin.VALUE.encode())
            with pytest.raises(HostError), Api(endpoint(url, standin.TOKEN_ID, token, **known)) as api:
                api.get("nodes")
            assert heard.result(60) == b""


def test_a_token_that_is_refused_and_one_that_may_not(cluster):
    with (
        pytest.raises(HostError, match="the token phoenix@pve!look is not accepted") as refused,
        Api(cluster.endpoint(value="canary-other")) as api,
    ):
        api.get("nodes")
    assert "canary" not in f"{refused.value!r}{refused.value.hint}"
    with Api(cluster.endpoint()) as api:
        assert api.lacking() == []
        with pytest.raises(NotAllowedError, match="Permission check failed"):
            api.get("nodes/pve1/syslog")
        with pytest.raises(HostError, match=r"nodes/pve1/lxc/999/config: 500 "):
            api.get("nodes/pve1/lxc/999/config")
        with pytest.raises(AssertionError, match="only read"):
            api._root("nodes/pve1/lxc/101/config").put(memory=64)
    with (
        pytest.raises(HostError, match="does not answer as Proxmox's API does"),
        Api(cluster.endpoint()) as api,
    ):
        api.rows("nodes")[0]["vmid"]


@pytest.mark.parametrize(
    ("url", "token_id", "fingerprint", "said"),
    [
        ("http://pve1:8006", "a@pve!b1", "", "is no address of an API"),
        ("https://pve1:8006/api2", "a@pve!b1", "", "is no address of an API"),
        ("https://pve1:port", "a@pve!b1", "", "is no address of an API"),
        ("pve1", "a@pve", "", "names no API token"),
        ("pve1", "a@pve!b1", "AB:CD", "is no fingerprint"),
    ],
)
def test_what_is_no_endpoint(url, token_id, fingerprint, said):
    with pytest.raises(UsageError, match=said):
        endpoint(url, token_id, given("t", b"x"), None, fingerprint)
    assert endpoint("pve1", "a@pve!b1", given("t", b"x")).url == "https://pve1:8006"
    assert endpoint("https://[::1]:443", "a@pve!b1", given("t", b"x")).url == "https://[::1]:443"


def test_the_guests_are_an_inventory_for_plain_nornir(cluster, tmp_path):
    (tmp_path / "token").write_text(f"{standin.VALUE}\n")
    options = {"url": cluster.url, "token_id": standin.TOKEN_ID, "token_file": str(tmp_path / "token")}
    options["ca_file"] = str(cluster.certificate)
    cluster_inventory.register()
    nornir = InitNornir(
        inventory={"plugin": cluster_inventory.NAME, "options": options},
        logging={"enabled": False},
        runner={"plugin": "serial"},
    )
    hosts = nornir.inventory.hosts
    assert {name: host.hostname for name, host in hosts.items()} == {
        "web-101": "10.0.0.50",
        "web-102": "web-102",
        "desk": "10.0.0.60",
    }
    assert {group.name for group in hosts["web-101"].groups} == {
        *("lxc", "running", "node_pve1", "tag_shop", "tag_old")
    }
    stopped = nornir.filter(filter_func=lambda host: host.has_parent_group("stopped"))
    assert set(stopped.inventory.hosts) == {"web-102", "desk"}
    assert hosts["desk"].data["vmid"] == 200
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    module, _, name = project["entry-points"]["nornir.plugins.inventory"][cluster_inventory.NAME].partition(
        ":"
    )
    assert (module, getattr(cluster_inventory, name)) == (
        cluster_inventory.__name__,
        cluster_inventory.ClusterInventory,
    )


@pytest.fixture
def site(cluster, tmp_path):
    """A site whose inventory says how the API is reached, and whose node has no shell."""
    (tmp_path / "inventory").mkdir()
    (tmp_path / "configs").mkdir()
    (tmp_path / "token").write_text(standin.VALUE)
    (tmp_path / "ca.crt").write_bytes(cluster.certificate.read_bytes())
    (tmp_path / "configs/site.yaml").write_text("name: home\nsecrets: {sources: {look: {file: token}}}\n")
    (tmp_path / "inventory/hosts.yaml").write_text(
        "pve1: {hostname: 127.0.0.1, port: 1, username: nobody, data: {connect_seconds: 5, api: {"
        f"url: '{cluster.url}', token_id: '{standin.TOKEN_ID}', token_secret: look, ca_file: ca.crt}}}}}}\n"
    )
    return tmp_path


def ran(capsys, site, *words):
    status = cli.run(["--site", str(site), *words])
    said = capsys.readouterr()
    assert standin.VALUE not in said.out + said.err
    return status, said.out, said.err


def test_inventory_of_what_is_there(site, cluster, capsys):
    _, out, _ = ran(capsys, site, "inventory", "--from-api")
    assert json.loads(out)["guests"]["web-101"] == {
        "vmid": 101,
        "node": "pve1",
        "kind": "lxc",
        "running": True,
        "template": False,
        "tags": ["shop", "old"],
        "addresses": ["10.0.0.50"],
    }
    _, out, _ = ran(capsys, site, "inventory", "--from-api", "--format", "ansible")
    groups = json.loads(out)["all"]["children"]
    assert groups["guests_of_pve1"]["hosts"]["desk"] == {"ansible_host": "10.0.0.60", "phoenix_vmid": 200}
    assert set(groups["tag_shop"]["hosts"]) == set(groups["running"]["hosts"]) == {"web-101"}


def test_a_node_without_a_shell_is_described_as_far_as_its_api_shows(site, capsys):
    status, out, err = ran(capsys, site, "adopt", "pve1", "--from-api", "--json", "--out", str(site / "new"))
    assert (status, err) == (2, "")
    document = json.loads(out)
    assert document["plan"] is None
    assert document["unproven"].startswith("there is no shell on pve1: ")
    adopted = {(one["kind"], one["name"]) for one in document["adopted"]}
    assert adopted >= {
        *(("lxc", "101"), ("vm", "200"), ("network_interface", "vmbr0")),
        *(("firewall_cluster", ""), ("firewall_guest", "101")),
    }
    left = {(one["kind"], one["name"]): one["why"] for one in document["left"]}
    assert {kind for kind, name in left if left[kind, name] == over_https.WHY} == {*over_https.UNSEEN}
    assert ran(capsys, site / "new", "validate")[0] == 0
    text = (site / "new/configs/guests/101-web.yaml").read_text()
    assert "storage: local-lvm" in text
    assert 'description: "Two lines:\\nthe second"' in text
    assert "lxc.cap.drop: mac_admin" in text
    node = (site / "new/configs/nodes/pve1.yaml").read_text()
    assert "policy_in: REJECT" in node
    assert "macro: SSH" in node
    assert "api:" not in (site / "new/inventory/hosts.yaml").read_text()


def test_only_one_of_it(site, capsys):
    arguments = ("adopt", "pve1", "--from-api", "--only", "vm/200", "--out", str(site / "new"))
    status, out, err = ran(capsys, site, *arguments)
    assert status == 2
    assert f"{site / 'new/configs/guests/200-desk.yaml'}" in out
    assert not (site / "new/configs/guests/101-web.yaml").exists()
    assert "could not be proven empty: there is no shell on pve1" in err + out
    status, _, err = ran(
        capsys, site, "adopt", "pve1", "--from-api", "--only", "vm/201", "--out", str(site / "x")
    )
    assert (status, "did you mean `vm/200`" in err) == (64, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--token-id", "a@pve!b1"), "which API?"),
        (("--api", "https://127.0.0.1:1"), "which token?"),
        (
            ("--api", "https://127.0.0.1:1", "--token-id", "a@pve!b1"),
            "the value of the token a@pve!b1 is wanted",
        ),
        (("--from-api", "--token-secret", "look", "--token-file", "x"), "two places of one value"),
        (("--from-api", "--ca-file", "/nowhere"), "there is no CA file /nowhere"),
        (("--from-api", "--token-secret", "nobody"), "there is no secret `nobody`"),
    ],
)
def test_what_is_missing_is_asked_for(site, capsys, monkeypatch, words, said):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    status, _, err = ran(capsys, site, "inventory", *words)
    assert status in (1, 64)
    assert said in err


def test_the_value_comes_from_stdin(site, cluster, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"{standin.VALUE}\n".encode())))
    words = ("--api", cluster.url, "--token-id", standin.TOKEN_ID, "--token-file", "-")
    status, out, _ = ran(capsys, site, "inventory", *words, "--ca-file", str(cluster.certificate))
    assert status == 0
    assert set(json.loads(out)["guests"]) == {"web-101", "web-102", "desk"}


def test_a_person_is_asked_for_the_value(site, cluster, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    asked = []
    monkeypatch.setattr("click.prompt", lambda text, **how: asked.append((text, how)) or standin.VALUE)
    words = ("--api", cluster.url, "--token-id", standin.TOKEN_ID, "--ca-file", str(cluster.certificate))
    assert ran(capsys, site.parent, "inventory", *words)[0] == 0
    assert asked == [(f"value of the token {standin.TOKEN_ID}", {"hide_input": True, "err": True})]


def test_a_token_that_sees_a_part_is_named(tmp_path):
    """What a token may not see, Proxmox leaves out of its lists without a word."""
    cluster = standin.Standin(tmp_path, grants=[["phoenix@pve", "/vms", "VM.Audit"]], guests=GUESTS[:1])
    try:
        with Api(cluster.endpoint()) as api:
            found = over_https.ask(api, "pve1")
            with pytest.raises(HostError, match="there is no node `pve9`"):
                over_https.ask(api, "pve9")
    finally:
        cluster.close()
    whys = {(one.kind, one.name): one.why for one in found.left}
    assert "lacks VM.Audit, Datastore.Audit, Sys.Audit at `/`" in whys["api", ""]
    assert "Permission check failed" in whys["backup_job", ""]
    assert found.answers["containers"].startswith("==> 101.conf <==\n")


def test_settings_are_read_as_the_files_they_stand_in():
    """Shapes that the stand-in does not have, from the API's own schema."""
    answers = {
        "users": https_files.people(
            [{"userid": "ada@pve", "enable": 1, "comment": "a: 100%", "tokens": [{"tokenid": "ci"}]}],
            [{"groupid": "devs", "users": "ada@pve,bob@pve"}],
            [{"roleid": "Own", "privs": "VM.Audit", "special": 0}, {"roleid": "Administrator", "special": 1}],
            [{"path": "/", "type": "group", "ugid": "devs", "roleid": "Own", "propagate": 0}],
        ),
        "backups": https_files.jobs(
            [
                {
                    "id": "nightly",
                    "type": "vzdump",
                    "all": 1,
                    "storage": "local",
                    "schedule": "daily",
                    "comment": "ä: x",
                    "prune-backups": {"keep-last": "3", "keep-daily": 7},
                    "next-run": 1,
                }
            ]
        ),
        "network": https_files.interfaces(
            [
                {
                    "iface": "vmbr1",
                    "autostart": 1,
                    "method": "static",
                    "method6": "auto",
                    "cidr": "10.1.0.1/24",
                    "bridge_ports": "",
                    "bridge_vlan_aware": 1,
                    "bridge_fd": "0",
                    "families": ["inet", "inet6"],
                    "options": ["post-up true"],
                },
                {"iface": "eno1", "exists": 1, "method": "manual"},
            ]
        ),
    }
    draft = reading.draft(over_https.completed(over_https.Seen(answers, []), None))
    things = {thing.key: thing.settings for thing in draft.things}
    assert things["pve_user", "ada@pve"] == {"comment": "a: 100%", "groups": ["devs"]}
    assert things["pve_acl", "/ @devs"] == {"roles": ["Own"], "propagate": False}
    assert things["backup_job", "nightly"] == {
        "schedule": "daily",
        "storage": "local",
        "comment": "ä: x",
        "guests": "all",
        "retention": {"keep_daily": 7, "keep_last": 3},
    }
    assert things["network_interface", "vmbr1"] == {
        "method6": "auto",
        "addresses": ["10.1.0.1/24"],
        "ports": [],
        "vlan_aware": True,
    }
    assert ("network_interface", "eno1") not in things
