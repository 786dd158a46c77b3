"""Site files: what is read, how layers merge, and what is said when something is wrong."""

from pathlib import Path

import pytest
from tests.unit.site_files import DATASET, HOSTS, NODE, POOL, SITE, cases, loaded, make, problems

from phoenix_hypervisor.config import find_folder, load, load_settings, named
from phoenix_hypervisor.errors import InputError, UsageError, Where
from phoenix_hypervisor.resource import Ref

BASE = "configs/profiles/base.yaml"
TOP = "configs/profiles/top.yaml"


def dataset(site, name="tank/x"):
    return site.resources[Ref("pve", "zfs_dataset", name)]


# --- merge ------------------------------------------------------------------------------------------------


def test_a_node_lays_its_settings_over_its_profiles_in_order_and_these_over_the_defaults(
    tmp_path: Path,
) -> None:
    site = loaded(
        tmp_path,
        {
            SITE: "name: t\ndefaults: {zfs_dataset: {tank/x: {sync: always, atime: on, exec: off, setuid: off}}}\n",  # noqa: E501
            BASE: "zfs_dataset: {tank/x: {atime: off, exec: on, setuid: on}}\n",
            TOP: "zfs_dataset: {tank/x: {exec: off, setuid: off}}\n",
            NODE: f"profiles: [base, top]\n{POOL}zfs_dataset: {{tank/x: {{setuid: on}}}}\n",
        },
    )
    found = dataset(site)
    assert (found.sync, found.atime, found.exec, found.setuid) == ("always", "off", "off", "on")


def test_the_order_of_profiles_counts(tmp_path: Path) -> None:
    profiles = {
        BASE: "zfs_dataset: {tank/x: {atime: off}}\n",
        TOP: "zfs_dataset: {tank/x: {atime: on}}\n",
    }
    site = loaded(tmp_path, {**profiles, NODE: f"profiles: [top, base]\n{DATASET}"})
    assert dataset(site).atime == "off"


def test_the_star_is_laid_under_every_name_of_its_section_wherever_it_is_written(tmp_path: Path) -> None:
    site = loaded(
        tmp_path,
        {
            SITE: "name: t\ndefaults: {zfs_dataset: {'*': {atime: off, sync: always}}}\n",
            NODE: f"{POOL}zfs_dataset: {{'*': {{sync: disabled}}, tank/x: {{}}, tank/y: {{atime: on}}}}\n",
        },
    )
    assert (dataset(site).atime, dataset(site).sync) == ("off", "disabled")
    assert (dataset(site, "tank/y").atime, dataset(site, "tank/y").sync) == ("on", "disabled")


def test_mappings_merge_below_a_resource_and_lists_replace(tmp_path: Path) -> None:
    site = loaded(
        tmp_path,
        {
            BASE: "nfs_export: {/tank/x: {clients: {a: [ro], b: [ro, async]}}}\n",
            NODE: f"profiles: [base]\n{DATASET}nfs_export: {{/tank/x: {{clients: {{b: [rw]}}}}}}\n",
        },
    )
    assert site.resources[Ref("pve", "nfs_export", "/tank/x")].clients == {"a": ("ro",), "b": ("rw",)}


@pytest.mark.parametrize("nothing", ["", "null", "~"])
def test_nothing_takes_back_what_a_lower_layer_said(tmp_path: Path, nothing: str) -> None:
    site = loaded(
        tmp_path,
        {
            BASE: "zfs_dataset: {'*': {quota: 1G, atime: off}}\nzfs_arc: {max: 4G, min: 1G, state: absent}\n",
            NODE: f"profiles: [base]\n{DATASET}  tank/y:\n    quota: {nothing}\nzfs_arc:\n  state: {nothing}\n"  # noqa: E501
            f"  min: {nothing}\n",
        },
    )
    assert dataset(site).quota == 2**30
    assert (dataset(site, "tank/y").quota, dataset(site, "tank/y").atime) == (None, "off")
    arc = site.resources[Ref("pve", "zfs_arc", "pve")]
    assert (arc.state, arc.min) == ("present", None)


