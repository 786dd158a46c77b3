"""Virtual machines without a node: documents of cloud-init, settings that fit, what is late, the way in."""

import base64
import json
import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML

from phoenix_hypervisor import registry
from phoenix_hypervisor.dialects import cloud_config, qemu_conf
from phoenix_hypervisor.errors import GuestDownError, GuestError, HostError
from phoenix_hypervisor.machines import changes, cloud_init, conf, seen
from phoenix_hypervisor.machines.cloud_init import CloudInit
from phoenix_hypervisor.resource import CREATE, Change, Difference
from phoenix_hypervisor.secrets import Secret
from phoenix_hypervisor.transport import Answer, Question
from phoenix_hypervisor.transport.agent import AgentTransport
from phoenix_hypervisor.transport.direct import DirectTransport

PLACES = {"storage": "disks", "snippets": "local"}


def vm(**settings):
    return registry.kind("vm").model_validate({"name": "8001"} | settings)


def seed(**settings):
    return CloudInit.model_validate({**PLACES, **settings})


# cloud-init


def test_user_data_is_a_cloud_config():
    own = seed(
        users={"heads": {"groups": ["sudo"], "sudo": "all", "keys": ["ssh-ed25519 AAAA me"],
                         "password": Secret("people/heads")}},
        packages=["curl"],
        files={"/etc/x": {"content": "a: \"b\"\n- c\n", "mode": "0600", "after_packages": True}},
        commands=["echo 'x' | tee /y", ["touch", "/z z"]],
        timezone="Europe/Berlin",
        more={"locale": "de_DE.UTF-8"},
    )  # fmt: skip
    text = cloud_init.user_data(own, "desk.home.arpa", agent=True)
    assert text.startswith("#cloud-config\n")
    assert YAML(typ="safe", pure=True).load(text) == {
        "hostname": "desk",
        "fqdn": "desk.home.arpa",
        "manage_etc_hosts": True,
        "updates": {"network": {"when": ["boot-new-instance", "boot"]}},
        "ssh_pwauth": False,
        "timezone": "Europe/Berlin",
        "users": [
            {
                "name": "heads",
                "shell": "/bin/bash",
                "groups": ["sudo"],
                "sudo": "ALL=(ALL) NOPASSWD:ALL",
                "lock_passwd": False,
                "hashed_passwd": "<the hash of heads>",
                "ssh_authorized_keys": ["ssh-ed25519 AAAA me"],
            }
        ],
        "package_update": True,
        "package_upgrade": False,
        "packages": ["qemu-guest-agent", "curl"],
        "write_files": [
            {"path": "/etc/x", "content": 'a: "b"\n- c\n', "permissions": "0600", "owner": "root:root",
             "defer": True}
        ],
        "runcmd": [
            ["systemctl", "enable", "--now", "qemu-guest-agent"], "echo 'x' | tee /y", ["touch", "/z z"],
        ],
        "locale": "de_DE.UTF-8",
    }  # fmt: skip


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc: -#", min_size=1), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), PLAIN, max_size=4))
def test_any_settings_come_out_of_yaml_as_they_went_in(value):
    assert (YAML(typ="safe", pure=True).load(cloud_init.written(value)) or {}) == value


def test_what_only_yaml_1_1_takes_for_something_else_is_in_quotes():
    assert cloud_init.written({"a-b": {"on": "no", "x y": 1}, "é": "\x85\u2028\x7f😀"}) == (
        'a-b:\n  "on": "no"\n  "x y": 1\n"é": "\\u0085\\u2028\\u007f😀"\n'
    )


def test_a_digest_leaves_passwords_out():
    one = cloud_init.user_data(seed(users={"a": {"password": Secret("x/y")}}), "d", agent=True)
    other = re.sub("<the hash of a>", "$6$salt$hash", one)
    assert one != other
    assert cloud_init.digest(one) == cloud_init.digest(other)


