"""What went wrong with people and access before Phoenix: each of these faults has a test that names it."""

import re

import pytest
from tests.contract.ground import HOST, Scene

from phoenix_hypervisor.errors import ExitCode
from phoenix_hypervisor.resource import Ref
from phoenix_hypervisor.secrets import Secret

KEY = f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'A' * 43} boss@desk"
PEOPLE = {
    "unix_user": {
        "boss": {
            "password": Secret("sample/first"),
            "authorized_keys": [KEY],
            "sudo": ["ALL=(ALL:ALL) ALL"],
        },
        "heads": {"authorized_keys": [KEY]},
    },
    "pve_user": {"boss@pam": {}},
    "pve_acl": {"/ boss@pam": {"roles": ["Administrator"]}},
    "sshd": {"password_authentication": False, "permit_root_login": "prohibit-password"},
}


@pytest.fixture(scope="module")
def converged(tmp_path_factory):
    scene = Scene.fresh(tmp_path_factory.mktemp("people") / "site")
    before = {path: text(scene, path) for path in ("/etc/sudoers", "/etc/ssh/sshd_config")}
    scene.declare(PEOPLE)
    run = scene.run(apply=True)
    assert run.code is ExitCode.OK, run.shown
    return scene, before, run


@pytest.fixture
def made(converged):
    """A node with its people; nobody changes it."""
    return converged[0]


def text(scene, path):
    return (scene.node.root / path[1:]).read_text()


def said(scene, command):
    ended = scene.node.run(command)
    assert ended.status == 0, ended
    return ended.stdout.decode()


def test_no_password_is_asked_for_by_a_prompt_in_every_run(converged):
    """There, the script for the second user ran `passwd`, and a person had to type one at every run."""
    made, _, run = converged
    assert len([act for act in run.acts if "chpasswd" in act]) == 1  # on its stdin
    again = made.run(apply=True)
    assert (again.code, again.acts) == (ExitCode.OK, [])
    scripts = made.node.root / "var/lib/phoenix/scripts"
    texts = [path.read_text() for path in scripts.rglob("*.sh")]
    assert len(texts) > 3
    assert not [
        found for each in texts for found in re.findall(r"(?m)^\s*(?:passwd|read)\b.*|/dev/tty", each)
    ]


def test_the_sudoers_file_is_not_appended_to_and_nothing_counts_that_visudo_has_not_read(converged):
    """There, `%sudo ALL=(ALL:ALL) ALL` was appended to /etc/sudoers in every run, unread by visudo."""
    scene, before, run = converged
    assert text(scene, "/etc/sudoers") == before["/etc/sudoers"]
    assert [path.name for path in (scene.node.root / "etc/sudoers.d").iterdir()] == ["phoenix-boss"]
    (act,) = [act for act in run.acts if "/etc/sudoers.d/phoenix-boss" in act and "mv -f" in act]
    assert act.index("visudo -c") < act.rindex("mv -f")


def test_a_right_that_is_there_is_not_given_again(made):
    """There, a test that did not fit the tool's output gave the administrator's right anew in every run."""
    assert made.node.run("pveum acl list").stdout.count(b"boss@pam") == 1
    before = text(made, "/etc/pve/user.cfg")
    assert not [act for act in made.run(apply=True).acts if "pveum" in act]
    assert text(made, "/etc/pve/user.cfg") == before


def test_a_key_is_not_appended_again(made):
    """There, every run appended it to authorized_keys."""
    made.run(apply=True)
    assert text(made, "/home/boss/.ssh/authorized_keys") == f"{KEY}\n"


def test_nobody_may_do_as_root_does_who_was_not_declared_to(made):
    """There, both people ended in the group sudo and with Proxmox's Administrator on everything."""
    assert "heads" not in text(made, "/etc/sudoers.d/phoenix-boss") + text(made, "/etc/pve/user.cfg")
    groups = [line.split(":") for line in text(made, "/etc/group").splitlines()]
    assert [group[0] for group in groups if "heads" in group[3].split(",")] == []


def test_who_has_keys_and_no_password_can_log_in_by_key_alone(converged):
    """There, every account had a password, and sshd took it: no keys-only policy, no hardening."""
    scene, before, _ = converged
    (heads,) = [line for line in text(scene, "/etc/shadow").splitlines() if line.startswith("heads:")]
    assert heads.split(":")[1] in ("!", "*")
    assert "passwordauthentication no\n" in said(scene, "sshd -T")
    assert text(scene, "/etc/ssh/sshd_config") == before["/etc/ssh/sshd_config"]


def test_a_password_that_is_declared_anew_is_the_one_that_counts(made, tmp_path):
    """There, nothing changed for an account once it existed."""
    scene = made.copy(tmp_path / "site")
    old = text(scene, "/etc/shadow")
    people = {
        **PEOPLE["unix_user"],
        "boss": {**PEOPLE["unix_user"]["boss"], "password": Secret("sample/second")},
    }
    scene.declare({**PEOPLE, "unix_user": people})
    run = scene.run(apply=True)
    assert run.attributes(Ref(HOST, "unix_user", "boss")) == {"password"}
    assert run.code is ExitCode.OK
    assert text(scene, "/etc/shadow") != old
