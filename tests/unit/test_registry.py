"""The folders are the registry; installed packages may add to it."""

import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from phoenix_hypervisor import registry
from phoenix_hypervisor.errors import PhoenixError

ONE = "from phoenix_hypervisor.resource import Kind\n\n\nclass Thing(Kind):\n    pass\n"


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    before = set(sys.modules)
    registry.homes.cache_clear()
    registry.kind.cache_clear()
    yield
    registry.homes.cache_clear()
    registry.kind.cache_clear()
    for name in set(sys.modules) - before:
        if name.startswith("phoenix_kind_"):
            del sys.modules[name]


def plug_in(monkeypatch: pytest.MonkeyPatch, folder: Path, *values: str) -> None:
    points = [
        importlib.metadata.EntryPoint(name=f"plugin{n}", value=value, group=registry.GROUP)
        for n, value in enumerate(values)
    ]
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(
        importlib.metadata, "entry_points", lambda *, group: points if group == registry.GROUP else []
    )


def package(folder: Path, name: str, kind: str, text: str) -> Path:
    kinds = folder / name / "kinds"
    kinds.mkdir(parents=True)
    (folder / name / "__init__.py").touch()
    (kinds / f"{kind}.py").write_text(text)
    return kinds / f"{kind}.py"


def test_every_kind_has_a_module_templates_and_checks_with_its_name() -> None:
    folder = Path(registry.__file__).parent / "kinds"
    stems = sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))
    assert list(registry.homes()) == stems
    for name, home in registry.homes().items():
        assert (home.module.is_file(), home.verify.is_file(), home.templates.is_dir()) == (True, True, True)
        assert (registry.kind(name).kind, registry.kind(name).__module__.rpartition(".")[2]) == (name, name)


def test_there_is_no_template_and_no_check_without_a_kind() -> None:
    folder = registry.own_folder("templates")
    templates = {path.name for path in folder.iterdir() if path.is_dir()}
    checks = {path.stem.removeprefix("test_") for path in registry.own_folder("verify").glob("test_*.py")}
    assert (templates, checks) == (set(registry.homes()), set(registry.homes()))


def test_what_stands_beside_the_kinds_templates_is_included_by_some_of_them() -> None:
    folder = registry.own_folder("templates")
    text = "".join(path.read_text() for path in folder.rglob("*.j2"))
    beside = [path.name for path in folder.iterdir() if path.is_file()]
    assert [name for name in beside if f'{{% include "{name}" %}}' not in text] == []


def test_every_template_is_used_by_its_kind() -> None:
    package = Path(registry.__file__).parent
    shared = "".join(
        path.read_text()
        for part in ("containers", "firewall", "compose", "machines")
        for path in (package / part).glob("*.py")
    )
    for name, home in registry.homes().items():
        text = home.module.read_text() + shared
        unused = [path.name for path in home.templates.iterdir() if path.name.partition(".")[0] not in text]
        assert (name, unused) == (name, [])


def test_a_package_adds_its_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = package(tmp_path, "plugged_one", "aaa_thing", ONE)
    plug_in(monkeypatch, tmp_path, "plugged_one")
    home = registry.homes()["aaa_thing"]
    assert home == (
        module,
        tmp_path / "plugged_one/templates/aaa_thing",
        tmp_path / "plugged_one/verify/test_aaa_thing.py",
    )
    assert next(iter(registry.homes())) == "aaa_thing"
    assert registry.kind("aaa_thing").kind == "aaa_thing"
    assert registry.kind("aaa_thing") is registry.kind("aaa_thing")


def test_a_kind_of_two_packages_is_refused_with_both_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = package(tmp_path, "plugged_two", "zfs_pool", ONE)
    plug_in(monkeypatch, tmp_path, "plugged_two")
    with pytest.raises(PhoenixError) as caught:
        registry.homes()
    own = Path(registry.__file__).parent / "kinds/zfs_pool.py"
    assert str(caught.value) == f"kind `zfs_pool` is defined twice: {own} and {module}"


@pytest.mark.parametrize(("text", "count"), [("", 0), (ONE + ONE.replace("Thing", "Other"), 2)])
def test_a_module_that_does_not_define_one_kind_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, count: int
) -> None:
    module = package(tmp_path, f"plugged_{count}x", "thing", text)
    plug_in(monkeypatch, tmp_path, f"plugged_{count}x")
    with pytest.raises(PhoenixError) as caught:
        registry.kind("thing")
    assert str(caught.value) == f"{module} must define exactly one kind, it defines {count}"


def test_a_kind_a_module_only_imports_is_not_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "from phoenix_hypervisor.kinds.zfs_pool import ZfsPool\n" + ONE
    package(tmp_path, "plugged_three", "thing", text)
    plug_in(monkeypatch, tmp_path, "plugged_three")
    assert registry.kind("thing").__name__ == "Thing"


@pytest.mark.parametrize("value", ["no_such_package", "json.tool"])
def test_a_plugin_that_is_no_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    plug_in(monkeypatch, tmp_path, value)
    with pytest.raises(PhoenixError) as caught:
        registry.homes()
    assert str(caught.value) == f"kinds plugin `plugin0`: `{value}` is not an importable package"