def test_a_name_without_settings_is_a_resource_with_the_shared_ones(tmp_path: Path) -> None:
    site = loaded(tmp_path, {NODE: f"{POOL}zfs_dataset:\n  '*': {{atime: off}}\n  tank/x:\n"})
    assert dataset(site).atime == "off"


def test_words_of_yaml_1_1_are_words(tmp_path: Path) -> None:
    site = loaded(
        tmp_path, {NODE: f"{POOL}zfs_dataset: {{tank/x: {{atime: on, exec: off, relatime: true}}}}\n"}
    )
    assert (dataset(site).atime, dataset(site).exec, dataset(site).relatime) == ("on", "off", "on")


def test_a_byte_order_mark_is_not_part_of_the_first_key(tmp_path: Path) -> None:
    assert loaded(tmp_path, {NODE: b"\xef\xbb\xbf" + POOL.encode()}).of_host("pve") == [
        Ref("pve", "zfs_pool", "tank")
    ]


def test_files_of_editors_and_git_are_not_configs(tmp_path: Path) -> None:
    files = {"configs/nodes/.pve.yaml.swp": "x", "configs/profiles/.gitkeep": ""}
    assert problems(tmp_path, files) == ""


def test_the_same_mistake_of_many_nodes_is_said_once(tmp_path: Path) -> None:
    files = {SITE: "name: t\ndefaults: {zfs_dataset: {'*': {}}, nfs_exports: {}}\n"}
    files |= {"configs/nodes/two.yaml": "{}\n", HOSTS: "pve:\ntwo:\n"}
    assert problems(tmp_path, files) == (
        "configs/site.yaml:2:36: unknown key `nfs_exports` [V-03]\n  hint: did you mean `nfs_export`?"
    )


def test_a_profile_nobody_names_is_a_warning(tmp_path: Path) -> None:
    site = loaded(tmp_path, {BASE: "zfs_arc: {}\n"})
    assert [str(problem) for problem in site.warnings] == [
        "configs/profiles/base.yaml:1:1: warning: no node or guest names the profile `base` [V-39]"
    ]


# --- places -----------------------------------------------------------------------------------------------


def test_a_place_is_where_the_value_that_counts_was_written(tmp_path: Path) -> None:
    site = loaded(
        tmp_path,
        {
            BASE: "zfs_dataset:\n  tank/x:\n    atime: off\n    sync: always\n",
            NODE: f"profiles: [base]\n{POOL}zfs_dataset:\n  tank/x: {{sync: standard}}\n",
        },
    )
    ref = Ref("pve", "zfs_dataset", "tank/x")
    assert site.place(ref, "sync") == Where(NODE, 9, 12)
    assert site.place(ref, "atime") == Where(BASE, 3, 5)
    assert site.place(ref) == Where(NODE, 9, 3)
    assert site.place(ref, "quota") == Where(NODE, 9, 3)
    assert site.place(Ref("pve", "zfs_pool", "tank"), "vdevs", 0, "disks", 1) == Where(NODE, 7, 45)


