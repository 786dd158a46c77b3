"""Users, roles, rights and tokens of Proxmox: what goes wrong, and where a secret is and is not."""

import pytest
from tests.contract.ground import HOST, Scene
from tests.lab.running import LabSite, entry, statuses, steps
from tests.lab.test_canary import Watch

from phoenix_hypervisor.errors import ExitCode, InputError
from phoenix_hypervisor.observe.kinds_page import yaml
from phoenix_hypervisor.resource import Ref
from phoenix_hypervisor.secrets import Secret

PASSWORDS = {
    "access/dev": "canary-3f7a-Dev",
    "access/heads": "canary-9b2e-Heads",
}  # no secrets: of lab nodes only
TOKEN = "pve_token:root@pam!ci"
TOKENS = "etc/pve/priv/token.cfg"
ACCESS = {
    "pve_user": {"dev@pve": {"password": Secret("access/dev")}},
    "unix_user": {"heads": {"password": Secret("access/heads")}},
    "pve_token": {"root@pam!ci": {"value": Secret("access/token")}},
}
ADMIN = {
    "pve_user": {"boss@pve": {}},
    "pve_acl": {"/ boss@pve": {"roles": ["Administrator"]}},
}


@pytest.fixture
def scene(tmp_path) -> Scene:
    return Scene.fresh(tmp_path / "site")


def applied(scene, sections, **how):
    scene.declare(sections)
    return scene.run(apply=True, **how)


def good(scene, sections, **how):
    run = applied(scene, sections, **how)
    assert run.code is ExitCode.OK, run.shown
    return run


def config(scene):
    return (scene.node.root / "etc/pve/user.cfg").read_text()


def reasons(run):
    return [refusal.reason for entry in run.plan.entries for refusal in entry.refusals]


# --- rights ---


@pytest.mark.parametrize(
    ("name", "roles", "said"),
    [
        ("/vms/100 nobody@pve", ["PVEVMUser"], "there is no nobody@pve"),
        ("/vms/100 @nobodies", ["PVEVMUser"], "there is no @nobodies"),
        ("/vms/100 root@pam!lost", ["PVEVMUser"], "there is no root@pam!lost"),
        ("/vms/100 dev@pve", ["Nothing", "PVEVMUser"], "there is no role Nothing"),
    ],
)
def test_rights_of_nobody_and_roles_that_are_not_there_are_said(scene, name, roles, said):
    good(scene, {"pve_user": {"dev@pve": {}}})
    before = config(scene)
    run = applied(scene, {"pve_user": {"dev@pve": {}}, "pve_acl": {name: {"roles": roles}}})
    assert (run.code, run.acts) == (ExitCode.FAILED, [])
    assert reasons(run) == [f"{said}: make it first, or declare it"]
    assert config(scene) == before


def test_what_is_declared_together_is_made_in_one_go(scene):
    run = good(
        scene,
        {
            "pve_acl": {"/vms/100 dev@pve!ci": {"roles": ["Ops"]}, "/ @devs": {"roles": ["PVEAuditor"]}},
            "pve_token": {"dev@pve!ci": {"value": Secret("sample/token"), "overwrite": True}},
            "pve_role": {"Ops": {"privileges": ["VM.Audit"]}},
            "pve_user": {"dev@pve": {"groups": ["devs"]}},
        },
    )
    assert run.plan.pending
    assert "acl:1:/:@devs:PVEAuditor:\nacl:1:/vms/100:dev@pve!ci:Ops:\n" in config(scene)


def test_rights_that_somebody_has_besides_are_taken_at_that_place_only(scene):
    sections = {"pve_user": {"dev@pve": {}}, "pve_acl": {"/vms dev@pve": {"roles": ["PVEVMUser"]}}}
    good(scene, sections)
    more = "pveum acl modify /vms --users dev@pve --roles PVEAdmin"
    more += " && pveum acl modify / --users dev@pve --roles PVEAuditor"
    assert scene.node.run(more).status == 0
    run = good(scene, sections)
    assert [step for step in run.steps if step.endswith("--roles PVEAdmin")]
    assert config(scene).endswith("acl:1:/:dev@pve:PVEAuditor:\nacl:1:/vms:dev@pve:PVEVMUser:\n")


