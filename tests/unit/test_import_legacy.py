"""The import of the predecessor's files: small files of every shape, secrets, and anything at all."""

import copy
import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit import legacy_files as files

from phoenix_hypervisor import cli
from phoenix_hypervisor.adopt.legacy import defects, folders, report
from phoenix_hypervisor.config import load

CANARY = "kanarienvogel-4711"


def write(folder: Path, inputs: dict) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in inputs.items():
        (folder / name).write_text(json.dumps(value, indent=2), encoding="utf-8")
    return folder


def fate(result, path):
    return next(one for one in result.fates if one.path == path)


def with_guest(**more):
    inputs = files.good()
    inputs[files.CONTAINERS]["lxc_configs"]["910"].update(more)
    return inputs


def guest_text(result):
    return result.files["configs/guests/910-guest-910.yaml"]


def test_a_good_site_goes_in_whole_and_loads(tmp_path, capsys):
    source = write(tmp_path / "old", files.good())
    status = cli.run(["import", "legacy", str(source), "--memory", "64G", "--out", str(tmp_path / "new")])
    assert (status, capsys.readouterr().err) == (0, f"written to {tmp_path / 'new'}\n")
    site = load(tmp_path / "new")
    assert sorted(guest.vmid for guest in site.guests.values()) == ["900", "910", "911", "912"]
    assert "pve_storage:tank-lxc" in [str(ref) for ref in site.resources]
    assert (tmp_path / "new/import-report.md").read_text().startswith("# Import of the predecessor's files\n")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_repeats_is_said_once_and_says_where_it_came_from():
    result = files.run(files.good())
    assert result.files["configs/site.yaml"].count("bridge: vmbr0 #") == 1
    assert "vmbr0" not in guest_text(result)
    assert result.files["configs/profiles/on-base.yaml"].startswith(
        "# What 3 guests share: 910-guest-910, 911-guest-911, 912-guest-912\n"
    )
    assert guest_text(result) == (
        "# yaml-language-server: $schema=../.schema/guest.json\n"
        "profiles: [on-base]\n\n"
        "lxc:\n"
        "  net:\n"
        "    eth0:\n"
        "      ip: 10.0.0.210/24 # phoenix_lxc_configs.json lxc_configs.910.network_config.ip\n"
        '      mac: "52:54:00:00:09:10" # phoenix_lxc_configs.json lxc_configs.910.mac_address\n'
    )


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"gpu_assignment": "0, 1"}, "gpus: [gpu0, gpu1] #"),
        ({"features": "nesting=1,keyctl=1"}, "    keyctl: true #"),
        ({"pct_options": ["nesting=1", "fuse=1"]}, "    fuse: true #"),
        ({"network_config": "10.0.0.9/24,10.0.0.1,8.8.8.8"}, "nameserver: [8.8.8.8] #"),
        ({"network_config": {"name": "eth1", "bridge": "b", "nameservers": "1.1.1.1"}}, "eth1:"),
        ({"lxc_options": ["lxc.cap.keep=a,b"]}, "lxc.cap.keep: [a, b] #"),
        ({"lxc_options": ["lxc.apparmor.profile=unconfined"]}, "apparmor: unconfined #"),
        ({"dependencies": ["911"]}, "after: [guest-911] #"),
        ({"health_check": {"command": "true", "retries": 3, "interval": 5}}, "seconds: 15 #"),
        ({"boot_delay": 5}, "up: 5 #"),
        ({"swap_mb": 512}, "swap: 512M #"),
        ({"zfs_volumes": [{"pool": "tank-lxc", "size_gb": 5, "mount_point": "/m"}]}, "size: 5G #"),
        ({"mount_points": [{"host_path": "/mnt/pve/tank/lxc/x", "container_path": "/x", "owner_uid": 33}]},
         "source: /tank/lxc/x #"),
        ({"firewall": {"rules": [{"type": "in", "action": "ACCEPT", "source": "10.0.0.211"}]}},
         "- { direction: in, action: ACCEPT, source: guest-911 }"),
    ],
)  # fmt: skip
def test_every_shape_of_a_container_becomes_ours(more, line):
    assert line in guest_text(files.run(with_guest(**more)))


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        (("zfs", "datasets", 0, "properties"), {"quota": "7G"}, "    quota: 7G #"),
        (("nfs",), {"shares": [{"path": "/tank/iso", "options": "rw,sync"}]}, "[rw, sync]"),
        (("firewall",), {"enabled": True, "default_input_policy": "DROP"}, "policy_in: DROP #"),
        (("shared_volumes",), {"firewall": {"default_output_policy": "ACCEPT"}}, "policy_out: ACCEPT #"),
        (("shared_volumes",), {"m": {"host_path": "/mnt/pve/tank/lxc/m", "mounts": {"910": "/m"}}},
         "path: /tank/lxc/m #"),
        (("samba",), {"user": "ann", "shares": [{"name": "s", "path": "tank/a", "options": "writable=yes"}]},
         "read_only: false #"),
        (("users",), {"username": "ann", "sudo_access": True, "ssh_public_key": "ssh-ed25519 AAAA a"},
         'authorized_keys: ["ssh-ed25519 AAAA a"] #'),
    ],
)  # fmt: skip
def test_every_shape_of_the_node_becomes_ours(path, value, text):
    inputs = files.good()
    at = inputs[files.NODE]
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    assert text in files.run(inputs).files["configs/nodes/phoenix.yaml"]