def test_all_problems_of_all_files_come_at_once_in_file_order(tmp_path: Path) -> None:
    assert problems(
        tmp_path,
        {
            SITE: "name: '-'\nextra: 1\nallow: {quota_overcommit: 0}\n",
            NODE: f"profiles: [bsae]\n{POOL}  other: {{vdevs: [{{type: raidz2, disks: [d1]}}]}}\n"
            "zfs_dataset:\n  tank/x: {qouta: 1G, quota: much, owner: Root}\nzfs_arc: {min: 1G}\n",
            BASE: "zfs_pool: {}\n",
            HOSTS: "pve: {hostnam: x, groups: [lba]}\nspare: {}\n",
            "inventory/groups.yaml": "lab: {port: 70000}\n",
        },
    ) == (
        f"{NODE}:1:12: node `pve`: no profile `bsae` [V-06]\n"
        "  hint: did you mean `base`?\n"
        f"{NODE}:8:19: zfs_pool:other: `vdevs.0` a raidz2 needs at least 4 disks\n"
        f"{NODE}:10:12: zfs_dataset:tank/x: unknown key `qouta` [V-03]\n"
        "  hint: did you mean `quota`?\n"
        f"{NODE}:10:23: zfs_dataset:tank/x: `quota` must be a size like `800G`, `1.5T` or a number of bytes\n"
        f"{NODE}:10:36: zfs_dataset:tank/x: `owner` string should match pattern '^[a-z_][a-z0-9_-]{{0,30}}$'\n"  # noqa: E501
        f"{NODE}:11:1: zfs_arc:pve: `max` is missing\n"
        f"{SITE}:1:1: `name` string should match pattern '^[A-Za-z0-9][A-Za-z0-9._-]*$'\n"
        f"{SITE}:2:1: unknown key `extra` [V-03]\n"
        "  hint: known: allow, defaults, guest_defaults, mirrors, secrets, watch\n"
        f"{SITE}:3:9: `allow.quota_overcommit` must be greater than or equal to 1\n"
        "inventory/groups.yaml:1:7: lab: `port` must be less than or equal to 65535\n"
        f"{HOSTS}:1:7: pve: unknown key `hostnam` [V-03]\n"
        "  hint: did you mean `hostname`?\n"
        f"{HOSTS}:2:1: host `spare` has no file in configs/nodes/\n"
        "  hint: write configs/nodes/spare.yaml"
    )


# --- one mistake, one text --------------------------------------------------------------------------------

UNREADABLE = {
    "tabs": ("zfs_pool:\n\ttank: {}\n", "2:1: not readable as YAML: while scanning for the next token, "  # noqa: ISC004
             "found character that cannot start any token\n  hint: YAML does not allow tabs for indentation"),
    "two documents": (f"{POOL}---\na: b\n", "7:1: not readable as YAML: expected a single document in the "  # noqa: ISC004
                      "stream, but found another document"),
    "an open bracket": ("zfs_pool: {\n", "2:1: not readable as YAML: while parsing a flow node, "  # noqa: ISC004
                        "did not find expected node content"),
    "an unknown alias": ("zfs_pool: *nobody\n", "1:11: not readable as YAML: found undefined alias"),
    "not UTF-8": (b"# \xe9\n", "1:1: cannot read the file: is not UTF-8 text"),
    "a NUL": (b"a: \x00\n", "1:1: not readable as YAML: unacceptable character #x0000: control characters "  # noqa: ISC004
              "are not allowed"),
    "half a character": ('a: "\\ud800"\n', "1:7: not readable as YAML: while parsing a quoted scalar, found "  # noqa: ISC004
                         "invalid Unicode character escape code"),
    "a list": ("- zfs_pool\n", "1:1: the file must hold sections, `name:` with settings below"),
    "a word": ("zfs_pool\n", "1:1: the file must hold sections, `name:` with settings below"),
}  # fmt: skip


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_file_that_cannot_be_read_is_one_problem(tmp_path: Path, what: str) -> None:
    content, said = UNREADABLE[what]
    assert problems(tmp_path, {NODE: content}) == f"{NODE}:{said}"


WRONG = cases("node_mistakes")


@pytest.mark.parametrize("what", WRONG)
def test_a_mistake_is_said_at_its_place(tmp_path: Path, what: str) -> None:
    added, said = WRONG[what]
    assert problems(tmp_path, {NODE: POOL + added}) == said


def test_a_section_that_stands_twice_is_said_at_the_second(tmp_path: Path) -> None:
    assert problems(tmp_path, {NODE: POOL + POOL}) == (
        f"{NODE}:7:1: `hardware` stands here twice [V-44]\n  hint: the first is at line 1\n"
        f"{NODE}:11:1: `zfs_pool` stands here twice [V-44]\n  hint: the first is at line 5"
    )


