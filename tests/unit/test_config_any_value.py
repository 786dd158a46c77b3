"""Whatever stands in a site's files, loading them gives problems or a site, and never a traceback."""

import io
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from tests.unit.site_files import FILES, NODE, make, sample_sets

from phoenix_hypervisor import registry
from phoenix_hypervisor.config import load
from phoenix_hypervisor.config.model import Disk, Gpu, Hardware, InventoryEntry, NodeHead, Reach, SiteHead
from phoenix_hypervisor.errors import InputError
from phoenix_hypervisor.render import Renderer, render
from phoenix_hypervisor.secrets import Secret
from phoenix_hypervisor.secretstore.settings import SecretSettings

FIELDS = sorted(
    {field for kind in registry.homes() for field in registry.kind(kind).model_fields}
    | {
        field
        for model in (SiteHead, NodeHead, Hardware, Disk, Gpu, InventoryEntry, Reach, SecretSettings)
        for field in model.model_fields
    }
)
NAMES = ["*", "pve", "tank", "tank/x", "/tank/x", "heads", "d1", "<<", "", "name", "10.0.0.0/24"]
keys = st.sampled_from([*registry.homes(), *FIELDS, *NAMES]) | st.text(max_size=4)
words = st.sampled_from(
    ["tank", "tank/x", "d1", "1G", "1.5T", "none", "on", "mirror", "stripe", "dir", "zfspool", "iso", "rw"]
) | st.text(max_size=6)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | words
values = st.recursive(
    scalars,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(keys, below, max_size=4),
    max_leaves=12,
)
YAML_FILES = [*FILES, "configs/profiles/base.yaml", "inventory/groups.yaml", "inventory/defaults.yaml"]
quick = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))


def check(files: dict[str, str | bytes | None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = make(Path(folder), files)
        try:
            site = load(root)
        except InputError as error:
            without_place = [str(problem) for problem in error.problems if not problem.where]
        else:
            render(site.resources.items(), Renderer(root))
            without_place = []
        assert without_place == []


def yaml(value: object) -> str:
    out = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.representer.add_representer(Secret, lambda to, one: to.represent_scalar("!secret", one.name))
    writer.dump(value, out)
    return out.getvalue()


@pytest.mark.parametrize("file", YAML_FILES)
@quick
@given(value=values)
def test_any_value_anywhere(file: str, value: object) -> None:
    check({file: yaml(value)})


@pytest.mark.parametrize("section", [*registry.homes(), "hardware", "profiles"])
@quick
@given(value=values)
def test_any_value_as_a_section(section: str, value: object) -> None:
    node = yaml({section: value})
    check({NODE: node, "configs/profiles/base.yaml": node})
    check({"configs/site.yaml": yaml({"name": "t", "defaults": {section: value}})})


@pytest.mark.parametrize("kind", [name for name in registry.homes() if not registry.kind(name).singleton])
@quick
@given(data=st.data())
def test_any_value_in_a_known_field(kind: str, data: st.DataObject) -> None:
    samples = data.draw(st.sampled_from(sample_sets(registry.kind(kind))))
    base = {key: value for key, value in samples.first.items() if isinstance(value, (str, int, list, dict))}
    wrong = data.draw(st.dictionaries(st.sampled_from([*base, *registry.kind(kind).model_fields]), values))
    around = {section: dict(named) for section, named in samples.around.items() if section != "samba_user"}
    around.setdefault(kind, {})[samples.name] = {**base, **wrong}
    check({NODE: yaml({"hardware": HARDWARE, **around})})


HARDWARE = {"disks": {"a": {"id": "nvme-SAMPLE_1", "size": "1T"}, "b": {"id": "nvme-SAMPLE_2", "size": "1T"}}}


@quick
@given(value=values)
def test_any_json_value(value: object) -> None:
    check({NODE: None, "configs/nodes/pve.json": json.dumps(value)})


@pytest.mark.parametrize("file", YAML_FILES)
@quick
@given(content=st.binary(max_size=40) | st.text("{}[]:,-&*!|>'\"%@`# \n\tab1", max_size=40))
def test_any_bytes(file: str, content: bytes | str) -> None:
    check({file: content, **({NODE: None, "configs/nodes/pve.json": content} if file == NODE else {})})
    check({file: content})
