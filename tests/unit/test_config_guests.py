"""Guests' files: what their names say, what is laid under them, and what is refused."""

from pathlib import Path

from tests.unit.site_files import DATASET, HOSTS, NODE, SITE, loaded, problems

from phoenix_hypervisor.resource import GuestFacts, Ref

WEB = "configs/guests/950-web.yaml"
TWO = {HOSTS: "pve:\ntwo:\n", NODE: "{}\n", "configs/nodes/two.yaml": "{}\n"}


def test_a_guest_is_named_by_its_file_and_lives_on_the_only_node(tmp_path: Path) -> None:
    site = loaded(tmp_path, {WEB: "lxc: {cores: 2}\nhost_file: {/etc/x: {content: x}}\n"})
    guest = site.guests["web"]
    assert (guest.vmid, guest.node, site.hosts) == ("950", "pve", ["pve", "web"])
    assert site.of_guest("web") == [Ref("pve", "lxc", "950"), Ref("web", "host_file", "/etc/x")]
    assert site.needs[Ref("web", "host_file", "/etc/x")] == (Ref("pve", "lxc", "950"),)
    assert (site.node_of("web"), site.node_of("pve")) == ("pve", "pve")


def test_its_kinds_are_given_what_the_files_say_of_it(tmp_path: Path) -> None:
    files = {WEB: "lxc: {}\nlxc_layer: {mode: snapshot}\nhost_file: {/etc/x: {content: x}}\n"}
    site = loaded(tmp_path, files)
    (given,) = site.resources[Ref("pve", "lxc", "950")].given("guest")
    assert isinstance(given.value, GuestFacts)
    assert (given.key, given.value.vmid, given.value.layer) == ("web", "950", "snapshot")
    other = loaded(tmp_path, {**files, WEB: files[WEB].replace("content: x", "content: y")})
    (changed,) = other.resources[Ref("pve", "lxc", "950")].given("guest")
    assert changed.value.content != given.value.content


def test_what_is_about_a_finished_guest_comes_after_what_is_inside(tmp_path: Path) -> None:
    site = loaded(
        tmp_path, {WEB: "lxc_layer: {mode: snapshot}\nlxc: {}\nhost_file: {/etc/x: {content: x}}\n"}
    )
    names = [ref.kind for ref in site.of_guest("web")]
    assert names == ["lxc", "host_file", "lxc_layer"]


def test_defaults_and_profiles_are_laid_under_a_guest(tmp_path: Path) -> None:
    site = loaded(
        tmp_path,
        {
            **TWO,
            SITE: "name: t\nguest_defaults: {node: two, lxc: {cores: 1, features: {fuse: true}}}\n",
            "configs/profiles/p.yaml": "lxc: {cores: 2, memory: 1G, swap: 0}\n",
            WEB: "profiles: [p]\nlxc: {memory: 2G, swap: null, features: {nesting: true, fuse: null}}\n",
        },
    )
    lxc = site.resources[Ref("two", "lxc", "950")]
    assert (lxc.cores, lxc.memory, lxc.swap) == (2, 2 * 1024**3, None)  # type: ignore[attr-defined]
    assert (lxc.features.nesting, lxc.features.fuse) == (True, False)  # type: ignore[attr-defined]


def test_what_is_wrong_with_the_names_of_guests_is_said_at_once(tmp_path: Path) -> None:
    said = problems(
        tmp_path,
        {
            **TWO,
            SITE: "name: t\nguest_defaults: {node: pve}\n",
            "configs/guests/web.yaml": "lxc: {}\n",
            "configs/guests/99-low.yaml": "lxc: {}\n",
            "configs/guests/100-one.yaml": "lxc: {}\n",
            "configs/guests/100-two.yaml": "lxc: {}\n",
            "configs/guests/101-pve.yaml": "lxc: {}\n",
            "configs/guests/102-one.yaml": "lxc: {}\n",
        },
    )
    alone = "\n  hint: a name is one host's"
    hint = "\n  hint: like 950-vllm-chat.yaml: a VMID from 100 on, then small letters, digits and `-`"
    assert said == (
        "configs/guests/100-two.yaml:1:1: VMID 100 is taken by the guest `one` [V-02]\n"
        f"configs/guests/100-two.yaml:1:1: there is another node named `two` [V-02]{alone}\n"
        f"configs/guests/101-pve.yaml:1:1: there is another node named `pve` [V-02]{alone}\n"
        f"configs/guests/102-one.yaml:1:1: there is another guest named `one` [V-02]{alone}\n"
        f"configs/guests/99-low.yaml:1:1: `99-low` is no guest's name [V-47]{hint}\n"
        f"configs/guests/web.yaml:1:1: `web` is no guest's name [V-47]{hint}"
    )


def test_a_guest_without_a_node_or_on_one_nobody_knows(tmp_path: Path) -> None:
    said = problems(tmp_path, {**TWO, WEB: "lxc: {}\n", "configs/guests/951-db.yaml": "node: tow\nlxc: {}\n"})
    assert said == (
        f"{WEB}:1:1: `node` is missing: which node it lives on\n"
        "  hint: `node: pve`, here or in `guest_defaults` of site.yaml\n"
        "configs/guests/951-db.yaml:1:1: no node `tow`\n  hint: did you mean `two`?"
    )


def test_each_kind_has_its_place(tmp_path: Path) -> None:
    files = {NODE: "lxc: {}\n", WEB: "lxc: {}\nzfs_arc: {max: 1G}\n", "configs/guests/951-x.yaml": "{}\n"}
    said = problems(tmp_path, files)
    assert said.splitlines() == [
        f"{WEB}:2:1: `zfs_arc` does not belong to a guest [V-04]",
        "  hint: it is about a node: write it in configs/nodes/<node>.yaml",
        "configs/guests/951-x.yaml:1:1: guest `x` has no section `lxc` or `vm`: what kind of guest it is",
        f"{NODE}:1:1: `lxc` does not belong to a node [V-04]",
        "  hint: it is about a guest: write it in configs/guests/<vmid>-<name>.yaml",
    ]


def test_a_path_inside_a_guest_is_not_its_node_s(tmp_path: Path) -> None:
    """A file below /tank/x in the guest has nothing to do with the node's dataset that is mounted there."""
    site = loaded(tmp_path, {NODE: DATASET, WEB: "lxc: {}\nhost_file: {/tank/x/y: {content: x}}\n"})
    assert site.needs[Ref("web", "host_file", "/tank/x/y")] == (Ref("pve", "lxc", "950"),)