def test_a_yaml_number_with_thousands_of_digits_is_said(tmp_path: Path) -> None:
    long = f"{POOL}zfs_dataset: {{tank/x: {{quota: {'1' * 5000}}}}}\n"
    assert problems(tmp_path, {NODE: long}) == f"{NODE}:7:31: not readable as !!int"


def test_what_nests_too_deeply_is_said(tmp_path: Path) -> None:
    assert problems(tmp_path, {NODE: f"{POOL}zfs_dataset: {'[' * 60}{']' * 60}\n"}) == (
        f"{NODE}:7:1: `zfs_dataset` must hold settings\n{NODE}:7:63: nested deeper than 50 levels"
    )


@pytest.mark.parametrize("endless", ["&a {/tank: {clients: *a}}", f"{'[' * 5000}{']' * 5000}"])
def test_what_holds_itself_is_said(tmp_path: Path, endless: str) -> None:
    assert "nested" in problems(tmp_path, {NODE: f"{POOL}nfs_export: {endless}\n"})


HARDWARE = {
    "[1]": "1:1: `hardware` must hold settings",
    "{disks: [a]}": "1:12: `hardware.disks` must hold settings",
    "{disks: {a: 1, b: {id: x}}}": "1:20: `hardware.disks.a` must hold settings\n"
    f"{NODE}:1:26: `hardware.disks.b.size` is missing",
    "{gpus: {g: {pci: x}}}": "1:23: `hardware.gpus.g.pci` string should match pattern "
    "'^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]$'",
    "{memroy: 1G}": "1:12: unknown key `hardware.memroy` [V-03]\n  hint: did you mean `memory`?",
}


@pytest.mark.parametrize("written", HARDWARE)
def test_hardware_is_checked_like_everything_else(tmp_path: Path, written: str) -> None:
    assert problems(tmp_path, {NODE: f"hardware: {written}\n"}) == f"{NODE}:{HARDWARE[written]}"


@pytest.mark.parametrize("written", ["hunter2-canary", "[hunter2-canary]", "{hunter2-canary: 1}", "0x11AFE2"])
def test_a_literal_secret_is_never_echoed(tmp_path: Path, written: str) -> None:
    said = problems(tmp_path, {NODE: f"{POOL}samba_user: {{heads: {{password: {written}}}}}\n"})
    assert "`password` a secret must be a reference" in said
    assert "canary" not in said
    assert "11AFE2" not in said
    assert "1159138" not in said


@pytest.mark.parametrize("content", ["", "# only a comment\n", "---\n", "{}\n"])
def test_an_empty_node_file_is_a_node_without_resources(tmp_path: Path, content: str) -> None:
    site = loaded(tmp_path, {NODE: content})
    assert (list(site.nodes), site.resources) == (["pve"], {})


SITES = {
    "": "1:1: `name` is missing",
    "[1]": "1:1: the file must hold settings",
    "test": "1:1: the file must hold settings",
    "name: [1]": "1:1: `name` must be a valid string",
    "name: t\ndefaults: [1]": "2:1: `defaults` must hold settings",
    "name: t\nallow: []": "2:1: `allow` must hold settings",
    "name: t\nsecrets: 1": "2:1: `secrets` must hold settings",
    "name: t\ndefaults: {profiles: [a]}": "2:12: `profiles` belongs into a node's or guest's own file"
    " [V-04]\n  hint: a profile and the defaults cannot name further ones",
}


@pytest.mark.parametrize("content", SITES)
def test_the_site_s_own_file_is_checked(tmp_path: Path, content: str) -> None:
    assert problems(tmp_path, {SITE: content}) == f"{SITE}:{SITES[content]}"


def test_a_profile_cannot_name_profiles(tmp_path: Path) -> None:
    files = {BASE: "profiles: [top]\n", TOP: "", NODE: f"profiles: [base, top]\n{POOL}"}
    assert problems(tmp_path, files) == (
        f"{BASE}:1:1: `profiles` belongs into a node's or guest's own file [V-04]\n"
        "  hint: a profile and the defaults cannot name further ones"
    )


