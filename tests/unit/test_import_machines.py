"""The import of the predecessor's virtual machines: guests, images, and what is left to decide."""

import json

import pytest
from tests.unit import legacy_files as files

from phoenix_hypervisor import cli
from phoenix_hypervisor.adopt.legacy import folders
from phoenix_hypervisor.config import load

GUEST = "configs/guests/8001-desktop.yaml"
NODE = "configs/nodes/phoenix.yaml"
CANARY = "kanarienvogel-4711"
NFS = {"type": "nfs", "name": "data", "path": "/tank/iso", "mount_point": "/data", "server": "10.0.0.2"}


def guest(**more):
    return files.run(files.with_machines(**more)).files[GUEST]


def fates(result):
    return {one.path: one for one in result.fates if one.file == files.MACHINES}


def decided(result):
    return [one.what for one in result.decisions]


def test_a_machine_is_a_guest_whose_values_say_where_they_came_from():
    assert guest() == (
        "# yaml-language-server: $schema=../.schema/guest.json\n"
        "vm:\n"
        "  image: noble-template # phoenix_vm_configs.json vms[1].clone_from_vmid\n"
        "  cores: 4 # phoenix_vm_configs.json vm_defaults.cores\n"
        "  memory: 2048M # phoenix_vm_configs.json vms[1].memory_mb\n"
        "  disks:\n"
        "    scsi0:\n"
        "      size: 20G # phoenix_vm_configs.json vms[1].disk_size_gb\n"
        "      storage: tank-vm # phoenix_vm_configs.json vm_defaults.storage_pool\n"
        "  net:\n"
        "    net0:\n"
        "      bridge: vmbr0 # phoenix_vm_configs.json vms[1].network_bridge\n"
        "      ip: 10.0.0.81/24 # phoenix_vm_configs.json vms[1].network_config.ip\n"
        "      gw: 10.0.0.1 # phoenix_vm_configs.json vms[1].network_config.gw\n"
        "  cloud_init:\n"
        "    storage: tank-vm # phoenix_vm_configs.json vm_defaults.storage_pool\n"
        "    snippets: local # no storage of the files takes snippets\n"
        "    users:\n"
        "      ann: {} # phoenix_vm_configs.json vms[1].user_config.username\n"
    )


def test_a_template_is_an_image_of_the_node_without_a_checksum():
    result = files.run(files.with_machines())
    assert (
        "\nvm_image:\n"
        "  noble-template:\n"
        '    url: "https://cloud-images.ubuntu.com/noble/current/noble-server-cloudimg-amd64.img"'
        " # phoenix_vm_configs.json vms[0].template_image\n"
        "    vmid: 9000 # phoenix_vm_configs.json vms[0].vmid\n"
        "    storage: tank-vm # phoenix_vm_configs.json vm_defaults.storage_pool\n"
    ) in result.files[NODE]
    assert "sha256" not in result.files[NODE]
    assert [one.split("`")[1] for one in decided(result)] == [
        "ann", "snippets", "vm_image.noble-template.sha256"
    ]  # fmt: skip
    of = fates(result)
    assert (of["vms[0].network_config.ip"].fate, of["vm_defaults.template"].fate) == ("refused", "obsolete")
    assert of["vm_defaults.cores"].to == "cores"


def test_it_loads_once_the_checksum_is_said_and_both_looks_are_told_before(tmp_path, capsys):
    inputs = files.with_machines(volumes=[NFS], dependencies=["910"])
    inputs[files.CONTAINERS]["lxc_configs"]["911"]["gpu_assignment"] = "0"
    source, out = tmp_path / "old", tmp_path / "new"
    source.mkdir()
    for name, value in inputs.items():
        (source / name).write_text(json.dumps(value))
    assert cli.run(["import", "legacy", str(source), "--memory", "64G", "--out", str(out)]) == 2
    said = capsys.readouterr().out
    assert "vm_image:noble-template: `sha256` is missing" in said
    assert "lxc:911: there is no `gpu0`" in said
    assert "localhost" not in "".join(path.read_text() for path in out.rglob("*.yaml"))
    text = (out / NODE).read_text().replace("noble-template:\n", f"noble-template:\n    sha256: {'a' * 64}\n")
    (out / NODE).write_text(text.replace("hardware:\n", 'hardware:\n  gpus: {gpu0: {pci: "0000:01:00.0"}}\n'))
    site = load(out)
    own = site.resources[site.guests["desktop"].ref("vm")]
    assert (own.vmid, own.template_vmid, own.after) == ("8001", "9000", ("guest-910",))
    mount = next(one for ref, one in site.resources.items() if ref.kind == "nfs_mount")
    assert (mount.name, mount.export, mount.server) == ("/data", "/tank/iso", None)


