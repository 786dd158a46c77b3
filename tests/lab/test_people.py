"""Accounts and ssh: what does not parse never takes its place, what shuts us out comes back by itself."""

import json

import pytest
from tests.contract.ground import HOST, Scene
from tests.lab.containers import BASE, NODE, Containers
from tests.lab.running import LabSite, statuses

from phoenix_hypervisor.errors import ExitCode, InputError
from phoenix_hypervisor.kinds.sshd import END, FILE
from phoenix_hypervisor.observe.kinds_page import yaml
from phoenix_hypervisor.resource import Ref
from phoenix_hypervisor.secrets import Secret, Text

SCRIPTS = "/var/lib/phoenix/scripts"
TIMERS = "var/lib/phoenix-lab/timers.json"
ONE, TWO = (f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{sign * 43} who@where" for sign in "AB")
HEADS = {"unix_user": {"heads": {"authorized_keys": [ONE], "sudo": ["ALL=(ALL:ALL) ALL"]}}}
SSHD = {"sshd": {"permit_root_login": "prohibit-password", "x11_forwarding": False}}


@pytest.fixture
def scene(tmp_path) -> Scene:
    return Scene.fresh(tmp_path / "site")


def text(scene, path):
    return (scene.node.root / path[1:]).read_text()


def applied(scene, sections, **how):
    scene.declare(sections)
    return scene.run(apply=True, **how)


def good(scene, sections, **how):
    run = applied(scene, sections, **how)
    assert run.code is ExitCode.OK, run.shown
    return run


def names(scene, folder):
    return sorted(path.name for path in (scene.node.root / folder[1:]).iterdir())


def time_passes(scene):
    """All timers of the node are due, and run."""
    path = scene.node.root / TIMERS
    path.write_text(json.dumps([{**row, "due": 0} for row in json.loads(path.read_text())]))
    assert scene.node.run("lab-timers").status == 0


@pytest.mark.parametrize("before", [None, "ALL=(ALL:ALL) ALL"])
def test_rules_that_visudo_cannot_read_are_never_there(scene, before):
    if before:
        good(scene, {"unix_user": {"heads": {"sudo": [before]}}})
    there = {name: text(scene, f"/etc/sudoers.d/{name}") for name in names(scene, "/etc/sudoers.d")}
    run = applied(scene, {"unix_user": {"heads": {"sudo": ["ALL=(ALL:ALL ALL)) oops"]}}})
    assert run.code is ExitCode.FAILED
    assert "syntax error" in run.outcome.stuck[Ref(HOST, "unix_user", "heads")]
    assert {name: text(scene, f"/etc/sudoers.d/{name}") for name in names(scene, "/etc/sudoers.d")} == there


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"PermitRootLogin maybe\n{END}", 'unsupported option "maybe"'),
        (f"NoSuchThing yes\n{END}", "Bad configuration option: NoSuchThing"),
        ("PermitRootLogin yes\n", "came only in part"),
    ],
)
def test_a_file_that_sshd_cannot_read_is_never_there(scene, content, said):
    good(scene, SSHD)
    before = text(scene, FILE)
    ended = scene.node.run(f"sh {SCRIPTS}/sshd/put.sh put", stdin=Text(content))
    assert ended.status == 1
    assert said in ended.stderr.decode()
    assert text(scene, FILE) == before
    assert names(scene, "/etc/ssh/sshd_config.d") == ["00-phoenix.conf"]


def test_what_another_file_says_first_is_told_and_left_alone(scene):
    theirs = scene.node.root / "etc/ssh/sshd_config.d/00-a.conf"
    theirs.write_text("X11Forwarding yes\n")
    run = applied(scene, SSHD)
    assert run.code is ExitCode.FAILED
    assert "sshd has X11Forwarding yes" in run.outcome.stuck[Ref(HOST, "sshd", HOST)]
    assert theirs.read_text() == "X11Forwarding yes\n"


@pytest.mark.parametrize("before", [None, "X11Forwarding no\n"])
def test_sshd_s_file_comes_back_when_nobody_confirms_it(scene, before):
    good(scene, SSHD)
    path = scene.node.root / FILE[1:]
    path.unlink()
    if before:
        path.write_text(before)
    script = f"sh {SCRIPTS}/sshd/put.sh"
    assert scene.node.run(f"{script} arm 60").status == 0
    assert scene.node.run(f"{script} put", stdin=Text(f"PermitRootLogin no\n{END}")).status == 0
    assert path.read_text() == "PermitRootLogin no\n"
    time_passes(scene)
    assert (path.read_text() if path.exists() else None) == before
    late = scene.node.run(f"{script} disarm")
    assert (late.status, "taken back" in late.stderr.decode()) == (1, True)