def test_files_that_nothing_would_read_are_refused(tmp_path: Path) -> None:
    files = {"configs/nodes/old.yml": "", "configs/profiles/notes.txt": "", "configs/guests/900-x.json": ""}
    assert problems(tmp_path, files) == (
        "configs/guests/900-x.json:1:1: guest `x` has no section `lxc` or `vm`: what kind of guest it is\n"
        "configs/nodes/old.yml:1:1: neither .yaml nor .json: it would be ignored\n"
        "  hint: rename it, or move it out of configs/\n"
        "configs/profiles/notes.txt:1:1: neither .yaml nor .json: it would be ignored\n"
        "  hint: rename it, or move it out of configs/"
    )


def test_a_folder_where_a_file_should_be_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "configs/nodes/two.yaml").mkdir(parents=True)
    assert problems(tmp_path) == "configs/nodes/two.yaml:1:1: cannot read the file: Is a directory"


# --- JSON -------------------------------------------------------------------------------------------------

JSON = "configs/nodes/pve.json"


def test_json_files_load_with_places(tmp_path: Path) -> None:
    text = """{
\t"zfs_arc": { "max": "4G",
\t\t"min": 1073741824},
  "hardware": {"disks": {}, "cpu": "a\\/b \\ud83d\\ude00 \\u00e9"}, "profiles": [ ], "zfs_dataset": {}
}
"""
    site = loaded(tmp_path, {NODE: None, JSON: text})
    assert site.nodes["pve"].hardware.cpu == "a/b 😀 é"
    ref = Ref("pve", "zfs_arc", "pve")
    assert (site.resources[ref].max, site.resources[ref].min) == (2**32, 2**30)
    assert site.place(ref, "max") == Where(JSON, 2, 15)
    assert site.place(ref, "min") == Where(JSON, 3, 3)
    assert site.nodes["pve"].tree.value["hardware"].place("cpu") == Where(JSON, 4, 29)


JSON_WRONG = {
    '{"a": 1,}': "1:9: not readable as JSON: Expecting property name enclosed in double quotes",
    '{"zfs_arc": {"max": 4G}}': "1:22: not readable as JSON: Expecting ',' delimiter",
    "# no comments\n{}": "1:1: not readable as JSON: Expecting value",
    "{zfs_arc: {}}": "1:2: not readable as JSON: Expecting property name enclosed in double quotes",
    "[]": "1:1: the file must hold sections, `name:` with settings below",
    '{"zfs_arc": {"max": NaN}}': "1:14: zfs_arc:pve: `max` must be a size like `800G`, `1.5T` or a number of bytes",  # noqa: E501
    '{"zfs_arc": {"max": "4G",\n "max": "5G"}}': "2:2: `max` stands here twice [V-44]\n  hint: the first is at line 1",  # noqa: E501
    '{"hardware": {"cpu": "\\ud83d"}}': "1:22: this text holds half of a character (\\ud800 to \\udfff)",
    '{"a": ' + "[" * 60 + "]" * 60 + "}": "1:1: the file is nested too deeply",
    "[" * 100_000: "1:1: the file is nested too deeply",
    '{"samba_user": {"heads": {"password": "hunter2-canary"}}}': "1:27: samba_user:heads: `password` "
    "a secret must be a reference, never a value: write `!secret NAME`",
}  # fmt: skip


@pytest.mark.parametrize("content", JSON_WRONG, ids=range(len(JSON_WRONG)))
def test_what_is_wrong_with_a_json_file_is_said_at_its_place(tmp_path: Path, content: str) -> None:
    found = problems(tmp_path, {NODE: None, JSON: content})
    assert sorted(found.splitlines()) == sorted(f"{JSON}:{JSON_WRONG[content]}".splitlines())