def test_what_is_not_taken_over_is_refused_aloud_with_what_there_is_instead():
    more = {"traefik_service": {"name": "x", "port": 1}, "vllm_model": "m", "bootstrap_ca_url": "u"}
    result = files.run(with_guest(features=["vllm"], **more))
    for path, told in {
        "features[0]": "declared by kinds",
        "traefik_service.name": "`nginx_gateway`",
        "vllm_model": "`vllm_server`",
        "bootstrap_ca_url": "not yet: there is no kind",
    }.items():
        found = fate(result, f"lxc_configs.910.{path}")
        assert (found.fate, told in found.why) == ("refused", True), found


def test_a_key_that_nobody_knows_is_refused_and_told_with_its_place():
    result = files.run(with_guest(memroy=3))
    assert fate(result, "lxc_configs.910.memroy")[0] == "refused"
    told = [one for one in result.findings if one.rule == "V-03"]
    assert [one.message for one in told] == [
        "`lxc_configs.910.memroy` is not understood: nothing was taken from it"
    ]
    lines = json.dumps(with_guest(memroy=3)[files.CONTAINERS], indent=1).splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "memroy" in text)
    assert told[0].where == ("phoenix_lxc_configs.json", line, 4)


def secrets_everywhere():
    inputs = with_guest(
        vllm_args=["--api-key", CANARY, "--port", "1"],
        hook=f"https://ann:{CANARY}@example.org/",
        note=f"is {CANARY}.",
    )
    inputs[files.NODE]["portainer_api"] = {"admin_user": "ann", "admin_password": CANARY}
    inputs[files.NODE]["users"] = {"username": "ann", "password_hash": f"$6$abcdefgh${CANARY}"}
    inputs[files.STACKS] = {
        "docker_stacks": {"a": {"variables": [{"name": "DB_TOKEN", "value": CANARY + "x"}]}}
    }
    return inputs


@pytest.mark.parametrize("as_json", [True, False])
def test_no_value_of_a_secret_is_shown_or_written(tmp_path, capsys, as_json):
    source = write(tmp_path / "old", secrets_everywhere())
    more = ["--json"] if as_json else []
    assert cli.run(["import", "legacy", str(source), "--out", str(tmp_path / "new"), *more]) == 2
    said = capsys.readouterr()
    assert CANARY not in said.out + said.err
    written = [path for path in (tmp_path / "new").rglob("*") if path.is_file()]
    assert [str(path) for path in written if CANARY in path.read_text()] == []
    assert "phoenix secrets set portainer-api/admin-password" in said.out
    assert "!secret portainer-api/admin-password" in (tmp_path / "new/import-report.md").read_text()
    assert "password: !secret unix/ann" in (tmp_path / "new/configs/nodes/phoenix.yaml").read_text()


