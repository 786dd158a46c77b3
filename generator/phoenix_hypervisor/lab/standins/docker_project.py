"""A compose file read and resolved: variables filled in, ports, volumes and folders as containers get them.

Of the specification only what our files use; all else is not simulated, or refused as Compose refuses it.
"""

import json
import re
from typing import Any, NamedTuple

import docker_state
import model

TOP = frozenset(("name", "services", "volumes", "networks"))
SERVICE = frozenset((
    "image", "container_name", "restart", "ports", "volumes", "environment", "labels", "command",
    "depends_on", "networks", "extra_hosts", "healthcheck", "user", "read_only", "tmpfs", "cap_drop",
    "cap_add", "security_opt", "shm_size", "mem_limit", "stop_grace_period", "ulimits", "dns", "hostname",
    "init", "logging", "expose", "gpus",
))  # fmt: skip
_VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<braced>\w+)\}|(?P<plain>[A-Za-z_]\w*)|(?P<else>\{))")
_LINE = re.compile(r"(\w+)='([^']*)'")

Values = dict[str, Any]


class ProjectError(Exception):
    """What Compose says of a file that it does not take."""


class Project(NamedTuple):
    """A project as it is brought up."""

    name: str
    services: dict[str, Values]
    volumes: list[str]
    networks: list[str]
    warnings: list[str]


def read(path: str, folder: str, name: str) -> Project:
    """Read a file. Raises ProjectError."""
    try:
        with open(model.path(path), encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        raise ProjectError(f"open {path}: no such file or directory") from None
    try:
        found = json.loads("".join(line for line in text.splitlines(True) if not line.startswith("#")))
    except ValueError:
        model.not_simulated("docker compose", ["a file that is no JSON", path])
    warnings: list[str] = []
    filled = _filled(found, _variables(folder), warnings)
    for key in filled.keys() - TOP:
        raise ProjectError(f"validating {path}: additional properties '{key}' not allowed")
    services = {key: _service(path, key, value, folder, name) for key, value in filled["services"].items()}
    volumes = [f"{name}_{key}" for key in filled.get("volumes") or {}]
    networks = [f"{name}_{key}" for key in filled.get("networks") or {"default": None}]
    declared = {*(filled.get("volumes") or {})}
    for key, service in services.items():
        for used in service.pop("named"):
            if used not in declared:
                raise ProjectError(
                    f'service "{key}" refers to undefined volume {used}: invalid compose project'
                )
    return Project(name, services, volumes, networks, warnings)


def _variables(folder: str) -> dict[str, str]:
    try:
        with open(model.path(f"{folder}/.env"), encoding="utf-8") as file:
            lines = [line.rstrip("\n") for line in file if line.strip() and line[0] != "#"]
    except FileNotFoundError:
        return {}
    rows = [_LINE.fullmatch(line) for line in lines]
    if None in rows:
        model.not_simulated("docker compose", ["a line of .env that is not NAME='VALUE'"])
    return {row[1]: row[2] for row in rows if row}


def _filled(value: Any, known: dict[str, str], warnings: list[str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(below, known, warnings) for key, below in value.items()}
    if isinstance(value, list):
        return [_filled(below, known, warnings) for below in value]
    if not isinstance(value, str):
        return value

    def one(found: re.Match[str]) -> str:
        if found["escaped"]:
            return "$"
        if found["else"]:
            model.not_simulated("docker compose", [value])
        name = found["braced"] or found["plain"]
        if name not in known:
            said = f'The \\"{name}\\" variable is not set. Defaulting to a blank string.'
            warnings.append(f'level=warning msg="{said}"')
        return known.get(name, "")

    return _VARIABLE.sub(one, value)


def _service(path: str, name: str, found: Values, folder: str, project: str) -> Values:
    for key in found.keys() - SERVICE:
        raise ProjectError(f"validating {path}: services.{name} additional properties '{key}' not allowed")
    if "image" not in found:
        said = f'service "{name}" has neither an image nor a build context specified: invalid compose project'
        raise ProjectError(said)
    mounts, named = _mounts(found.get("volumes") or [], folder, project)
    command = found.get("command") or []
    return {
        "image": found["image"],
        "container_name": found.get("container_name", ""),
        "restart": found.get("restart", "no"),
        "labels": {key: _text(value) for key, value in _mapping(found.get("labels")).items()},
        "env": {key: _text(value) for key, value in _mapping(found.get("environment")).items()},
        "ports": [port for written in found.get("ports") or [] for port in _ports(written)],
        "mounts": mounts,
        "named": named,
        "command": command.split() if isinstance(command, str) else command,
        "rest": {key: found[key] for key in sorted(found) if key != "labels"},
    }


def _mapping(found: Any) -> Values:
    if isinstance(found, list):
        return dict(line.partition("=")[::2] for line in found)
    return found or {}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _ports(written: Any) -> list[list[Any]]:
    """`8080:80`, `127.0.0.1:8080:80/tcp`, `80`, or the long form; ranges are not simulated."""
    if isinstance(written, dict):
        address = written.get("host_ip", "0.0.0.0")  # noqa: S104  (as Docker writes it)
        text = f"{address}:{written['published']}:{written['target']}/{written.get('protocol', 'tcp')}"
    else:
        text = str(written)
    bare, _, proto = text.partition("/")
    parts = bare.split(":")
    if "-" in bare or len(parts) > 3:
        model.not_simulated("docker compose", ["ports:", text])
    if len(parts) == 1:
        return []
    address = parts[0] if len(parts) == 3 else "0.0.0.0"  # noqa: S104  (as Docker writes it)
    return [[address, int(parts[-2]), int(parts[-1]), proto or "tcp"]]


def _mounts(found: list[Any], folder: str, project: str) -> tuple[list[list[Any]], list[str]]:
    mounts: list[list[Any]] = []
    named: list[str] = []
    for written in found:
        if isinstance(written, dict):
            source, target, read_only = written["source"], written["target"], written.get("read_only", False)
            bind = written.get("type") == "bind"
        else:
            source, target, *more = written.split(":")
            bind, read_only = source[0] in "./~", more == ["ro"]
        if bind:
            source = source if source.startswith("/") else f"{folder}/{source.removeprefix('./')}".rstrip("/")
        else:
            named.append(source)
            source = f"{docker_state.FOLDER}/volumes/{project}_{source}/_data"
        mounts.append([source, target, bool(read_only)])
    return mounts, named
