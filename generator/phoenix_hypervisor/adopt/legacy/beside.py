"""The predecessor's files as a site for one look beside another one: whatever is left to decide, is decided.

What a person would have to say, is not known here. So what the site's rules refuse is left out, and said; of
the site beside it come how nodes are reached, their secrets, and what their hardware is.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...config import Site, load, load_settings
from ...config.files import read
from ...config.inventory import read_inventory
from ...errors import InputError, Problem, SecretError, Where
from ...secrets import Secret, Store
from ...secretstore import open_store
from . import folders
from .importing import Imported, imported

_OWN = frozenset({"configs", "inventory"})
"""What of a site the predecessor's files take the place of."""
_SERVED = re.compile(r"nothing says who may reach (\S+) of ")
_UNRULED = "its firewall is on without rules of its own"
_HEAD = "configs/site.yaml"
_OVERCOMMIT = {"V-19": "quota_overcommit", "V-20": "memory_overcommit"}
_EMPTIED = "must hold settings"
_MOST = 10
"""As much as site.yaml can allow."""


class Beside:
    """A site that is being made of the predecessor's files in `folder`; `base` is the one beside it."""

    def __init__(self, result: Imported, base: Path | None, folder: Path) -> None:
        self._folder = folder
        self.said: list[str] = []
        """What was decided."""
        self._files = {name: text for name, text in result.files.items() if name.endswith(".yaml")}
        self._head: dict[str, Any] = {}
        self._store: Store | None = None
        if base is not None:
            self._from_base(base)

    def settled(self, *, with_secrets: bool) -> Site:
        """Decide until the site loads. `with_secrets`: every secret has a value. Raises InputError."""
        while True:
            self._write()
            try:
                site = load(self._folder, self._store)
            except InputError as error:
                self._decide([one for one in error.problems if not one.warning], error)
                continue
            unknown = [*self._without_value(site)] if with_secrets else []
            if not unknown:
                return site
            self._decide(unknown, InputError(unknown))

    def _from_base(self, base: Path) -> None:
        """Take over what the files do not say, and a look at nodes needs."""
        node = next(Path(name).stem for name in self._files if name.startswith("configs/nodes/"))
        settings = load_settings(base).secrets
        self._store = open_store(settings, base)
        own = {"file": str((base / "configs" / Path(settings.file).expanduser()).resolve())}
        self._head["secrets"] = settings.model_dump(mode="json", exclude_defaults=True) | own
        for path in base.iterdir():
            if path.name not in _OWN:
                (self._folder / path.name).symlink_to(path.resolve())
        there = read_inventory(base, [])
        if node in there.hosts:
            entry = there.hosts[node].model_dump(mode="json", exclude_none=True, exclude_defaults=True)
            self._files["inventory/hosts.yaml"] = json.dumps({node: entry}) + "\n"
            for name in ("groups.yaml", "defaults.yaml"):
                if (base / "inventory" / name).is_file():
                    self._files[f"inventory/{name}"] = (base / "inventory" / name).read_text(encoding="utf-8")
            self.said.append(f"`{node}` is reached as {base / 'inventory' / 'hosts.yaml'} says")
        for path in (base / "configs" / "nodes").glob(f"{node}.*"):
            self._hardware(node, path)

    def _hardware(self, node: str, path: Path) -> None:
        """Graphics cards and memory are what the node's own file says: the predecessor's name neither."""
        tree = read(path, path.name, [])
        hardware = tree.below("hardware") if tree else None
        for key in ("memory", "gpus"):
            found = hardware.below(key) if hardware else None
            if found is not None:
                own = self._head.setdefault("defaults", {}).setdefault("hardware", {})
                own[key] = found.plain()
                self.said.append(f"`hardware: {key}:` of `{node}` is that of {path}")

    def _write(self) -> None:
        for name in _OWN:
            shutil.rmtree(self._folder / name, ignore_errors=True)
        for name, text in self._files.items():
            (self._folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self._folder / name).write_text(text, encoding="utf-8")
        head = self._files[_HEAD]
        if "secrets" in self._head:
            head = re.sub(r"(?m)^secrets:\n(?:  .*\n)*", "", head)
        more = "".join(f"{key}: {json.dumps(value)}\n" for key, value in self._head.items())
        (self._folder / _HEAD).write_text(head + more, encoding="utf-8")

    def _without_value(self, site: Site) -> Iterator[Problem]:
        for ref, resource in site.resources.items():
            for name in type(resource).model_fields:
                value = getattr(resource, name)
                if isinstance(value, Secret) and not _has_value(value):
                    yield Problem(f"{ref}: there is no secret `{value.name}`", site.place(ref, name))

    def _decide(self, problems: list[Problem], error: InputError) -> None:
        """Take back or allow what is refused, so that there is less of it. Raises `error` where it cannot."""
        removed: dict[str, set[int]] = {}
        for problem in problems:
            served = _SERVED.search(problem.message)
            of_node = problem.where is not None and problem.where.file.startswith("configs/nodes/")
            if problem.rule in _OVERCOMMIT:
                self._allow(_OVERCOMMIT[problem.rule], problem)
            elif of_node and (served or _UNRULED in problem.message):
                self._firewall(served[1] if served else "")
            elif problem.where and problem.where.file in self._files and problem.where.file != _HEAD:
                self._leave_out(problem, problem.where, removed.setdefault(problem.where.file, set()))
            else:
                raise error
        for name, lines in removed.items():
            numbered = enumerate(self._files[name].split("\n"), 1)
            kept = [line for number, line in numbered if number not in lines]
            self._files[name] = "\n".join(kept)
            if not any(line and not line.startswith("#") for line in kept):
                del self._files[name]

    def _allow(self, name: str, problem: Problem) -> None:
        allowed = self._head.setdefault("allow", {})
        if name not in allowed:
            allowed[name] = _MOST
            self.said.append(f"allowed: `{name}`: {problem.message} [{problem.rule}]")

    def _firewall(self, port: str) -> None:
        """Declare the node's own firewall: nobody reaches a port that no rule of theirs speaks of."""
        own = self._head.setdefault("defaults", {}).setdefault("firewall_node", {})
        if port and port not in own.setdefault("expose", {}):
            own["expose"][port] = "none"
            self.said.append(f"nobody may reach {port} of the node: no rule of theirs lets anybody in [V-32]")

    def _leave_out(self, problem: Problem, where: Where, removed: set[int]) -> None:
        """Take out the key at a place with all below it; the first line of a file stands for all of it."""
        lines = self._files[where.file].split("\n")
        if where.line in removed:
            return
        text = lines[where.line - 1]
        whole = where.line == 1 or text.startswith("#")
        last = len(lines) if whole else _end(lines, where.line)
        removed |= {*range(1 if whole else where.line, last + 1)}
        if problem.message.endswith(_EMPTIED):
            return  # what was left out of it is said
        value, _, origin = text.strip().partition(" # ")
        what = where.file if whole else f"`{value}` of {where.file}"
        came = f", which came of {origin}" if origin else ""
        rule = f" [{problem.rule}]" if problem.rule else ""
        self.said.append(f"left out: {what}{came}: {problem.message}{rule}")


def _end(lines: list[str], first: int) -> int:
    """Return the number of the last line that belongs to the key in line `first`; both count from 1."""
    depth = _depth(lines[first - 1])
    below = (number for number, line in enumerate(lines[first:], first) if line and _depth(line) <= depth)
    return next(below, len(lines))


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _has_value(secret: Secret) -> bool:
    try:
        return secret.known()
    except SecretError:
        return False


def lay_out(source: Path, base: Path | None, folder: Path, *, with_secrets: bool) -> list[str]:
    """Make a site of the predecessor's files in an empty folder; return what was decided.

    `with_secrets`: what needs a secret that has no value in the site beside it is left out as well.
    Raises PhoenixError.
    """
    result = imported(folders.read_folder(source))
    site = Beside(result, base, folder)
    used = sum(1 for fate in result.fates if fate.fate in ("used", "normalised"))
    site.said.append(
        f"{source}: {used} of {len(result.fates)} values are used, {len(result.findings)} defects were met, "
        f"{len(result.decisions)} things are left to decide: `phoenix import legacy {source}` lists them"
    )
    site.settled(with_secrets=with_secrets)
    return site.said