def test_a_number_with_thousands_of_digits_is_said(tmp_path: Path) -> None:
    found = problems(tmp_path, {NODE: None, JSON: '{"a": ' + "1" * 5000 + "}"})
    assert found == (
        f"{JSON}:1:1: not readable as JSON: Exceeds the limit (4300 digits) for integer string conversion: "
        "value has 5000 digits"
    )


def test_one_node_in_two_files_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, {JSON: "{}"}) == (
        f"{NODE}:1:1: `pve` is there twice, as .yaml and .json [V-44]\n  hint: keep one of them"
    )


# --- inventory --------------------------------------------------------------------------------------------

INVENTORY = {
    "- pve\n": "inventory/hosts.yaml:1:1: the file must map names to settings",
    "pve: {\n": "inventory/hosts.yaml:2:1: not readable as YAML: while parsing a flow node, did not find "
    "expected node content",
    "pve: x\n": "inventory/hosts.yaml:1:1: `pve` must hold settings",
    "pve: {password: canary}\n": "inventory/hosts.yaml:1:7: pve: unknown key `password` [V-03]\n"
    "  hint: known: data, groups, hostname, port, username",
    "pve: {data: {transprot: ssh}}\n": "inventory/hosts.yaml:1:14: pve: unknown key `data.transprot` [V-03]\n"
    "  hint: did you mean `transport`?",
    "pve: {data: {ssh_options: [Foo]}}\n": "inventory/hosts.yaml:1:28: pve: `data.ssh_options.0` string should "  # noqa: E501
    "match pattern '^[A-Za-z]+=.+$'",
    "pve: {groups: [lab]}\n": "inventory/hosts.yaml:1:1: `pve`: no group `lab`",
    "pev: {}\n": f"{NODE}:1:1: node `pve` is not in inventory/hosts.yaml\n  hint: did you mean `pev`?\n"
    "inventory/hosts.yaml:1:1: host `pev` has no file in configs/nodes/\n  hint: did you mean `pve`?",
}


@pytest.mark.parametrize("content", INVENTORY)
def test_the_inventory_is_checked_and_matched_with_the_nodes(tmp_path: Path, content: str) -> None:
    assert problems(tmp_path, {HOSTS: content}) == INVENTORY[content]


def test_without_an_inventory_there_is_one_problem(tmp_path: Path) -> None:
    assert problems(tmp_path, {HOSTS: None}) == (
        "inventory/hosts.yaml:1:1: inventory/hosts.yaml is missing\n  hint: it says how the nodes are reached"
    )


def test_groups_are_checked_too(tmp_path: Path) -> None:
    files = {"inventory/groups.yaml": "a: {groups: [b]}\nb: {groups: [a, c]}\n"}
    files["inventory/defaults.yaml"] = "groups: [a]\n"
    assert problems(tmp_path, files) == (
        "inventory/defaults.yaml:1:1: `groups` does not belong into the defaults\n  hint: name them at hosts\n"  # noqa: E501
        "inventory/groups.yaml:1:1: groups are in each other in a loop: a → b → a\n"
        "inventory/groups.yaml:2:1: `b`: no group `c`"
    )


# --- rules ------------------------------------------------------------------------------------------------


def test_a_disk_is_declared_and_belongs_to_one_pool(tmp_path: Path) -> None:
    added = "  other: {vdevs: [{type: stripe, disks: [d1, d3]}]}\n"
    assert problems(tmp_path, {NODE: POOL + added}) == (
        f"{NODE}:7:11: zfs_pool:other: disk `d1` already belongs to zfs_pool:tank [V-02]\n"
        f"{NODE}:7:11: zfs_pool:other: disk `d3` is not among the node's `hardware: disks:`\n"
        "  hint: declare it there with its size; the name is the one below /dev/disk/by-id"
    )


RULES = cases("rule_mistakes")


@pytest.mark.parametrize("what", RULES)
def test_rules_across_resources(tmp_path: Path, what: str) -> None:
    added, said = RULES[what]
    assert problems(tmp_path, {NODE: DATASET + added}) == said