def test_a_role_that_somebody_has_is_not_removed(scene):
    role = {"pve_role": {"Ops": {"privileges": ["VM.Audit"]}}}
    good(scene, role)
    assert scene.node.run("pveum acl modify / --users root@pam --roles Ops; pveum user add x@pve").status == 0
    assert scene.node.run("pveum acl modify /vms --users x@pve --roles Ops").status == 0
    run = applied(scene, {"pve_role": {"Ops": {**role["pve_role"]["Ops"], "state": "absent"}}})
    assert run.code is ExitCode.FAILED
    assert "still given to x@pve at /vms" in run.outcome.stuck[Ref(HOST, "pve_role", "Ops")]
    assert "role:Ops:" in config(scene)


def test_the_last_administrator_stays(scene):
    good(scene, ADMIN)
    # root@pam counts as one until somebody disables it
    assert scene.node.run("pveum user modify root@pam --enable 0").status == 0
    before = config(scene)
    rights = {"/ boss@pve": {"roles": ["Administrator"], "state": "absent"}}
    lesser = {"/ boss@pve": {"roles": ["PVEAuditor"]}}
    disabled = {"boss@pve": {"enable": False}}
    for sections in (
        {**ADMIN, "pve_acl": rights},
        {**ADMIN, "pve_acl": lesser},
        {**ADMIN, "pve_user": disabled},
    ):
        run = applied(scene, sections)
        assert (run.code, run.acts) == (ExitCode.FAILED, [])
        assert any("last" in reason for reason in reasons(run))
    pruned = applied(scene, {}, prune=True, destroy=["pve_user:boss@pve"])
    assert pruned.code is ExitCode.FAILED
    assert config(scene) == before
    assert scene.node.run("pveum user modify root@pam --enable 1").status == 0
    good(scene, {}, prune=True, destroy=["pve_user:boss@pve"])
    assert "boss@pve" not in config(scene)


@pytest.mark.parametrize(
    "sections",
    [
        {"pve_user": {"root@pam": {"enable": False}}},
        {"pve_acl": {"/ root@pam": {"roles": ["NoAccess"]}}},
        {"pve_role": {"Administrator": {"privileges": ["VM.Audit"]}}},
        {"pve_role": {"PVEMine": {"privileges": ["VM.Audit"]}}},
        {"pve_user": {"dev@pam": {"password": Secret("sample/first")}}},
    ],
)
def test_what_is_proxmox_s_own_is_not_managed(scene, sections):
    with pytest.raises(InputError):
        scene.declare(sections)


# --- secrets ---


@pytest.fixture(scope="module")
def _site(tmp_path_factory):
    scene = Scene.fresh(tmp_path_factory.mktemp("access") / "site")
    scene.declare(ACCESS)
    site = LabSite(scene.folder, HOST)
    assert site.run("secrets", "init").status == 0
    for name, value in PASSWORDS.items():
        assert site.run("secrets", "set", name, stdin=value.encode()).status == 0
    return site


@pytest.fixture
def site(_site, tmp_path):
    return _site.copy(tmp_path / "site")


def declare(site, sections):
    path = site.folder / f"configs/nodes/{HOST}.yaml"
    path.write_text(yaml(sections))


def value(site):
    """The token's value, as the node keeps it."""
    return (site.node.root / TOKENS).read_text().split()[1]


def found_in(site, secret):
    """Files below the site and its node that hold this text."""
    every = (path for path in site.folder.rglob("*") if path.is_file() and not path.is_symlink())
    disks = site.node.folder / "disks"
    return [
        str(path.relative_to(site.folder))
        for path in every
        if disks not in path.parents and secret.encode() in path.read_bytes()
    ]


