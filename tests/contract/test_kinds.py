"""What every kind is: three files, a frozen model, pure methods, text that reads back. No node is needed."""

import ast
import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError
from tests.contract.answers import checks, verify_module
from tests.contract.ground import HOST, Canary, declared

import phoenix_hypervisor
from phoenix_hypervisor import dialects, registry, render
from phoenix_hypervisor.observe.kinds_page import sections, sets, yaml
from phoenix_hypervisor.resource import CREATE, REMOVE, Kind, Refusal, Step
from phoenix_hypervisor.secrets import Secret

OWN_MODULES = frozenset({
    "budgets", "compose", "containers", "dialects", "errors", "fields", "firewall", "gateway", "machines",
    "resource", "secrets", "services", "units",
})  # fmt: skip
IMPURE = frozenset({
    "asyncio", "concurrent", "ctypes", "fcntl", "glob", "http", "importlib", "io", "jinja2",
    "multiprocessing", "nornir", "os", "pathlib", "paramiko", "phoenix_hypervisor", "proxmoxer", "pty",
    "pytest", "random", "requests", "runpy", "select", "selectors", "shutil", "signal", "socket",
    "sqlite3", "ssl", "subprocess", "sys", "tempfile", "testinfra", "threading", "time",
    "urllib.request", "uuid",
})  # fmt: skip
IMPURE_CALLS = frozenset({"open", "exec", "eval", "compile", "__import__", "input", "print", "breakpoint"})
LEFT_ALONE = re.compile(r"\bleft (alone|as)\b|\bnever (changed|touched)\b", re.IGNORECASE)


def test_a_kind_is_three_files_of_one_name(kind):
    home = registry.homes()[kind]
    has_artifacts = registry.kind(kind).artifacts is not Kind.artifacts
    assert {"module": home.module.is_file(), "verify": home.verify.is_file()} == {
        "module": True,
        "verify": True,
    }
    assert home.templates.is_dir() == has_artifacts
    assert registry.kind(kind).kind == kind  # raises unless the module defines exactly one


def test_its_docstring_says_what_it_is_and_what_is_left_alone(kind):
    words = inspect.getdoc(registry.kind(kind))
    assert registry.kind(kind).__doc__, "no docstring of its own"
    assert LEFT_ALONE.search(" ".join(words.split()))


def test_its_checks_tell_presence_and_what_is_ours(kind):
    module = verify_module(registry.homes()[kind].verify)
    assert "test_present" in checks(registry.homes()[kind].verify)
    assert list(inspect.signature(module.test_present).parameters) == ["host", kind]
    assert list(inspect.signature(module.owned).parameters) == ["host"]


def test_every_template_is_rendered_by_some_sample(kind, tmp_path):
    there = {path.name for path in registry.homes()[kind].templates.glob("*")}
    used = {artifact.template for r in resources(kind, tmp_path) for artifact in r.artifacts()}
    assert used == there


def models(kind):
    """The kind's model and those inside it."""
    module = sys.modules[registry.kind(kind).__module__]
    return [
        model
        for model in vars(module).values()
        if isinstance(model, type) and issubclass(model, BaseModel) and model.__module__ == module.__name__
    ]


def test_its_models_are_frozen_refuse_unknown_keys_and_never_echo_input(kind):
    wanted = {"frozen": True, "extra": "forbid", "hide_input_in_errors": True}
    for model in models(kind):
        assert {key: model.model_config.get(key) for key in wanted} == wanted, model


def test_a_secret_written_as_a_value_is_refused_without_showing_it(kind):
    model = registry.kind(kind)
    for name, declared_field in model.model_fields.items():
        if declared_field.annotation is Secret:
            with pytest.raises(ValidationError) as refused:
                model.model_validate({"name": "x", name: "canary-5b1d"})
            assert "canary-5b1d" not in str(refused.value)


def settings_of(kind):
    """Every declaration of the samples, with its set."""
    for samples in sets(registry.kind(kind)):
        yield samples, samples.first
        yield samples, samples.second
        for refused in samples.refused:
            yield samples, {**samples.first, **refused}


def resources(kind, folder):
    """Every sample as a model, read by the loader from YAML text."""
    for number, (samples, settings) in enumerate(settings_of(kind)):
        site = declared(folder / str(number), {HOST: sections(registry.kind(kind), samples, settings)})
        name = (samples.guest or HOST) if registry.kind(kind).singleton else samples.name
        yield next(r for ref, r in site.resources.items() if (ref.kind, ref.name) == (kind, name))


def plain(value):
    """What a person would write for a value of a model."""
    if isinstance(value, BaseModel):
        return {name: plain(getattr(value, name)) for name in value.model_fields_set}
    if isinstance(value, dict):
        return {key: plain(below) for key, below in value.items()}
    if isinstance(value, (frozenset, set)):
        return sorted(value)
    if isinstance(value, (tuple, list)):
        return [plain(below) for below in value]
    return value


def test_each_sample_is_read_and_what_was_read_reads_back_the_same(kind, tmp_path):
    for number, resource in enumerate(resources(kind, tmp_path)):
        samples, _ = list(settings_of(kind))[number]
        settings = {name: value for name, value in plain(resource).items() if name != "name"}
        again = declared(
            tmp_path / f"{number}-again", {HOST: sections(registry.kind(kind), samples, settings)}
        )
        assert resource in again.resources.values(), yaml(settings)