def test_a_pool_cannot_be_declared_absent(tmp_path: Path) -> None:
    found = problems(tmp_path, {NODE: POOL.replace("tank: {", "tank: {state: absent, ")})
    assert found == (
        f"{NODE}:6:10: zfs_pool:tank: a zfs_pool cannot be declared absent\n"
        "  hint: take it out of the files: it is then left as it is"
    )


ALLOWED = (
    "  tank/y: {quota: none}\n  tank/z: {quota: 1T}\n",
    "  tank/y: {quota: 1T}\n  tank/y/z: {quota: 5T}\n",
    "  tank/y: {mountpoint: none}\n  tank/z: {mountpoint: none}\n",
    "  tank/y: {mountpoint: /srv}\nnfs_export: {/srv/deep/er: {clients: {a: []}}}\n",
    "nfs_export: {/tank/x: {clients: {a: []}}}\nsamba_share: {s: {path: /tank/x}}\n",
    "  tank/y: {owner: nobody-declares-me}\n",
    "samba_share: {s: {path: /tank/x, valid_users: ['@staff']}}\n",
)


@pytest.mark.parametrize("added", ALLOWED)
def test_what_no_rule_forbids(tmp_path: Path, added: str) -> None:
    assert problems(tmp_path, {NODE: DATASET + added}) == ""


def test_quotas_may_exceed_the_pool_when_the_site_says_so(tmp_path: Path) -> None:
    node = {NODE: f"{POOL}zfs_dataset: {{tank/x: {{quota: 1.2T}}}}\n"}
    assert "[V-19]" in problems(tmp_path, node)
    assert "[V-19]" in problems(tmp_path, {**node, SITE: "name: t\nallow: {quota_overcommit: 1.1}\n"})
    assert problems(tmp_path, {**node, SITE: "name: t\nallow: {quota_overcommit: 1.25}\n"}) == ""


# --- order ------------------------------------------------------------------------------------------------

STACK = (
    "samba_share: {s: {path: /tank/x/y, valid_users: [heads]STATE}}\n"
    "nfs_export: {/tank/x/y: {clients: {a: []}STATE}}\n"
    "zfs_dataset: {tank/x/y: {owner: headsSTATE}, tank/x: {STATE0}}\n"
    "samba_user: {heads: {password: !secret sSTATE}}\n"
)


def names(site) -> list[str]:
    return [str(ref) for ref in site.resources]


def test_everything_comes_after_what_it_needs(tmp_path: Path) -> None:
    site = loaded(tmp_path, {NODE: POOL + STACK.replace("STATE0", "").replace("STATE", "")})
    assert names(site) == [
        *("zfs_pool:tank", "samba_user:heads", "zfs_dataset:tank/x", "zfs_dataset:tank/x/y"),
        *("samba_share:s", "nfs_export:/tank/x/y"),
    ]
    assert site.needs[Ref("pve", "samba_share", "s")] == (
        Ref("pve", "samba_user", "heads"),
        Ref("pve", "zfs_dataset", "tank/x/y"),
    )


def test_of_things_that_go_the_one_that_needed_another_goes_first(tmp_path: Path) -> None:
    gone = STACK.replace("STATE0", "state: absent").replace("STATE", ", state: absent")
    site = loaded(tmp_path, {NODE: POOL + gone})
    found = names(site)
    before = [
        ("samba_share:s", "zfs_dataset:tank/x/y"),
        ("samba_share:s", "samba_user:heads"),
        ("nfs_export:/tank/x/y", "zfs_dataset:tank/x/y"),
        ("zfs_dataset:tank/x/y", "zfs_dataset:tank/x"),
        ("zfs_dataset:tank/x/y", "samba_user:heads"),
    ]
    assert [(first, then) for first, then in before if found.index(first) > found.index(then)] == []
    assert site.needs[Ref("pve", "samba_share", "s")] == ()
    assert Ref("pve", "zfs_pool", "tank") in site.needs[Ref("pve", "zfs_dataset", "tank/x")]


# --- finding ----------------------------------------------------------------------------------------------