def test_what_cloud_init_would_refuse_is_refused_where_it_stands():
    with pytest.raises(ValidationError) as raised:
        seed(more={"runcmdd": [], "ntp": None, "power_state": "reboot", "resize_rootfs": 1.5, "locale": "C"})
    found = {one["loc"]: one["msg"] for one in raised.value.errors()}
    assert found == {
        ("more", "runcmdd"): "is no key of a cloud-config",
        ("more", "power_state"): "must be settings, and is text",
        ("more", "resize_rootfs"): "must be true or false or text, and is a number",
    }
    # nothing of what we write ourselves is refused
    text = cloud_init.user_data(seed(users={"a": {}}, files={"/x": {"content": ""}}), "d.e", agent=True)
    assert list(cloud_config.faults(YAML(typ="safe", pure=True).load(text))) == []


def test_one_instance_for_the_whole_life():
    assert vm(cloud_init=PLACES).meta_data == vm(cloud_init={**PLACES, "packages": ["curl"]}).meta_data


def test_what_has_a_setting_is_not_said_once_more():
    with pytest.raises(ValueError, match="cannot hold packages, users"):
        seed(more={"users": [], "packages": []})


# Settings


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"bios": "ovmf"}, "needs `efi`"),
        ({"efi": {"storage": "disks"}}, "belongs to `bios: ovmf`"),
        ({"pci": {"hostpci0": {"gpu": "gpu0"}}}, "PCI Express needs `machine: q35`"),
        ({"machine": "q35", "pci": {"hostpci0": {}}}, "needs one of `gpu`, `address` and `mapping`"),
        ({"memory": "1G", "balloon": "2G"}, "`balloon` is the least memory"),
        ({"disks": {"scsi1": {"size": "1G"}}}, "the disk `scsi1` needs `storage` and `size`"),
        ({"disks": {"virtio1": {"size": "1G", "storage": "disks", "ssd": True}}}, "knows no `ssd`"),
        ({"net": {"net0": {"bridge": "vmbr0", "gw": "10.0.0.1"}}}, "`gw` belongs to an address"),
        ({"net": {"net0": {"bridge": "vmbr0", "ip": "manual"}}}, "cloud-init knows no `manual`"),
        (
            {"image": "u", "clone_mode": "linked", "disks": {"scsi0": {"storage": "disks"}}},
            "a linked clone lies",
        ),
        ({"restart": "window"}, "belong together"),
    ],
)
def test_settings_that_exclude_each_other_are_refused(settings, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        vm(**settings)


def test_the_rendered_conf_means_what_is_declared():
    one = vm(
        cores=8, memory="16G", machine="q35", bios="ovmf", efi={"storage": "disks"}, tpm={"storage": "disks"},
        disks={"scsi0": {"size": "50G", "storage": "disks", "ssd": True}}, serial=True, hotplug=[],
        net={"net0": {"bridge": "vmbr0", "ip": "10.0.0.60/24", "gw": "10.0.0.1", "ip6": "auto"}},
        pci={"hostpci0": {"address": "0000:05:00", "primary": True}}, cloud_init=PLACES, tags=["ai"],
    )  # fmt: skip
    assert conf.rendered(one) == (
        "agent: 1\n"
        "bios: ovmf\n"
        "cicustom: meta=local:snippets/phoenix-8001-meta.yaml,user=local:snippets/phoenix-8001-user.yaml\n"
        "cores: 8\n"
        "efidisk0: disks:<volume>,efitype=4m,pre-enrolled-keys=0\n"
        "hostpci0: 0000:05:00,pcie=1,x-vga=1\n"
        "hotplug: 0\n"
        "ide2: disks:vm-8001-cloudinit,media=cdrom\n"
        "ipconfig0: gw=10.0.0.1,ip=10.0.0.60/24,ip6=auto\n"
        "machine: q35\n"
        "memory: 16384\n"
        "name: VM8001\n"
        "net0: virtio=<kept>,bridge=vmbr0\n"
        "scsi0: disks:<volume>,size=50G,ssd=1\n"
        "serial0: socket\n"
        "tags: ai;phoenix\n"
        "tpmstate0: disks:<volume>,version=v2.0\n"
    )
    assert conf.desired(one, frozenset()) == conf.actual(
        one, qemu_conf.parse(conf.rendered(one)), frozenset()
    )


def test_clones_of_one_template_wait_for_each_other_only_where_they_allocate():
    """`qm clone` holds a shared lock on its template, and a storage allocates one disk at a time."""

    def locks(name, storage):
        one = vm(name=name, image="u", disks={"scsi0": {"storage": storage, "size": "4G"}})
        (clone, *_) = one.converge(CREATE)
        return set(clone.locks)

    assert locks("101", "one") == {"conf:101", "storage:one"}
    assert locks("101", "one") & locks("102", "one") == {"storage:one"}
    assert not locks("101", "one") & locks("102", "two")


def test_a_pci_device_that_another_machine_has_is_said_before_the_start():
    one = vm(image="u", machine="q35", pci={"hostpci0": {"address": "0000:10:00.0"}})
    busy = "the machine 102 has 0000:10:00.0 at this moment"
    found = {"present": Difference(False, True), "in_the_way.hostpci0": Difference(busy, "")}
    (refusal,) = one.converge(Change(found))
    assert refusal.reason == f"{busy}, and without it VM8001 cannot be started"


# Hot or late


@pytest.mark.parametrize(
    ("name", "actual", "desired", "late"),
    [
        ("onboot", "0", "1", False),
        ("cores", "1", "2", True),
        ("memory", "512", "1024", True),
        ("balloon", "256", "512", False),
        ("balloon", "0", "512", True),
        ("net.net0", "bridge=vmbr0", "bridge=vmbr1", False),
        ("disks.scsi1", None, "ssd=1", False),
        ("disks.scsi1", "", "ssd=1", True),
        ("disks.scsi1", "", "backup=0", False),
        ("disks.sata1", None, "", True),
        ("pci.hostpci0", None, "host=0000:05:00", True),
        ("addresses.net0", "", "ip=dhcp", True),
        ("disks.scsi0.size", "1G", "2G", False),
    ],
)
def test_what_a_running_machine_takes_at_once(name, actual, desired, late):
    plain = qemu_conf.parse("hotplug: network,disk,usb\n")
    assert changes.is_late(name, Difference(actual, desired), plain) is late


def test_without_hotplug_all_but_words_is_late():
    fixed = qemu_conf.parse("hotplug: 0\n")
    assert changes.is_late("net.net0", Difference("a", "b"), fixed)
    assert changes.is_late("disks.scsi1", Difference(None, ""), fixed)
    assert not changes.is_late("description", Difference("a", "b"), fixed)


def test_machines_that_run_are_told_by_their_scopes():
    assert seen.running("101.scope\n8001.scope\nuser.slice\n") == {"101", "8001"}


# The way inside


class Node:
    """A node's transport that has a guest agent in it, which really runs what it is given."""

    trips = 0

    def __init__(self, tmp_path, said=None):
        self.asked, self._said = [], said

    def ask(self, questions):
        (question,) = questions
        self.asked.append(question.command)
        if self._said is not None:
            return [self._said]
        inside = question.command.partition(" -- ")[2].rpartition(" || ")[0]
        stdin = b"".join(
            part.encode() if isinstance(part, str) else base64.b64encode(b"secret")
            for part in question.stdin.parts
        )
        ended = subprocess.run(["sh", "-c", inside], input=stdin, capture_output=True, check=False)
        document = {"exitcode": ended.returncode, "exited": 1, "out-data": ended.stdout.decode()}
        return [Answer(0, json.dumps(document).encode(), b"")]

    act = None


def test_a_batch_of_questions_is_one_command(tmp_path):
    node = Node(tmp_path)
    way = AgentTransport("desk", "8001", node)
    answers = way.ask(
        [Question("echo one; echo wrong >&2"), Question("exit 3"), Question("printf 'a\\000\\377'")]
    )
    assert answers == [Answer(0, b"one\n", b"wrong\n"), Answer(3, b"", b""), Answer(0, b"a\x00\xff", b"")]
    assert [command.split(" -- ")[0] for command in node.asked] == [
        "qm guest exec 8001 --pass-stdin 1 --timeout 300"
    ]


WHAT_TO_DO = "is qemu-guest-agent installed and started in it, and `agent` on?"


@pytest.mark.parametrize(
    ("said", "error", "text"),
    [
        (Answer(97, b"", b"VM 8001 is not running\n"), GuestDownError, "guest `desk` does not run"),
        (
            Answer(255, b"", b"QEMU guest agent is not running\n"),
            GuestError,
            "guest `desk` cannot be entered: QEMU guest agent is not running; " + WHAT_TO_DO,
        ),
        (
            Answer(0, b'{"pid": 7}', b""),
            GuestError,
            "guest `desk` did not answer within 300 s: its agent is at work",
        ),
        (Answer(0, b"what", b""), GuestError, "guest `desk` cannot be entered: qm guest exec ended with 0"),
    ],
)
def test_an_agent_that_says_nothing_is_told_and_not_waited_for(tmp_path, said, error, text):
    with pytest.raises(error) as raised:
        AgentTransport("desk", "8001", Node(tmp_path, said)).ask([Question("true")])
    assert raised.value.message == text


class Machine:
    """What `connect` gives for a machine: a connection that may be refused, or break."""

    def __init__(self, world):
        self._world, self._live = world, world["run"]
        self.trips = 0

    def open(self):
        self._world["tries"] += 1
        if not self._world["sshd"]:
            raise HostError("host `desk` cannot be reached: Connection refused", hint="check that sshd runs")

    def ask(self, questions):
        if self._live != self._world["run"] or not self._world["sshd"]:
            raise HostError("host `desk`: the connection broke: it was closed")
        return [Answer(0, question.command.encode(), b"") for question in questions]

    def act(self, command, stdin=None, hear=None):
        self._world["acts"] += 1
        return self.ask([Question(command)])[0]

    def close(self):
        pass


@pytest.fixture
def world():
    """`run` is what tells one run of the machine from the next; empty when it does not run."""
    return {"run": "1", "sshd": True, "tries": 0, "acts": 0}


@pytest.fixture
def direct(world):
    class Node:
        def ask(self, questions):
            return [Answer(0, f"{world['run']}\n".encode(), b"") for _ in questions]

    return DirectTransport("desk", "8001", Node(), lambda: Machine(world))


def test_a_machine_by_ssh_keeps_one_connection_through_a_restart(world, direct):
    assert [direct.ask([Question("a"), Question("b")])[1].stdout, direct.act("c").stdout] == [b"b", b"c"]
    assert world["tries"] == 1
    world["run"] = "2"
    assert direct.act("d").stdout == b"d"
    assert world == {"run": "2", "sshd": True, "tries": 2, "acts": 2}, "no act was begun twice"


def test_a_machine_that_refuses_ssh_is_tried_once_for_each_of_its_starts(world, direct):
    world["sshd"] = False
    for _ in range(3):
        with pytest.raises(
            GuestError, match="guest `desk` cannot be entered by ssh: Connection refused"
        ) as raised:
            direct.ask([Question("a")])
        assert raised.value.hint == "check that sshd runs"
    assert world["tries"] == 1
    world.update(run="2", sshd=True)
    assert direct.ask([Question("a")])[0].stdout == b"a"
    world.update(run="", sshd=False)
    with pytest.raises(GuestDownError, match="guest `desk` does not run"):
        direct.act("b")
    assert world["acts"] == 0
