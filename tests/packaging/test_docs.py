"""What the documents say is so: links lead somewhere, commands parse, tables are those of the code."""

import ast
import re
import tomllib

import click
import pytest
from tests.packaging import documents
from tests.packaging.documents import PAGES, PROJECT

from phoenix_hypervisor import errors
from phoenix_hypervisor.cli import Workplace, phoenix
from phoenix_hypervisor.config.model import InventoryEntry, Reach, SiteHead
from phoenix_hypervisor.config.rules.settled import SETTLED
from phoenix_hypervisor.converge.engine import Outcome
from phoenix_hypervisor.converge.plan import Entry, Plan
from phoenix_hypervisor.converge.steps import Ran
from phoenix_hypervisor.inspect.looks import Look, Status
from phoenix_hypervisor.observe import document
from phoenix_hypervisor.resource import CREATE, Effect, Ref, Refusal, run

DOCS = PROJECT / "docs"
SOURCE = PROJECT / "generator/phoenix_hypervisor"
IMPORTED_AS = {
    "nornir-utils": "nornir_utils",
    "prometheus-client": "prometheus_client",
    "pycryptodome": "Crypto",
    "pytest-testinfra": "testinfra",
    "ruamel.yaml.clib": "ruamel.yaml",
}
SHOWN = [(page, words) for page in PAGES for words in documents.commands(page)]


def parse(words):
    """Let click parse a command line, without running anything. Raises ClickException."""
    command, context, rest = phoenix, None, list(words)
    while True:
        context = command.make_context(words[0], rest, parent=context, obj=Workplace(None, False))
        if not isinstance(command, click.Group):
            return context
        _, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])


def code_in(text):
    return set(re.findall(r"`([^`]+)`", text))


def test_links_between_the_documents_lead_somewhere():
    broken = []
    for page in PAGES:
        for file, anchor in documents.links(page):
            target = (page.parent / file).resolve() if file else page
            if not target.is_file() or (anchor and anchor not in documents.anchors(target)):
                broken.append(f"{documents.name(page)}: {file}#{anchor}")
    assert broken == []


@pytest.mark.parametrize(
    ("page", "words"), SHOWN, ids=[f"{documents.name(page)}: {' '.join(words)}" for page, words in SHOWN]
)
def test_every_command_that_is_shown_parses(page, words):
    parse(words[1:])


def test_a_command_that_does_not_exist_would_be_noticed():
    with pytest.raises(errors.UsageError):
        parse(["aply"])
    with pytest.raises(click.ClickException):
        parse(["apply", "--forse"])