def test_the_nearest_folder_upwards_with_a_site_is_found(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "a/b").mkdir(parents=True)
    assert find_folder(None, tmp_path / "a/b") == tmp_path
    assert find_folder(str(tmp_path / "a"), tmp_path) == tmp_path / "a"


def test_a_folder_that_is_no_site_is_said(tmp_path: Path) -> None:
    said = (
        f"{tmp_path} is not a site: it has no configs/site.yaml\n"
        "  hint: go to the site's folder, name it with --site, or make one with `phoenix init`"
    )
    for read in (load, load_settings):
        with pytest.raises(InputError) as caught:
            read(tmp_path)
        assert str(caught.value) == said


def test_settings_are_read_without_the_nodes(tmp_path: Path) -> None:
    assert load_settings(make(tmp_path, {NODE: "{"})).name == "test"
    with pytest.raises(InputError) as caught:
        load_settings(make(tmp_path, {SITE: "nam: x"}))
    assert str(caught.value) == (
        f"{SITE}:1:1: `name` is missing\n{SITE}:1:1: unknown key `nam` [V-03]\n  hint: known: allow, defaults, guest_defaults, mirrors, secrets, watch"  # noqa: E501
    )


def test_a_reference_names_a_resource_on_every_host_or_on_one(tmp_path: Path) -> None:
    site = loaded(tmp_path, {"configs/nodes/two.yaml": DATASET, HOSTS: "pve:\ntwo:\n", NODE: DATASET})
    both = [Ref("pve", "zfs_dataset", "tank/x"), Ref("two", "zfs_dataset", "tank/x")]
    assert named(site, "zfs_dataset:tank/x") == both
    assert named(site, "two/zfs_dataset:tank/x") == both[1:]
    for wrong, hint in {
        "zfs_dataset:tank/y": "did you mean `zfs_dataset:tank/x`?",
        "three/zfs_dataset:tank/x": "did you mean `two/zfs_dataset:tank/x`?",
        "q": "`phoenix validate -v` lists them",
    }.items():
        with pytest.raises(UsageError) as caught:
            named(site, wrong)
        assert str(caught.value) == f"no resource `{wrong}`\n  hint: {hint}"


# --- files named by the files -----------------------------------------------------------------------------

TEXT = "host_file: {/etc/x: {content: !file NAME}}\n"


def test_a_file_named_by_its_tag_stands_for_its_text(tmp_path: Path) -> None:
    files = {"configs/files/deep/x.conf": "a: [\r\n\n", NODE: TEXT.replace("NAME", "deep/x.conf")}
    assert loaded(tmp_path, files).resources[Ref("pve", "host_file", "/etc/x")].content == "a: [\r\n\n"


NAMED_WRONG = {
    "y.conf": "no file `y.conf` [V-09]\n  hint: did you mean `x.conf`?",
    "q": "no file `q` [V-09]\n  hint: the files are those of configs/files/",
    "../site.yaml": "no file `../site.yaml` [V-09]\n  hint: the files are those of configs/files/",
    "/etc/hosts": "no file `/etc/hosts` [V-09]\n  hint: the files are those of configs/files/",
    "latin.conf": "cannot read `latin.conf`: is not UTF-8 text",
}


@pytest.mark.parametrize("name", NAMED_WRONG)
def test_a_file_that_cannot_be_named_is_a_problem(tmp_path: Path, name: str) -> None:
    files = {"configs/files/x.conf": "x", "configs/files/latin.conf": b"\xe9", "configs/files/q/f": ""}
    found = problems(tmp_path, {**files, NODE: TEXT.replace("NAME", name)})
    assert found == f"{NODE}:1:31: {NAMED_WRONG[name]}"


def test_a_file_is_not_named_from_the_inventory(tmp_path: Path) -> None:
    assert problems(tmp_path, {HOSTS: "pve: {hostname: !file x}\n"}) == (
        f"{HOSTS}:1:17: `!file` belongs into the files of configs/"
    )
