"""The folders are the registry: `kinds/nfs_export.py`, `templates/nfs_export/`, `verify/test_nfs_export.py`.

Further kinds come from installed packages through the entry point group `phoenix_hypervisor.kinds`,
whose value is a package with the same three folders.
"""

import importlib
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from .errors import PhoenixError
from .resource import Kind

GROUP = "phoenix_hypervisor.kinds"


class Home(NamedTuple):
    """Where the three files of a kind lie."""

    module: Path
    templates: Path
    verify: Path


def own_folder(name: str) -> Path:
    """Return our `templates` or `verify` folder: inside the installed package, or in a checkout."""
    package = Path(__file__).parent
    inside = package / name
    return inside if inside.is_dir() else package.parents[1] / name


@cache
def homes() -> dict[str, Home]:
    """Return every kind's home by the kind's name, in alphabetical order. Raises PhoenixError for doubles."""
    found: dict[str, Home] = {}
    for modules, templates, verify in _places():
        for module in sorted(modules.glob("[a-z]*.py")):
            if module.stem in found:
                raise PhoenixError(
                    f"kind `{module.stem}` is defined twice: {found[module.stem].module} and {module}"
                )
            found[module.stem] = Home(module, templates / module.stem, verify / f"test_{module.stem}.py")
    return dict(sorted(found.items()))


@cache
def kind(name: str) -> type[Kind]:
    """Return the kind of that name. Raises PhoenixError when its module does not define exactly one."""
    module = _load(name)
    defined = [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, Kind) and thing.__module__ == module.__name__
    ]
    if len(defined) != 1:
        raise PhoenixError(f"{homes()[name].module} must define exactly one kind, it defines {len(defined)}")
    defined[0].kind = name
    return defined[0]


def _places() -> Iterator[tuple[Path, Path, Path]]:
    yield Path(__file__).parent / "kinds", own_folder("templates"), own_folder("verify")
    from importlib.metadata import entry_points  # slow to import

    for point in entry_points(group=GROUP):
        spec = importlib.util.find_spec(point.value)
        if spec is None or not spec.submodule_search_locations:
            raise PhoenixError(f"kinds plugin `{point.name}`: `{point.value}` is not an importable package")
        folder = Path(spec.submodule_search_locations[0])
        yield folder / "kinds", folder / "templates", folder / "verify"


def _load(name: str) -> ModuleType:
    path = homes()[name].module
    if path.parent == Path(__file__).parent / "kinds":
        return importlib.import_module(f"{__package__}.kinds.{name}")
    spec = importlib.util.spec_from_file_location(f"phoenix_kind_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