def test_passwords_and_a_token_are_where_they_belong_and_nowhere_else(site):
    with Watch() as watch:
        planned = site.run("plan", "--json")
        ran = site.run("-v", "apply", "--yes")
        again = site.run("apply", "--json")
        checked = site.pytest("-l", "--tb=long", "-rA")
    assert [run.status for run in (planned, ran, again, checked)] == [2, 0, 0, 0], (ran, again, checked)
    assert again.document["steps"] == []
    said = "".join(run.out + run.err for run in (planned, ran, again, checked)).encode()
    token = value(site)
    node = f"{site.node.root.relative_to(site.folder)}/{TOKENS}"
    assert {secret: found_in(site, secret) for secret in (*PASSWORDS.values(), token)} == {
        **{password: [] for password in PASSWORDS.values()},
        token: [node],
    }
    for secret in (*PASSWORDS.values(), token):
        assert secret.encode() not in said
        assert not any(secret.encode() in text for text in watch.texts)
    for tool in (b"chpasswd", b"pveum", b"perl"):
        assert any(tool in text for text in watch.texts)  # it was looked at the right time
    assert "its value is kept as <secret access/token>" in planned.out


@pytest.fixture(scope="module")
def _made(_site, tmp_path_factory):
    site = _site.copy(tmp_path_factory.mktemp("access-made") / "site")
    assert site.run("apply", "--yes").status == 0
    return site


@pytest.fixture
def made(_made, tmp_path):
    return _made.copy(tmp_path / "site")


def test_a_store_that_lost_the_value_takes_it_again(made):
    assert made.run("secrets", "remove", "access/token").status == 0
    assert steps(made.plan()) == ["keep the value of root@pam!ci as <secret access/token>"]
    before = value(made)
    applied = made.apply()
    assert (applied["exit"], value(made)) == (0, before)
    with made.nothing_done():
        assert made.apply()["exit"] == 0


def test_another_value_in_the_store_is_not_replaced_without_a_word(made):
    assert made.run("secrets", "set", "access/token", stdin=b"of something else").status == 0
    with made.nothing_done():
        applied = made.apply()
    assert applied["exit"] == 1
    (refusal,) = entry(applied["plan"], TOKEN)["refusals"]
    assert "the secret `access/token` holds another value than the token root@pam!ci" in refusal["reason"]
    declare(
        made, {**ACCESS, "pve_token": {"root@pam!ci": {"value": Secret("access/token"), "overwrite": True}}}
    )
    assert made.apply()["exit"] == 0
    assert statuses(made.apply()) == {}


def test_a_token_is_not_made_for_a_secret_that_has_a_value(site):
    assert site.run("secrets", "set", "access/token", stdin=b"of something else").status == 0
    applied = site.apply()
    assert applied["exit"] == 1
    (refusal,) = entry(applied["plan"], TOKEN)["refusals"]
    assert "has a value already" in refusal["reason"]
    assert not (site.node.root / TOKENS).exists()


def test_a_store_that_cannot_be_written_is_said_before_anything_is_done(site):
    (site.folder / "configs/secrets.age").unlink()
    (site.folder / ".phoenix/identity.txt").unlink()
    declare(site, {"pve_token": ACCESS["pve_token"], "pve_role": {"Ops": {"privileges": ["VM.Audit"]}}})
    with site.nothing_done():
        ran = site.run("apply", "--yes")
    assert ran.status == 1
    assert f"{TOKEN}: there is no age identity" in ran.err
    assert not (site.node.root / "etc/pve/user.cfg").exists()


def test_a_token_that_is_gone_without_its_value_is_said(made):
    (made.node.root / TOKENS).write_text("")
    with made.nothing_done():
        applied = made.apply()
    assert "no value of it" in entry(applied["plan"], TOKEN)["refusals"][0]["reason"]


def test_a_token_is_removed_with_consent_only_and_its_secret_stays(made):
    declare(made, {"pve_token": {"root@pam!ci": {"value": Secret("access/token"), "state": "absent"}}})
    with made.nothing_done():
        assert made.apply()["exit"] == 1
    assert made.apply("--allow-destroy", TOKEN)["exit"] == 0
    assert (made.node.root / TOKENS).read_text() == ""
    assert "access/token" in made.run("secrets", "list").out