def test_what_was_confirmed_stays(scene):
    good(scene, SSHD)
    assert not (scene.node.root / TIMERS).exists()  # the new connection has stopped it
    assert text(scene, FILE).endswith("PermitRootLogin prohibit-password\nX11Forwarding no\n")


def test_our_own_keys_come_back_when_nobody_confirms_them(scene):
    good(scene, {"unix_user": {"root": {"authorized_keys": [ONE]}}})
    run = applied(scene, {"unix_user": {"root": {"authorized_keys": [TWO]}}})
    assert run.code is ExitCode.OK
    (step,) = [step for entry in run.plan.entries for step in entry.steps]
    assert step.confirm is not None  # we came by ssh, as root
    script = f"sh {SCRIPTS}/unix_user/keys-root.sh"
    assert scene.node.run(f"{script} arm 60").status == 0
    assert scene.node.run(f"{script} put remove", stdin=Text(f"{ONE}\n{END}")).status == 0
    time_passes(scene)
    assert text(scene, "/root/.ssh/authorized_keys") == f"{TWO}\n"


def test_half_of_the_keys_change_nothing(scene):
    good(scene, HEADS)
    ended = scene.node.run(f"sh {SCRIPTS}/unix_user/keys-heads.sh put remove", stdin=Text(f"{TWO}\n"))
    assert (ended.status, "only in part" in ended.stderr.decode()) == (1, True)
    assert text(scene, "/home/heads/.ssh/authorized_keys") == f"{ONE}\n"


def test_keys_of_others_are_kept_where_that_is_declared(scene):
    good(scene, HEADS)
    (scene.node.root / "home/heads/.ssh/authorized_keys").write_text(f"# theirs\n{TWO}\n")
    good(scene, {"unix_user": {"heads": {"authorized_keys": [ONE], "other_keys": "keep"}}})
    assert text(scene, "/home/heads/.ssh/authorized_keys") == f"{ONE}\n# theirs\n{TWO}\n"


def test_a_link_in_the_place_of_the_keys_is_replaced_and_not_followed(scene):
    good(scene, HEADS)
    passwd = text(scene, "/etc/passwd")
    path = scene.node.root / "home/heads/.ssh/authorized_keys"
    path.unlink()
    path.symlink_to("/etc/passwd")
    good(scene, HEADS)
    assert (path.is_symlink(), path.read_text(), text(scene, "/etc/passwd")) == (False, f"{ONE}\n", passwd)


def test_who_goes_leaves_the_home(scene):
    good(scene, HEADS)
    good(scene, {"unix_user": {"heads": {"state": "absent"}}}, destroy=["unix_user:heads"])
    assert "heads" not in text(scene, "/etc/passwd")
    assert text(scene, "/home/heads/.ssh/authorized_keys") == f"{ONE}\n"
    assert names(scene, "/etc/sudoers.d") == []


@pytest.mark.parametrize("settings", [{"state": "absent"}, {"locked": True}, {"expires": "2030-01-01"}])
def test_root_is_neither_removed_nor_locked(scene, settings):
    with pytest.raises(InputError, match="root is needed by everything"):
        scene.declare({"unix_user": {"root": settings}})


def test_somebody_who_was_there_is_changed_and_is_no_orphan_later(scene):
    assert scene.node.run("useradd -m guest").status == 0
    good(scene, {"unix_user": {"guest": {"shell": "/bin/bash", "groups": ["video"]}}})
    run = good(scene, {}, prune=True)
    assert (run.orphans, run.acts) == ([], [])


def test_who_was_locked_by_hand_stays_locked_with_a_new_password(scene):
    user = {"password": Secret("sample/first")}
    good(scene, {"unix_user": {"heads": user}})
    assert scene.node.run("usermod -L heads").status == 0
    good(scene, {"unix_user": {"heads": {"password": Secret("sample/second")}}})
    assert "\nheads:!$6$" in text(scene, "/etc/shadow")


def test_in_a_guest_an_account_is_made_as_on_a_node(tmp_path):
    folder = Containers.fresh(tmp_path / "site").folder
    inside = {"heads": {"authorized_keys": [ONE], "sudo": ["ALL=(ALL:ALL) ALL"], "groups": ["sudo"]}}
    (folder / "configs/guests/101-box.yaml").write_text(yaml({"lxc": BASE, "unix_user": inside}))
    site = LabSite(folder, NODE)
    applied = site.apply()
    assert (applied["exit"], statuses(applied)) == (0, {})
    said = site.on_node("lxc-attach -n 101 --clear-env -- cat /home/heads/.ssh/authorized_keys")
    assert said == f"{ONE}\n"
    with site.nothing_done():
        assert site.apply()["exit"] == 0
