"""Resources → artifacts → a tree of files with a manifest. No network, no secrets."""

import hashlib
import json
import os
import shlex
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from . import registry
from .errors import PhoenixError
from .resource import Artifact, Kind, Ref

if TYPE_CHECKING:
    from jinja2 import Environment

MANIFEST = "manifest.json"
VERSION = 1


class Rendered(NamedTuple):
    """A file as it will be on a host. Several resources may need the same one."""

    host: str
    path: str
    text: str
    mode: int
    kind: str
    resources: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """The digest of its content."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class Renderer:
    """Renders artifacts; a site's own templates/<kind>/ wins over ours, file by file."""

    def __init__(self, site_folder: Path | None = None) -> None:
        self._own = site_folder / "templates" if site_folder else None

    def text(self, kind: str, artifact: Artifact, resource: Kind | None) -> str:
        """Return an artifact's text. Raises PhoenixError when the template asks for what is not there."""
        from jinja2 import TemplateError

        try:
            return (
                _environment(kind, self._own)
                .get_template(artifact.template)
                .render({kind: resource} if resource else {})
            )
        except (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            number = getattr(error, "lineno", None)
            line = f" line {number}" if number else ""
            raise PhoenixError(f"template {kind}/{artifact.template}{line}: {error}") from error


@cache
def _environment(kind: str, own: Path | None) -> "Environment":
    # 45 ms to import, and a run that changes nothing renders nothing
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    folders = [registry.homes()[kind].templates]
    if own and (own / kind).is_dir() and (own / kind) != folders[0]:
        folders.insert(0, own / kind)
    folders.append(folders[-1].parent)  # what several kinds include stands beside their folders
    # Sandboxed: a template can print a secret's name and never reach its value.
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(folders),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["q"] = lambda value: shlex.quote(str(value))
    environment.filters["argv"] = shlex.join
    return environment


def render(resources: Iterable[tuple[Ref, Kind]], renderer: Renderer) -> list[Rendered]:
    """Return every artifact of the resources that should exist. Raises PhoenixError for clashes."""
    found: dict[tuple[str, str], Rendered] = {}
    for ref, resource in resources:
        for artifact in resource.artifacts() if resource.present else ():
            text = renderer.text(ref.kind, artifact, resource)
            one = Rendered(ref.host, artifact.path, text, artifact.mode, ref.kind, (str(ref),))
            same = found.get((ref.host, artifact.path))
            if same and (same.text, same.mode) != (text, artifact.mode):
                raise PhoenixError(
                    f"{ref.host}: {artifact.path} is claimed by {same.resources[0]} and by {ref}"
                )
            merged = one._replace(resources=same.resources + one.resources) if same else one
            found[ref.host, artifact.path] = merged
    return [found[key] for key in sorted(found)]


def manifest(files: Iterable[Rendered]) -> str:
    """Return the manifest of rendered files as JSON text."""
    entries = [
        {
            "host": file.host,
            "path": file.path,
            "kind": file.kind,
            "resources": list(file.resources),
            "mode": f"{file.mode:04o}",
            "sha256": file.sha256,
        }
        for file in files
    ]
    return json.dumps({"version": VERSION, "artifacts": entries}, indent=2) + "\n"


def tree(files: list[Rendered]) -> dict[str, tuple[str, int]]:
    """Return relative path → (text, mode) of the tree that `write` makes."""
    found = {f"{file.host}{file.path}": (file.text, file.mode) for file in files}
    return {**found, MANIFEST: (manifest(files), 0o644)}


def write(files: list[Rendered], folder: Path) -> list[str]:
    """Make `folder` hold exactly the rendered tree; returns the paths written or removed.

    Refuses a folder that holds files but no manifest of ours. Whatever is in one of ours and no
    longer rendered is removed.
    """
    if folder.is_file():
        raise PhoenixError(f"{folder} is a file, not a folder", hint="name a new one")
    if folder.exists() and not (folder / MANIFEST).exists() and any(folder.iterdir()):
        raise PhoenixError(
            f"{folder} holds other files: it is not a folder of `phoenix render`", hint="name a new one"
        )
    wanted = tree(files)
    changed = [name for name in differing(files, folder) if name in wanted]
    for name in changed:
        text, mode = wanted[name]
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(path.name + ".new")
        new.write_text(text, encoding="utf-8")
        new.chmod(mode)
        os.replace(new, path)
    stale = [name for name in _stale(folder, wanted) if (folder / name).is_file()]
    for name in stale:
        (folder / name).unlink()
    return changed + stale


def differing(files: list[Rendered], folder: Path) -> list[str]:
    """Return the relative paths in which a folder differs from the rendered tree."""
    wanted = tree(files)
    found = []
    for name, (text, mode) in wanted.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != text.encode() or _runs(path) != bool(mode & 0o100):
            found.append(name)
    return found + [name for name in _stale(folder, wanted) if (folder / name).is_file()]


def _runs(path: Path) -> bool:
    """Whether a file may be run: all of a mode that git keeps. The manifest holds the whole mode."""
    return bool(path.stat().st_mode & 0o100)


def _stale(folder: Path, wanted: dict[str, Any]) -> Iterator[str]:
    """What is in the folder and should not be."""
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in wanted:
            yield name
