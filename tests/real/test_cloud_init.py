"""User-data of machines before cloud-init's own schema: what we render holds, what we refuse is refused."""

import json
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.lab.running import REPOSITORY

from phoenix_hypervisor.config import load
from phoenix_hypervisor.dialects import cloud_config
from phoenix_hypervisor.machines import cloud_init
from phoenix_hypervisor.machines.cloud_init import CloudInit
from phoenix_hypervisor.secrets import Secret

from .hub import checked

pytestmark = pytest.mark.real

# What `cloud-init schema --config-file` does for each file, in one process for all of them.
ASK = """\
import contextlib, io, json, sys, tempfile
from cloudinit.config import schema
found = []
for text in json.load(sys.stdin):
    file = tempfile.NamedTemporaryFile("w", suffix=".yaml")
    file.write(text)
    file.flush()
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            schema.handle_schema_args("schema", schema.get_parser().parse_args(["--config-file", file.name]))
        found.append("")
    except (SystemExit, Exception) as error:
        found.append(said.getvalue() + str(error) or "refused")
print(json.dumps(found))
"""
WORDS = st.text(string.ascii_lowercase + string.digits, min_size=2, max_size=8).map("a".__add__)
LINES = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=20).filter(
    lambda text: len(text.splitlines()) == 1 and text.strip()
)
USERS = st.fixed_dictionaries(
    {"sudo": st.sampled_from(["none", "password", "all"])},
    optional={
        "gecos": LINES,
        "groups": st.lists(WORDS, max_size=2),
        "keys": st.lists(LINES, max_size=2),
        "password": st.just(Secret("people/heads")),
    },
)
FILES = st.fixed_dictionaries(
    {"content": st.text(st.characters(exclude_categories=("Cs",)), max_size=30)},
    optional={"mode": st.just("0600"), "owner": st.just("www-data:adm"), "after_packages": st.booleans()},
)
SEEDS = st.fixed_dictionaries(
    {"storage": st.just("disks"), "snippets": st.just("local")},
    optional={
        "users": st.dictionaries(WORDS, USERS, max_size=2),
        "packages": st.lists(WORDS, max_size=3),
        "upgrade": st.booleans(),
        "files": st.dictionaries(WORDS.map("/etc/".__add__), FILES, max_size=2),
        "commands": st.lists(LINES | st.lists(LINES, min_size=1, max_size=3), max_size=3),
        "password_logins": st.booleans(),
        "timezone": st.just("Europe/Berlin"),
        "more": st.fixed_dictionaries(
            {}, optional={"locale": st.just("C.UTF-8"), "ntp": st.just(None), "bootcmd": st.just(["true"])}
        ),
    },
)
OF_EACH_TYPE = {
    "array": ["x"], "boolean": True, "integer": 7, "null": None, "number": 1.5, "object": {"x": "y"},
    "string": "x",
}  # fmt: skip


@pytest.fixture(scope="module")
def ask(debian):
    """Asks Debian's cloud-init about documents; what it says against each, empty for nothing."""
    # its folder for passing files is a file system of its own, which nobody else sees
    inside = f'mount -t tmpfs none "{debian}/tmp" && exec chroot "{debian}" python3 -B -c "$0"'

    def about(*texts):
        said = checked(["unshare", "-m", "sh", "-c", inside, ASK], json.dumps(texts))
        return json.loads(said.splitlines()[-1])

    return about


@pytest.fixture(scope="module")
def schema(debian):
    """cloud-init's schema for cloud-configs."""
    (file,) = debian.glob(
        "usr/lib/python3/dist-packages/cloudinit/config/schemas/schema-cloud-config-v*.json"
    )
    return json.loads(file.read_text())


def keys_of(schema):
    """The top-level keys that a schema knows."""
    parts = [schema["$defs"][one["$ref"].rpartition("/")[2]] for one in schema["allOf"]]
    return {key for part in (schema, *parts) for key in part.get("properties", {})}


def rendered(settings, agent=True):
    return cloud_init.user_data(CloudInit.model_validate(settings), "desk.home.arpa", agent)


def test_the_machines_of_the_sites_hold(ask):
    sites = [load(folder) for folder in (REPOSITORY, REPOSITORY / "examples/desktop-gpu")]
    seeds = [one.user_data for site in sites for ref, one in site.resources.items() if ref.kind == "vm"]
    assert len(seeds) >= 2
    assert ask(*seeds) == [""] * len(seeds)
    # a document that cloud-init does not take for one, and one with a mistake deeper than we look
    other, deep = ask(seeds[0].removeprefix("#cloud-config"), "#cloud-config\nusers: [{nme: x}]\n")
    assert "cloud-config" in other
    assert "users.0" in deep


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(SEEDS, min_size=20, max_size=20), st.booleans())
def test_whatever_can_be_declared_holds(ask, seeds, agent):
    texts = [rendered(seed, agent) for seed in seeds]
    assert dict(zip(texts, ask(*texts), strict=True)) == dict.fromkeys(texts, "")


def test_what_we_refuse_is_refused_there(ask, schema):
    known = keys_of(schema)
    assert known <= cloud_config.TYPES.keys()
    wrong = {
        (key, name): {key: value}
        for key, types in cloud_config.TYPES.items()
        for name, value in OF_EACH_TYPE.items()
        if key in known and name not in types
    }
    assert all(list(cloud_config.faults(document)) for document in wrong.values())
    said = ask(*(f"{cloud_config.FIRST_LINE}\n{json.dumps(document)}" for document in wrong.values()))
    assert [one for one, text in zip(wrong, said, strict=True) if not text] == []
    # whether it minds a key that it does not know depends on its version
    (unknown,) = ask("#cloud-config\nruncmdd: [x]\n")
    assert bool(unknown) is (schema.get("additionalProperties") is False)
    assert list(cloud_config.faults({"runcmdd": ["x"]}))
