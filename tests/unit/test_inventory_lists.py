"""The site's hosts for other tools; and that inventory/ is Nornir's own."""

import json
from pathlib import Path

import pytest
from nornir import InitNornir
from ruamel.yaml import YAML

from phoenix_hypervisor import cli

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    files = {
        "configs/site.yaml": "name: home\n",
        "configs/nodes/pve-1.yaml": "",
        "configs/nodes/pve-2.yaml": "",
        "configs/guests/950-chat.yaml": (
            "node: pve-1\nlxc: { net: { eth0: { bridge: vmbr0, ip: 10.0.0.50/24, gw: 10.0.0.1 } } }\n"
        ),
        "configs/guests/951-roaming.yaml": "node: pve-2\nlxc: { net: { eth0: { bridge: b, ip: dhcp } } }\n",
        "configs/guests/952-gone.yaml": "node: pve-1\nlxc: { state: absent }\n",
        "inventory/hosts.yaml": (
            "pve-1: { hostname: 10.0.0.1, port: 2222, username: root, groups: [rack-a] }\n"
            "pve-2: { hostname: pve-2.example.org, groups: [rack-a] }\n"
        ),
        "inventory/groups.yaml": "rack-a: { data: { transport: ssh, connect_seconds: 5 } }\n",
        "inventory/defaults.yaml": "username: admin\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], site: Path, *words: str) -> str:
    assert cli.run(["--site", str(site), "inventory", *words]) == 0
    return capsys.readouterr().out


def test_hosts_are_told_with_what_is_inherited(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(printed(capsys, site))
    assert found["nodes"] == {
        "pve-1": {
            "hostname": "10.0.0.1",
            "port": 2222,
            "username": "root",
            "transport": "ssh",
            "groups": ["rack-a"],
        },
        "pve-2": {
            "hostname": "pve-2.example.org",
            "port": None,
            "username": "admin",
            "transport": "ssh",
            "groups": ["rack-a"],
        },
    }
    assert found["guests"]["chat"] == {
        "vmid": 950,
        "node": "pve-1",
        "kind": "lxc",
        "layer": False,
        "addresses": ["10.0.0.50"],
    }
    assert found["guests"]["roaming"]["addresses"] == []
    assert found["guests"]["gone"]["kind"] is None


def test_ansible_gets_groups_it_can_name_and_hosts_it_can_reach(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    groups = YAML(typ="safe").load(printed(capsys, site, "--format", "ansible"))["all"]["children"]
    assert groups == {
        "nodes": {
            "hosts": {
                "pve-1": {"ansible_host": "10.0.0.1", "ansible_port": 2222, "ansible_user": "root"},
                "pve-2": {"ansible_host": "pve-2.example.org", "ansible_user": "admin"},
            }
        },
        "rack_a": {"hosts": {"pve-1": {}, "pve-2": {}}},
        "guests_of_pve_1": {"hosts": {"chat": {"ansible_host": "10.0.0.50", "phoenix_vmid": 950}}},
    }


@pytest.mark.parametrize("whose", ["the reference site's", "another"])
def test_the_files_are_nornir_s_own(site: Path, whose: str) -> None:
    folder = (REPOSITORY if whose == "the reference site's" else site) / "inventory"
    nornir = InitNornir(
        inventory={
            "plugin": "SimpleInventory",
            "options": {
                "host_file": str(folder / "hosts.yaml"),
                "group_file": str(folder / "groups.yaml"),
                "defaults_file": str(folder / "defaults.yaml"),
            },
        },
        logging={"enabled": False},
    )
    assert nornir.inventory.hosts
    for host in nornir.inventory.hosts.values():
        assert host.hostname
        assert host.get("transport") in ("lab", "ssh")