def test_the_canary_is_seen_where_nothing_hides_it():
    assert CANARY in json.dumps(report.document(files.run(with_guest(note=CANARY)), [], 0))


@pytest.mark.parametrize(
    "more",
    [
        {"password": {"value": CANARY}},
        {"secrets": {"db": [CANARY]}},
        {"adminPassword": CANARY},
        {"env": ["--hf-token", CANARY]},
        {"note": f"AGE-SECRET-KEY-1{CANARY}"},
        {"api_key": 4711471147},
    ],
)
def test_a_secret_is_known_by_its_key_or_its_look(more):
    text = json.dumps(report.document(files.run(with_guest(**more)), [], 0))
    assert CANARY not in text
    assert "4711471147" not in text
    assert text.count('"rule": "V-40"') == 1


def test_what_only_looks_like_a_secret_is_none():
    inputs = files.good()
    inputs[files.NODE]["core_paths"] = {"hf_token_file": "/etc/token"}
    inputs[files.CONTAINERS]["lxc_configs"]["910"]["vllm_args"] = ["--max-num-batched-tokens", "8192"]
    inputs[files.NODE]["users"] = {"username": "ann", "password_hash": "NOT_SET"}
    result = files.run(inputs)
    assert [one for one in result.findings if one.rule == "V-40"] == []


def test_a_folder_that_is_not_empty_is_left_as_it_is(tmp_path, capsys):
    source = write(tmp_path / "old", files.good())
    out = tmp_path / "new"
    out.mkdir()
    (out / "mine").write_text("x")
    assert cli.run(["import", "legacy", str(source), "--out", str(out)]) == 1
    assert [path.name for path in out.iterdir()] == ["mine"]
    assert "is not empty: nothing was written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "phoenix_lxc_configs.json",
            '{"a": 1, "a": 2}',
            "phoenix_lxc_configs.json:1:10: `a` stands here twice",
        ),
        ("phoenix_lxc_configs.json", "{", "phoenix_lxc_configs.json:1:2: not readable as JSON"),
        ("other.json", '{"a": 1}', "no file in"),
        ("notes.txt", "hello", "no file in"),
    ],
)
def test_what_cannot_be_read_is_said_and_nothing_is_written(tmp_path, capsys, name, text, said):
    (tmp_path / name).write_text(text)
    assert cli.run(["import", "legacy", str(tmp_path), "--out", str(tmp_path / "new")]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_not_there_is_said(tmp_path, capsys):
    assert cli.run(["import", "legacy", str(tmp_path / "none")]) == 1
    assert "cannot read" in capsys.readouterr().err


def test_without_a_folder_it_only_says_what_it_would_do(tmp_path, capsys):
    source = write(tmp_path / "old", files.good())
    assert cli.run(["import", "legacy", str(source), "--memory", "64G"]) == 0
    said = capsys.readouterr()
    assert said.err == "nothing was written: --out names a folder for the site\n"
    assert said.out.splitlines()[0].split() == ["used", "normalised", "refused", "obsolete"]
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_the_document_has_what_its_page_says(tmp_path, capsys):
    source = write(tmp_path / "old", files.everything_wrong())
    assert cli.run(["import", "legacy", str(source), "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    page = Path(__file__).resolve().parents[2] / "docs" / "import.md"
    table = page.read_text(encoding="utf-8").partition("## `--json`, version 1")[2]
    keys = {
        key for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for key in re.findall("`(.*?)`", row)
    }
    assert {*document} == keys
    assert (document["version"], document["exit"]) == (1, 2)
    assert len(document["leaves"]) == sum(document["summary"].values())


def test_two_containers_of_one_name_are_two_guests():
    inputs = with_guest(name="Guest 911")
    inputs[files.CONTAINERS]["lxc_configs"]["912"]["name"] = "guest-911-911"
    made = {path for path in files.run(inputs).files if "/guests/91" in path}
    assert made == {
        f"configs/guests/{name}.yaml"
        for name in ("910-guest-911", "911-guest-911-911", "912-guest-911-911-912")
    }


def test_a_memory_that_is_none_is_wrong_usage(tmp_path):
    assert cli.run(["import", "legacy", str(write(tmp_path, files.good())), "--memory", "much"]) == 64


def test_a_write_that_breaks_off_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders.os, "rename", full)
    source = write(tmp_path / "old", files.good())
    assert cli.run(["import", "legacy", str(source), "--out", str(tmp_path / "new")]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


# --- the rules --------------------------------------------------------------------------------------------


def rules(inputs):
    return {one.rule for one in files.run(inputs).findings}


def test_nothing_is_found_in_a_good_site():
    assert rules(files.good()) == set()


ALL = {*defects.DETECTORS, "V-20"}


def test_every_rule_finds_something_where_everything_is_wrong():
    assert rules(files.everything_wrong()) | rules(files.wrong_before()) == ALL


@pytest.mark.parametrize("rule", sorted(defects.DETECTORS))
def test_a_rule_that_is_dropped_is_missed(rule, monkeypatch):
    left = {name: detect for name, detect in defects.DETECTORS.items() if name != rule}
    monkeypatch.setattr(defects, "DETECTORS", left)
    assert rules(files.everything_wrong()) | rules(files.wrong_before()) == ALL - {rule}


def test_the_rules_on_the_page_are_those_of_the_code_and_can_be_explained(capsys):
    page = Path(__file__).resolve().parents[2] / "docs" / "import.md"
    rows = re.findall(r"^\| (V-\d\d) \| (.*) \|$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [*defects.REASONS.items()]
    assert {rule for rule, _ in rows} == ALL
    assert all(reason for _, reason in rows)
    assert cli.run(["validate", "--explain", "V-11"]) == 0
    last = f"  `phoenix import legacy` finds it: {defects.REASONS['V-11']}\n"
    assert capsys.readouterr().out.endswith(last)


def test_the_memory_of_the_node_decides():
    assert "V-20" in {one.rule for one in files.run(files.good(), None).findings}
    assert "V-20" in {one.rule for one in files.run(files.good(), 1024).findings}


# --- anything at all --------------------------------------------------------------------------------------

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**14) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    | st.sampled_from(["900", "910", "10.0.0.1/24", "/mnt/pve/tank", "yes=1", "a: b", "#", "*", "0,1"]),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=6), below, max_size=3),
    max_leaves=6,
)  # fmt: skip


