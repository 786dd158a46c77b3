"""`phoenix schema`: valid JSON Schema that takes what loads, and refuses what nobody would load."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, BeforeValidator, Field, PlainValidator, ValidationError, model_validator
from tests.contract.test_plugin import installed
from tests.unit.site_files import DATASET, FILES, make
from tests.unit.test_cli import call
from tests.unit.test_config_any_value import values

from phoenix_hypervisor import registry
from phoenix_hypervisor.config.files import read
from phoenix_hypervisor.errors import Problem
from phoenix_hypervisor.observe import schema
from phoenix_hypervisor.observe.kinds_page import sections, sets, yaml
from phoenix_hypervisor.observe.schema_types import HEAD, LAYERED, WHOLE, of_type
from phoenix_hypervisor.secrets import Secret

Capture = pytest.CaptureFixture[str]
REPOSITORY = Path(__file__).resolve().parents[2]
VALIDATORS = {what: Draft202012Validator(schema.of_file(what)) for what in schema.FILES}
WHERE = {
    "configs/site.yaml": "site",
    "configs/nodes/*": "node",
    "configs/guests/*": "guest",
    "configs/profiles/*": "profile",
    "inventory/hosts.yaml": "hosts",
    "inventory/groups.yaml": "groups",
    "inventory/defaults.yaml": "defaults",
}


def as_json(value: Any) -> Any:
    """What an editor sees: tags are not JSON, and count as text."""
    if isinstance(value, Secret):
        return value.name
    if isinstance(value, dict):
        return {key: as_json(below) for key, below in value.items()}
    return [as_json(below) for below in value] if isinstance(value, (list, tuple, frozenset)) else value


def content(path: Path) -> Any:
    problems: list[Problem] = []
    tree = read(path, path.name, problems)
    assert (tree is not None, problems) == (True, [])
    assert tree is not None
    return as_json(tree.plain())


def wrong(what: str, value: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}"[:300] for error in VALIDATORS[what].iter_errors(value)]


def all_wrong(folder: Path) -> dict[str, list[str]]:
    return {
        path.relative_to(folder).as_posix(): said
        for where, what in WHERE.items()
        for path in sorted(folder.glob(where))
        if (said := wrong(what, content(path)))
    }


# --- the schemas themselves -------------------------------------------------------------------------------


@pytest.mark.parametrize("what", schema.FILES)
def test_it_is_valid_and_says_which_dialect_it_is(what: str) -> None:
    found = schema.of_file(what)
    Draft202012Validator.check_schema(found)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(found)) == found
    assert found["description"].endswith(".")


def everywhere(value: Any) -> Any:
    yield value
    for below in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from everywhere(below)


def test_patterns_are_such_as_editors_read() -> None:
    """ECMA-262 knows neither flags inside a pattern nor `\\A`, `\\Z` and possessive groups."""
    found = {
        part["pattern"]
        for what in schema.FILES
        for part in everywhere(schema.of_file(what))
        if isinstance(part, dict) and isinstance(part.get("pattern"), str)
    }
    assert len(found) > 20
    assert [pattern for pattern in found if re.search(r"\(\?[^:=!]|\\[AZzGp]", pattern)] == []
    for pattern in found:
        re.compile(pattern)


def test_a_plugin_s_kinds_are_there_and_say_what_they_are(tmp_path: Path) -> None:
    path = os.pathsep.join([str(installed(tmp_path)), *filter(None, [os.environ.get("PYTHONPATH")])])
    argv = [sys.executable, "-c", "from phoenix_hypervisor.cli import main; main()", "schema", "node"]
    ended = subprocess.run(
        argv, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": path}
    )
    found = json.loads(ended.stdout)
    Draft202012Validator.check_schema(found)
    assert found["$defs"]["motd.settings"]["description"].startswith(
        "A message of the day, in a file of its own"
    )
    validator = Draft202012Validator(found)
    assert validator.is_valid({"motd": {"welcome": {"text": "Good morning"}}})
    assert not validator.is_valid({"motd": {"welcome": {"txet": "Good morning"}}})
    assert not validator.is_valid({"motd": {"Wel come": {"text": "Good morning"}}})


def test_every_reference_leads_somewhere() -> None:
    for what in schema.FILES:
        found = schema.of_file(what)
        names = {part["$ref"] for part in everywhere(found) if isinstance(part, dict) and "$ref" in part}
        assert names <= {f"#/$defs/{name}" for name in found.get("$defs", {})}


def test_every_kind_and_every_setting_is_there_and_says_what_it_is() -> None:
    found = schema.of_file("profile")["$defs"]
    for name in registry.homes():
        kind = registry.kind(name)
        below = found.get(f"{name}.settings", found[name])
        assert below["properties"].keys() == kind.model_fields.keys() - {"name"}
        assert all(one["description"] for one in below["properties"].values()), name


def test_kinds_stand_where_they_belong() -> None:
    scopes = {name: registry.kind(name).scope for name in registry.homes()}
    for what, wanted in {"node": {"node", "host"}, "guest": {"guest", "host"}}.items():
        head = {"profiles", "hardware"} if what == "node" else {"profiles", "node"}
        kinds = {name for name, scope in scopes.items() if scope in wanted}
        assert schema.of_file(what)["properties"].keys() == kinds | head


# --- what they take ---------------------------------------------------------------------------------------


def test_the_reference_site_and_the_examples_are_taken() -> None:
    folders = [REPOSITORY, *(path.parent for path in (REPOSITORY / "examples").rglob("configs"))]
    assert {folder.name: said for folder in folders if (said := all_wrong(folder))} == {}


def test_the_small_site_of_the_tests_is_taken(tmp_path: Path) -> None:
    make(
        tmp_path,
        {"configs/nodes/pve.yaml": DATASET, **{name: FILES[name] for name in FILES if "nodes" not in name}},
    )
    assert all_wrong(tmp_path) == {}


@pytest.mark.parametrize("name", registry.homes())
def test_every_sample_of_a_kind_is_taken(name: str, tmp_path: Path) -> None:
    kind = registry.kind(name)
    for number, samples in enumerate(sets(kind)):
        laid_over = ({**samples.first, **more} for more in samples.refused)
        for turn, one in enumerate([samples.first, samples.second, *laid_over]):
            declared = sections(kind, samples, one)
            guests = declared.pop("guests", {})
            folder = tmp_path / f"{number}-{turn}"
            files = {f"configs/guests/{stem}.yaml": yaml(below) for stem, below in guests.items()}
            make(
                folder,
                {
                    **files,
                    "configs/nodes/pve.yaml": yaml(declared),
                    "configs/profiles/p.yaml": yaml(declared),
                },
            )
            assert all_wrong(folder) == {}


def test_the_forms_people_write_are_taken(tmp_path: Path) -> None:
    node = """\