def test_every_make_target_that_is_named_exists_and_every_one_is_explained():
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())
    named = {
        target
        for page in [*PAGES, PROJECT / ".ci/run"]
        for target in re.findall(r"(?:^ *|`)make ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert named <= targets
    assert targets - set(re.findall(r"echo 'make ([a-z-]+)", makefile)) == {"help"}


def test_every_decision_is_listed():
    listed = {file for file, _ in documents.links(DOCS / "adr/README.md") if re.match(r"\d{4}-", file)}
    assert listed == {page.name for page in (DOCS / "adr").glob("[0-9]*.md")}


def test_exit_codes_are_those_of_the_enum():
    tree = ast.parse((SOURCE / "errors.py").read_text())
    enum = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "ExitCode")
    members = zip(enum.body[1:], enum.body[2:], strict=False)
    said = {
        one.targets[0].id: " ".join(after.value.value.split())
        for one, after in members
        if isinstance(one, ast.Assign)
    }
    rows = [[str(int(code)), said[code.name]] for code in errors.ExitCode]
    assert documents.table((DOCS / "plan.md").read_text(), "| status | meaning") == rows


def test_the_json_document_has_the_documented_keys_and_no_others():
    ref, refusal = Ref("pve", "zfs_pool", "tank"), Refusal("layout", "never")
    entry = Entry(ref, Look(ref, Status.DRIFT, CREATE), (run("true"),), (refusal,))
    planned = document.plan_document(Plan((entry,)), {ref: entry.look}, {"pve": 2})
    ran = Ran(ref, "true", Effect.HOT, 0.0, 0.0, 0, "")
    done = document.outcome_document(planned, Outcome({ref: entry.look}, [ran]), errors.ExitCode.OK)
    parts = documents.section(DOCS / "plan.md", "The JSON document").split("\n\n| key | |\n")[1:]
    of_plan, of_entry, of_step, of_apply = [documents.table("| key | |\n" + part, "| key") for part in parts]

    def keys(rows):
        return {key for first, *_ in rows for key in code_in(first)}

    def inner(rows, key):
        return code_in(next(meaning for first, meaning in rows if code_in(first) == {key}))

    assert keys(of_plan) == planned.keys()
    assert keys(of_entry) == planned["entries"][0].keys()
    assert keys(of_step) == planned["entries"][0]["steps"][0].keys()
    assert keys(of_apply) == done.keys()
    assert inner(of_entry, "changes") >= planned["entries"][0]["changes"][0].keys()
    assert inner(of_entry, "refusals") == planned["entries"][0]["refusals"][0].keys()
    assert inner(of_apply, "steps") == done["steps"][0].keys()


def test_statuses_and_effects_are_all_explained():
    plan, concepts = (DOCS / "plan.md").read_text(), (DOCS / "concepts.md").read_text()
    assert [first for first, *_ in documents.table(plan, "| effect | who")] == [f"`[{e}]`" for e in Effect]
    statuses = [first for first, *_ in documents.table(concepts, "| status | it means")]
    assert statuses == [status.value for status in Status]


def test_rules_are_those_of_the_code():
    named = {
        rule
        for path in SOURCE.rglob("*.py")
        if "legacy" not in path.parts  # those of the predecessor's files are on the page of the import
        for rule in re.findall(r'"(V-\d\d)"', path.read_text(encoding="utf-8"))
    }
    page = (DOCS / "rules.md").read_text()
    rows = documents.table(page, "| rule | refused")
    assert [first for first, *_ in rows] == sorted(named - set(SETTLED))
    assert documents.table(page, "| id | what was wrong") == [
        [one.id, one.defect, one.why] for one in SETTLED.values()
    ]


def test_settings_of_the_site_and_the_inventory_are_those_of_the_models():
    text = (DOCS / "configuration.md").read_text()
    site = [
        first
        for first, *_ in documents.table(
            documents.section(DOCS / "configuration.md", "configs/site.yaml"), "| key"
        )
    ]
    assert [re.match(r"`(\w+)", first)[1] for first in site] == list(SiteHead.model_fields)
    inventory = code_in(
        " ".join(first for first, *_ in documents.table(text[text.index("## inventory/") :], "| key"))
    )
    assert inventory == {
        *(name for name in InventoryEntry.model_fields if name != "data"),
        *(f"data: {name}" for name in Reach.model_fields),
    }


def test_dependencies_are_those_declared_and_are_used_as_the_decision_says():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    decision = (DOCS / "adr/0002-dependencies.md").read_text()
    said = {first.strip("`"): why for first, why in documents.table(decision, "| dependency")}
    assert [*said] == [re.split("[<>=]", wanted)[0] for wanted in project["dependencies"]]
    modules = imported()
    used = {name: IMPORTED_AS.get(name, name) in modules for name in said}
    assert used == {name: not why.startswith("**not used") for name, why in said.items()}
    extra = next(part for part in decision.split("\n\n") if part.startswith("As the extra `otel`:"))
    tracing = [re.split("[<>=]", one)[0] for one in project["optional-dependencies"]["otel"]]
    assert re.findall(r"`(opentelemetry[^`]*)`", extra) == tracing
    developing = next(part for part in decision.split("\n\n") if part.startswith("For development:"))
    wanted = [re.split("[<>=]", one)[0] for one in project["optional-dependencies"]["dev"]]
    assert re.findall(r"`([^`]+)`", developing) == wanted


def imported():
    """Names of the modules our sources and checks import, with all their parents."""
    found = set()
    for path in [*SOURCE.rglob("*.py"), *(PROJECT / "verify").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            found |= {name.rsplit(".", cut)[0] for name in names for cut in range(name.count(".") + 1)}
    return found