def test_every_setting_differs_between_two_samples_or_is_one_that_is_never_changed(kind):
    shown = {"name", "state", *registry.kind(kind).manners}
    for samples in sets(registry.kind(kind)):
        for one in (samples.second, *({**samples.first, **refused} for refused in samples.refused)):
            both = {**samples.first, **one}
            shown |= {name for name in both if samples.first.get(name) != one.get(name)}
    assert set(registry.kind(kind).model_fields) - shown == set()


def test_what_it_yields_is_made_of_values_and_the_same_each_time(kind, tmp_path):
    for resource in resources(kind, tmp_path):
        for change in (CREATE, REMOVE) if resource.can_be_absent else (CREATE,):
            steps = list(resource.converge(change))
            assert steps
            assert all(isinstance(step, (Step, Refusal)) for step in steps)
            assert list(resource.converge(change)) == steps
        assert list(type(resource).remove(resource.name))


def test_a_step_does_exactly_one_thing_and_no_argument_is_a_secret(kind, tmp_path):
    for resource in resources(kind, tmp_path):
        for step in resource.converge(CREATE):
            if isinstance(step, Step):
                does = [bool(step.argv), bool(step.push), bool(step.execute)].count(True)
                assert does == 1 or (does == 0 and step.fetch)
                assert all(isinstance(word, str) and "<secret" not in word for word in step.argv)


def test_a_kind_with_a_script_renders_one_that_shells_accept(kind, tmp_path):
    if os.environ.get("CI"):
        assert shutil.which("shellcheck"), "CI must have shellcheck"
    scripts = {
        file.path: file.text
        for number, (samples, settings) in enumerate(settings_of(kind))
        for file in rendered(kind, samples, settings, tmp_path / str(number))
        if file.text.startswith("#!/bin/sh\n")
    }
    wanted = [a for r in resources(kind, tmp_path / "more") for a in r.artifacts() if a.script]
    assert {artifact.path for artifact in wanted} == set(scripts)
    for number, text in enumerate(scripts.values()):
        path = tmp_path / f"{number}.sh"
        path.write_text(text)
        assert "\nset -eu\n" in text
        for tool in (["sh", "-n"], ["shellcheck", "--shell=sh"]):
            if shutil.which(tool[0]):
                ended = subprocess.run([*tool, path], capture_output=True, text=True, check=False)
                assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")


def rendered(kind, samples, settings, folder):
    site = declared(folder, {HOST: sections(registry.kind(kind), samples, settings)})
    own = {ref: resource for ref, resource in site.resources.items() if ref.kind == kind}
    return render.render(own.items(), render.Renderer(folder))


def test_every_value_in_a_script_is_quoted(kind):
    for template in registry.homes()[kind].templates.glob("*.sh.j2"):
        body = "".join(line for line in template.read_text().splitlines(True) if not line.startswith("#"))
        for printed in re.findall(r"\{\{(.*?)\}\}", body, re.DOTALL):
            assert re.search(r"\|\s*(q|argv)\s*$", printed.strip()), f"{template.name}: {printed}"


def test_no_secret_gets_into_an_artifact(kind, tmp_path):
    for number, (samples, settings) in enumerate(settings_of(kind)):
        files = rendered(kind, samples, settings, tmp_path / str(number))
        assert Canary.value("").decode() not in "".join(file.text for file in files)


def impurities(source: Path):
    """What a module imports or calls that can reach outside, or another kind."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{_absolute(node, source)}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
            yield f"{node.func.id}()"
            continue
        else:
            continue
        for name in names:
            words = name.split(".")
            allowed = words[0] == phoenix_hypervisor.__name__ and words[1] in OWN_MODULES
            if not allowed and {".".join(words[:n]) for n in range(1, len(words) + 1)} & IMPURE:
                yield name


def _absolute(node: ast.ImportFrom, source: Path) -> str:
    """The module's full name; the levels of a relative import are counted in folders of our package."""
    if not node.level:
        return node.module or ""
    below = source.relative_to(Path(phoenix_hypervisor.__file__).parent).parts
    return ".".join([phoenix_hypervisor.__name__, *below[: len(below) - node.level], node.module or ""])


def test_a_kind_is_pure(kind):
    assert list(impurities(registry.homes()[kind].module)) == []


@pytest.mark.parametrize(
    "source", sorted(Path(dialects.__path__[0]).glob("*.py")), ids=lambda path: path.stem
)
def test_a_dialect_is_pure(source):
    assert list(impurities(source)) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("import os.path", ["os.path"]),
        ("from subprocess import run", ["subprocess.run"]),
        ("from urllib import request", ["urllib.request"]),
        ("from ..process import run", ["phoenix_hypervisor.process.run"]),
        ("from .zfs_pool import ZfsPool", ["phoenix_hypervisor.kinds.zfs_pool.ZfsPool"]),
        ("from phoenix_hypervisor import process", ["phoenix_hypervisor.process"]),
        ("import nornir", ["nornir"]),
        ("text = open('/etc/passwd').read()", ["open()"]),
        ("from ..resource import Kind", []),
        ("from ..dialects import zfs", []),
        ("from urllib.parse import quote", []),
    ],
)
def test_an_impure_line_in_a_kind_is_noticed(line, found, tmp_path, monkeypatch):
    monkeypatch.setattr(phoenix_hypervisor, "__file__", str(tmp_path / "__init__.py"))
    source = tmp_path / "kinds" / "some.py"
    source.parent.mkdir()
    source.write_text(line)
    assert list(impurities(source)) == found