zfs_arc: {max: 32G}
zfs_dataset:
  "*": {atime: off, compression: null}
  tank:
  tank/x: {quota: 1.5T, refquota: none, recordsize: 131072, state: absent, mode: "0770"}
host_file:
  /etc/x: {content: !file x, values: {A: !secret a/b}}
samba_user:
  heads: {password: !secret samba/heads}
sysctl:
  vm.swappiness: {value: 10}
samba_share:
  x: {path: /tank/x, read_only: no}
"""
    make(tmp_path, {"configs/nodes/pve.yaml": node, "configs/files/x": "text"})
    assert all_wrong(tmp_path) == {}


@pytest.mark.parametrize("what", schema.FILES)
def test_an_empty_file_is_taken_where_nothing_is_required(what: str) -> None:
    assert wrong(what, None) == []


# --- what they refuse -------------------------------------------------------------------------------------

REFUSED = {
    "an unknown section": ("node", {"zfs_datset": {}}),
    "a guest's section at a node": ("node", {"lxc": {}}),
    "a node's section at a guest": ("guest", {"zfs_pool": {}}),
    "an unknown setting": ("node", {"zfs_dataset": {"tank": {"qouta": "1G"}}}),
    "an unknown setting under all names": ("node", {"zfs_dataset": {"*": {"qouta": "1G"}}}),
    "an unknown setting of a part": ("guest", {"lxc": {"net": {"eth0": {"brigde": "vmbr0"}}}}),
    "a name as a setting": ("node", {"zfs_dataset": {"tank": {"name": "tank"}}}),
    "a name that no dataset has": ("node", {"zfs_dataset": {"/tank": {}}}),
    "no size": ("node", {"zfs_arc": {"max": "much"}}),
    "a switch for a size": ("node", {"zfs_arc": {"max": True}}),
    "a mode without quotes": ("node", {"zfs_dataset": {"tank": {"mode": 770}}}),
    "a text for a list": ("guest", {"lxc": {"nameserver": "10.0.0.1"}}),
    "a list for settings": ("node", {"zfs_dataset": {"tank": []}}),
    "a section without settings": ("node", {"zfs_dataset": None}),
    "another state": ("node", {"zfs_dataset": {"tank": {"state": "gone"}}}),
    "what cannot be absent": ("node", {"zfs_pool": {"tank": {"state": "absent"}}}),
    "too many": ("guest", {"lxc": {"cores": 100000}}),
    "profiles in a profile": ("profile", {"profiles": ["x"]}),
    "profiles in the defaults": ("site", {"name": "x", "defaults": {"profiles": ["x"]}}),
    "a site without a name": ("site", {}),
    "an unknown key of the site": ("site", {"name": "x", "nmae": "y"}),
    "a section in the wrong defaults": ("site", {"name": "x", "guest_defaults": {"zfs_pool": {}}}),
    "a disk that is half said in a list": ("node", {"zfs_pool": {"tank": {"vdevs": [{"type": "mirror"}]}}}),
    "an unknown key of a host": ("hosts", {"pve": {"hostnmae": "x"}}),
    "a port that is none": ("groups", {"rack": {"port": 100000}}),
    "a word for a second": ("defaults", {"data": {"connect_seconds": "long"}}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    what, value = REFUSED[case]
    assert wrong(what, value) != []


quick = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", registry.homes())
@quick
@given(data=st.data())
def test_nothing_is_refused_that_loads(name: str, data: st.DataObject) -> None:
    """But for numbers and switches in quotes, which an editor rightly underlines."""
    kind = registry.kind(name)
    samples = data.draw(st.sampled_from(sets(kind)))
    field = data.draw(st.sampled_from(sorted(kind.model_fields.keys() - {"name"})))
    value = data.draw(values | st.sampled_from([samples.first.get(field), samples.second.get(field)]))
    below = {**samples.first, field: value}
    try:
        kind.model_validate(
            {**{key: one for key, one in below.items() if one is not None}, "name": samples.name}
        )
    except ValidationError:
        return
    found = schema.of_file("profile")["$defs"]
    whole = found.get(f"{name}.settings", found[name])
    said = [
        error
        for error in Draft202012Validator(whole).iter_errors(as_json(below))
        if not quoted(error.instance)
    ]
    assert [str(error.message) for error in said] == []


def quoted(value: Any) -> bool:
    """Whether pydantic may take it for something else: `"1"` for 1, 0 for false, 1.0 for 1."""
    if isinstance(value, (dict, list)):
        return any(quoted(below) for below in (value.values() if isinstance(value, dict) else value))
    return isinstance(value, (str, float)) or value in (0, 1)


@pytest.mark.parametrize("name", registry.homes())
def test_a_key_that_nobody_knows_is_refused_at_every_depth(name: str) -> None:
    found = schema.of_file("profile")["$defs"]
    parts = [
        part for part in everywhere(found.get(f"{name}.settings", found[name])) if isinstance(part, dict)
    ]
    models = [part for part in parts if "properties" in part]
    assert models
    assert all(part["additionalProperties"] is False for part in models)


# --- types ------------------------------------------------------------------------------------------------


class Inner(BaseModel):
    """A part."""

    model_config = {"extra": "forbid"}
    size: int
    """How large."""
    word: str = "x"


class Short(BaseModel):
    path: str | Inner

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, data: Any) -> Any:
        return {"path": {"size": data["path"]}} if type(data.get("path")) is int else data


INNER = {
    "type": "object",
    "description": "A part.",
    "properties": {
        "size": {"type": "integer", "description": "How large."},
        "word": {"type": "string", "description": "text", "default": "x"},
    },
    "required": ["size"],
    "additionalProperties": False,
}
NULLS = {
    "size": {"type": ["integer", "null"], "description": "How large."},
    "word": {"type": ["string", "null"], "description": "text", "default": "x"},
}


def test_a_model_is_whole_in_a_list_and_in_parts_where_files_meet() -> None:
    assert of_type(Inner, WHOLE) == INNER
    half = {key: below for key, below in INNER.items() if key != "required"}
    assert of_type(Inner, HEAD) == half
    assert of_type(Inner, LAYERED) == {**half, "properties": NULLS}
    assert of_type(list[Inner], LAYERED) == {"type": "array", "items": INNER}
    below = of_type(dict[str, Inner], LAYERED)
    assert below["additionalProperties"] == {**half, "properties": NULLS, "type": ["object", "null"]}


def refuse(value: object) -> object:
    raise ValueError


def upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def text(value: object) -> object:
    return str(value) if type(value) is int else value


PATTERN = {"type": "string", "pattern": "^[a-z]+$"}


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (str | None, {"type": ["string", "null"]}),
        (int | str, {"type": ["integer", "string"]}),
        (bool, {"enum": [True, False, "on", "off", "yes", "no"]}),
        (Secret, {"type": "string"}),
        (tuple[int, str], {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]}),
        (Annotated[str, Field(pattern="^[a-z]+$")], PATTERN),
        (Annotated[tuple[int, ...], Field(min_length=1)], {"minItems": 1}),
        (Annotated[str, BeforeValidator(lambda x: x), Field(pattern="^[a-z]+$")], PATTERN),
        (Annotated[str, BeforeValidator(upper), Field(pattern="^[a-z]+$")], {"type": "string"}),
        (
            Annotated[str, BeforeValidator(text), Field(pattern="^[a-z]+$")],
            {"anyOf": [PATTERN, {"type": "integer"}]},
        ),
        (Annotated[str, BeforeValidator(text, json_schema_input_type=int)], {"type": "integer"}),
        (Annotated[int, PlainValidator(lambda x: int(str(x), 16))], {"type": ["integer", "string"]}),
        (Annotated[str, BeforeValidator(refuse)], {}),
        (dict[Annotated[str, Field(pattern="^[a-z]+$")], int], {"propertyNames": PATTERN}),
        (dict[int, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (complex, {}),
    ],
)
def test_what_may_be_written_for_a_type(hint: Any, expected: dict[str, Any]) -> None:
    found = of_type(hint, WHOLE)
    assert {**found, **expected} == found
    assert found or not expected


def test_what_a_whole_model_s_function_takes_is_found_out() -> None:
    found = of_type(Short, WHOLE)["properties"]["path"]["anyOf"]
    assert [part["type"] for part in found] == ["object", ["string", "integer"]]


# --- the verb ---------------------------------------------------------------------------------------------


def test_the_verb_lists_prints_writes_and_checks(tmp_path: Path, capsys: Capture) -> None:
    status, out, _ = call(capsys, "schema")
    assert (status, [line.split()[0] for line in out.splitlines()]) == (0, [*schema.FILES])
    status, out, err = call(capsys, "schema", "node")
    assert (status, json.loads(out), err) == (0, schema.of_file("node"), "")
    names = "".join(f"{what}.json\n" for what in schema.FILES)
    folder = tmp_path / "x/y"
    stale = f"7 files of {folder} are not current\n"
    assert call(capsys, "schema", "--out", folder, "--check") == (2, names, stale)
    said = f"7 schemas in {folder}, 7 files written\n"
    assert call(capsys, "schema", "--out", folder) == (0, names, said)
    assert call(capsys, "schema", "--out", folder, "--check") == (0, "", f"{folder} is current\n")
    (folder / "node.json").write_text("{}")
    (folder / "mine.json").write_text("{}")
    assert call(capsys, "schema", "--out", folder)[1] == "node.json\n"
    assert (folder / "mine.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nodes"], "no sort of file `nodes`\n  hint: did you mean `node`?"),
        (["--check"], "`--check` compares a folder\n  hint: name it with --out"),
        (["node", "-o", "x"], "`--out` writes all of them\n  hint: leave out `node`, or `--out`"),
    ],
)
def test_wrong_usage_of_the_verb(words: list[str], said: str, capsys: Capture) -> None:
    assert call(capsys, "schema", *words) == (64, "", f"error: {said}\n")


def test_a_new_site_s_files_name_schemas_that_are_there_and_fit(tmp_path: Path, capsys: Capture) -> None:
    assert call(capsys, "init", tmp_path / "new")[0] == 0
    assert all_wrong(tmp_path / "new") == {}
    files = [path for where in WHERE for path in (tmp_path / "new").glob(where)]
    for path in files:
        first = path.read_text().splitlines()[0]
        named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
        assert named, path
        assert (path.parent / named[1]).resolve() == tmp_path / f"new/configs/.schema/{what_of(path)}.json"
        assert (path.parent / named[1]).read_text() == schema.texts()[f"{what_of(path)}.json"]
    assert len(files) == 3


def what_of(path: Path) -> str:
    return {"configs": "site", "nodes": "node", "inventory": "hosts"}[path.parent.name]