def test_a_whole_site_is_looked_at_once(monkeypatch):
    looks = []
    monkeypatch.setattr(folders, "load", looks.append)
    assert folders.open_questions(files.run(files.with_machines()).files) == []
    assert len(looks) == 1


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"cores": 2}, "  cores: 2 # phoenix_vm_configs.json vms[1].cores"),
        ({"storage_pool": "other"}, "      storage: other # phoenix_vm_configs.json vms[1].storage_pool"),
        ({"start_at_boot": True}, "  onboot: true #"),
        ({"boot_order": 4}, "    order: 4 #"),
        ({"boot_delay": 2}, "    up: 2 #"),
        ({"dependencies": ["910", "9000"]}, "  after: [guest-910] #"),
        ({"mac_address": "52:54:00:00:80:01"}, '      mac: "52:54:00:00:80:01" #'),
        ({"network_config": {"nameservers": ["1.1.1.1", "8.8.8.8"]}}, "    nameserver: [1.1.1.1, 8.8.8.8] #"),
        ({"network_config": {"nameserver": "1.1.1.1"}}, "    nameserver: [1.1.1.1] #"),
        ({"network_config": "10.0.0.9/24,10.0.0.1,8.8.8.8"}, "    nameserver: [8.8.8.8] #"),
        ({"network_config": "10.0.0.9/24,10.0.0.1"}, "      ip: 10.0.0.9/24 #"),
        ({"volumes": [NFS]}, "  nfs-common: {} #"),
        ({"volumes": [{**NFS, "path": "/tank/iso/below"}]}, "    server: 10.0.0.2 #"),
        ({"volumes": [{**NFS, "server": "10.0.0.7", "path": "/mnt/pve/x"}]}, "    export: /mnt/pve/x #"),
        ({"firewall": {"rules": [{"type": "out", "action": "ACCEPT", "dest": "10.0.0.210"}]}},
         "- { direction: out, action: ACCEPT, dest: guest-910 }"),
        ({"firewall": {"rules": [{"type": "out", "action": "ACCEPT"}]}}, "      firewall: true #"),
    ],
)  # fmt: skip
def test_every_shape_of_a_machine_becomes_ours(more, line):
    assert line in guest(**more)


def test_containers_wait_for_machines_and_name_them():
    inputs = files.with_machines()
    rule = {"type": "in", "action": "ACCEPT", "source": "10.0.0.81"}
    inputs[files.CONTAINERS]["lxc_configs"]["910"] |= {
        "dependencies": ["8001"],
        "firewall": {"rules": [rule]},
    }
    text = files.run(inputs).files["configs/guests/910-guest-910.yaml"]
    assert "after: [desktop] #" in text
    assert "- { direction: in, action: ACCEPT, source: desktop }" in text


def test_a_storage_that_takes_snippets_is_taken_for_them():
    inputs = files.with_machines()
    inputs[files.NODE]["zfs"]["datasets"].append(files.dataset("docs", "dir", "iso,snippets"))
    result = files.run(inputs)
    assert "    snippets: tank-docs # phoenix_hypervisor_config.json" in result.files[GUEST]
    assert not any("snippets" in one for one in decided(result))


def test_the_release_of_the_node_s_file_is_that_of_the_image():
    inputs = files.with_machines()
    inputs[files.NODE]["vm_defaults"] = {"ubuntu_release": "jammy"}
    result = files.run(inputs)
    assert "cloud-images.ubuntu.com/jammy/current/noble-server" in result.files[NODE]
    assert next(one.fate for one in result.fates if one.path == "vm_defaults.ubuntu_release") == "normalised"


@pytest.mark.parametrize(
    ("more", "path", "why"),
    [
        ({"vmid": 910}, "vms[1].name", "its VMID is another's, or no number from 100 on"),
        ({"vmid": "a"}, "vms[1].name", "its VMID is another's, or no number from 100 on"),
        ({"clone_from_vmid": 7000}, "vms[1].clone_from_vmid", "no template has that id"),
        ({"dependencies": ["9000"]}, "vms[1].dependencies[0]", "a template never runs"),
        ({"volumes": [{"type": "disk"}]}, "vms[1].volumes[0].type", "needs `type: nfs`, `server`"),
        ({"user_config": {"username": "ann", "gw": "10.0.0.1"}}, "vms[1].user_config.gw", "a gateway is no"),
        ({"docker_stacks": ["x"]}, "vms[1].docker_stacks[0]", "a stack is a `compose_app`"),
        ({"features": ["docker"]}, "vms[1].features[0]", "scripts of the predecessor's"),
        ({"colour": "red"}, "vms[1].colour", "not of a form that is understood"),
    ],
)
def test_what_is_not_taken_says_why(more, path, why):
    one = fates(files.run(files.with_machines(**more)))[path]
    assert one.fate == "refused"
    assert one.why.startswith(why)


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"vmid": 910}, "another `vmid` for the virtual machine `Desktop`"),
        ({"clone_from_vmid": None}, "what 8001 is made of: `image`"),
        ({"network_bridge": None}, "which bridge 8001 is on"),
    ],
)
def test_what_a_machine_does_not_say_is_left_to_decide(more, what):
    assert any(one.startswith(what) for one in decided(files.run(files.with_machines(**more))))


def test_a_key_of_a_machine_that_nobody_knows_is_told_by_its_name():
    found = files.run(files.with_machines(colour="red")).findings
    told = [one.message for one in found if one.rule == "V-03"]
    assert told == ["`vms[1].colour` is not understood: nothing was taken from it"]


def test_a_user_s_password_becomes_a_reference():
    for key in ("password", "password_hash"):
        value = CANARY if key == "password" else f"$6$abcdefgh${CANARY}"
        result = files.run(files.with_machines(user_config={"username": "ann", key: value}))
        assert "        password: !secret " in result.files[GUEST]
        assert CANARY not in json.dumps([result.files, [one.value for one in result.fates]])
        assert any(one.startswith("the value of `!secret ") for one in decided(result))
        assert [one.rule for one in result.findings if one.rule == "V-40"] == ["V-40"]


def test_every_leaf_is_accounted_for():
    inputs = files.with_machines(volumes=[NFS], features=["docker"], dns_records=[])
    result = files.run(inputs)
    assert len(result.fates) == sum(map(files.leaves, inputs.values()))
    assert [one for one in result.fates if one.why == "not of a form that is understood"] == []