def places(value, path=()):
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in pairs:
        yield from places(below, (*path, key))


NAMES = ["name", "910", "firewall", "ports", "", "\x85"]
VOLUME = {"type": "nfs", "name": "x", "path": "/tank/iso", "mount_point": "/mnt", "server": "10.0.0.2"}
SEEDS = [
    files.good(),
    files.everything_wrong(),
    files.with_machines(volumes=[VOLUME], dependencies=["910"], features=["docker"], boot_order=2),
]


@st.composite
def mutated(draw):
    inputs = copy.deepcopy(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from([one for one in places(inputs) if len(one) > 1]))
        at = inputs
        for key in path[:-1]:
            at = at[key]
        if isinstance(at, dict) and draw(st.booleans()) and len(path) > 2:
            at[
                draw(st.sampled_from(["name", "910", "firewall", "ports", "", "\x85"]) | st.text(max_size=4))
            ] = at.pop(path[-1])
        else:
            at[path[-1]] = draw(ANYTHING)
    return inputs


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated())
def test_no_input_breaks_it_and_every_leaf_is_accounted_for_once(inputs):
    result = files.run(inputs)
    assert len(result.fates) == sum(map(files.leaves, inputs.values()))
    assert len({(one.file, one.path) for one in result.fates}) == len(result.fates)
    table = report.markdown(result, []).partition("## Every value")[2]
    assert table.count("\n| ") == len(result.fates) + 1
    assert [*report.screen(result, [])]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated())
def test_whatever_comes_out_is_text_that_validate_can_speak_of(inputs):
    for problem in folders.open_questions(files.run(inputs).files):
        assert "not readable as YAML" not in problem.message
