"""What went wrong with AppArmor before Phoenix: each of these faults has a test that names it.

A container's profile under a name that nobody declares is refused: V-24 in tests/unit/test_rules_guests.py.
"""

from pathlib import Path

import pytest
from tests.lab.containers import BASE, HARDWARE, NODE, NODE_SECTIONS, Containers

from phoenix_hypervisor import registry
from phoenix_hypervisor.errors import ExitCode
from phoenix_hypervisor.observe.kinds_page import yaml

PROFILE = "/etc/apparmor.d/lxc-ours"
NESTED = {
    **BASE,
    "apparmor": "lxc-ours",
    "raw": {
        "lxc.apparmor.allow_nesting": "1",
        "lxc.include": "/usr/share/lxc/config/nesting.conf",
    },
}
LINES = {
    "lxc.apparmor.profile: lxc-ours",
    "lxc.apparmor.allow_nesting: 1",
    "lxc.include: /usr/share/lxc/config/nesting.conf",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A node with a profile in a file of its own, and a container that names it."""
    site = Containers.fresh(tmp_path_factory.mktemp("apparmor") / "site")
    files = {**NODE_SECTIONS["host_file"], PROFILE: {"content": "profile lxc-ours {}\n"}}
    node = {"hardware": HARDWARE, **NODE_SECTIONS, "host_file": files}
    (site.folder / f"configs/nodes/{NODE}.yaml").write_text(yaml(node))
    site.declare({"101-nested": {"lxc": NESTED}, "102-plain": {"lxc": BASE}})
    run = site.apply()
    assert run.code is ExitCode.OK, run.outcome
    return site


def test_lines_are_in_a_conf_once_however_often_we_run(made):
    """There, `lxc.include` and `lxc.apparmor.allow_nesting` were appended again in every run."""
    before = made.conf()
    assert {line for line in before.splitlines() if line.startswith("lxc.")} == LINES
    acts = len(made.node.actions())
    assert made.apply().nothing
    assert (made.conf(), len(made.node.actions())) == (before, acts)
    assert before.count("lxc.") == len(LINES)


def test_a_profile_has_one_name_and_one_writer(made):
    """There, one script wrote it with `_` in its name, another with `-`, each over the other's."""
    assert made.on_node("ls /etc/apparmor.d").split() == ["lxc-ours"]
    assert "lxc.apparmor.profile: lxc-ours\n" in made.conf()
    with pytest.raises(ValueError, match="the profile is said twice"):
        registry.kind("lxc")(name="101", **NESTED | {"raw": {"lxc.apparmor.profile": "lxc_ours"}})


def test_nobody_unloads_or_reloads_profiles(made):
    """There, profiles in use were removed with `apparmor_parser -R`, and all reloaded in every run."""
    texts = [act["command"] for act in made.node.actions()]
    texts += [path.read_text() for path in (made.node.root / "var/lib/phoenix/scripts").rglob("*.sh")]
    assert not [each for each in texts if "apparmor_parser" in each or "reload apparmor" in each]


def test_without_a_word_a_container_is_confined_by_what_lxc_generates_for_it(made):
    """There, in the end everything was unconfined, for no profile of their own had ever worked."""
    assert "lxc.apparmor" not in made.conf("102")
    assert "lxc.apparmor.profile = generated" in made.on_node("cat /var/lib/lxc/102/config")
    assert registry.kind("lxc").model_fields["apparmor"].default == "generated"


def test_we_bring_no_profile_that_gives_the_nodes_profiles_away():
    """There, the profile let the container write /etc/apparmor.d and run the parser."""
    templates = Path(__file__).parents[2] / "templates"
    assert not [path for path in templates.rglob("*.j2") if "apparmor.d" in path.read_text()]
