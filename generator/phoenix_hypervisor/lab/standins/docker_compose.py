"""docker compose: config, up, down, ps, logs and version, of files as we write them: JSON below a comment."""

import hashlib
import json
import os
import re
import sys
from typing import Any

import docker_daemon
import docker_gpus
import docker_images
import docker_project
import docker_pulling
import docker_state
import model
from docker_project import Project, ProjectError
from docker_state import DaemonError

PLAIN = (
    "-d", "--detach", "--remove-orphans", "--wait", "--quiet-pull", "-q", "--quiet", "-v", "--volumes",
    "--no-color", "-a", "--all", "--no-log-prefix", "--short",
)  # fmt: skip
VALUED = ("--wait-timeout", "--pull", "--timeout", "-t", "--tail", "--format")


def main(argv: list[str]) -> int:
    words, place = list(argv), {"-p": "", "-f": "", "--project-directory": "", "--progress": ""}
    while words and words[0].startswith("-"):
        name, equals, value = words.pop(0).partition("=")
        name = {"--project-name": "-p", "--file": "-f"}.get(name, name)
        if name not in place or not (equals or words):
            return _not_simulated(argv)
        place[name] = value if equals else words.pop(0)
    verb, words = (words[0], words[1:]) if words else ("", [])
    given: dict[str, str] = {}
    while words and words[0].startswith("-"):
        name, equals, value = words.pop(0).partition("=")
        if name not in PLAIN and name not in VALUED:
            return _not_simulated(argv)
        given[name] = (value if equals else words.pop(0)) if name in VALUED else "yes"
    if verb == "version" and not words:
        version = docker_state.installed(*docker_state.COMPOSE)
        print(version if "--short" in given else f"Docker Compose version v{version}")
        return 0
    if verb not in VERBS or words:
        return _not_simulated(argv)
    try:
        return VERBS[verb](place, given, argv)
    except ProjectError as refused:
        print(refused, file=sys.stderr)
        return 15 if verb == "config" and "validating" in str(refused) else 1
    except DaemonError as refused:
        said = str(refused)
        print(said if said.startswith("Cannot") else f"Error response from daemon: {said}", file=sys.stderr)
        return 1


def _not_simulated(argv: list[str]) -> int:
    return model.not_simulated("docker compose", argv)


def _project(place: dict[str, str]) -> Project:
    folder = place["--project-directory"] or os.getcwd()
    return docker_project.read(place["-f"] or f"{folder}/compose.yaml", folder, place["-p"])


def _config(place: dict[str, str], given: dict[str, str], argv: list[str]) -> int:
    project = _project(place)
    if not {"-q", "--quiet"} & given.keys():
        return _not_simulated(argv)
    for line in project.warnings:
        print(line, file=sys.stderr)
    return 0


def _say(what: str, name: str, became: str) -> None:
    print(f" {what} {name}  {became}", file=sys.stderr)


def _up(place: dict[str, str], given: dict[str, str], argv: list[str]) -> int:
    if not {"-d", "--detach", "--wait"} & given.keys():
        return _not_simulated(argv)
    project = _project(place)
    for line in project.warnings:
        print(line, file=sys.stderr)
    for service in project.services.values():
        if not docker_state.has_image(docker_state.read(), service["image"]):
            docker_pulling.pull(service["image"], quiet=True, onto_stderr=True)
    with docker_state.change() as state:
        for network in project.networks:
            if network not in state["networks"]:
                state["networks"].append(network)
                _say("Network", network, "Created")
        for volume in project.volumes:
            if volume not in state["volumes"]:
                state["volumes"][volume] = {"com.docker.compose.project": project.name}
                _say("Volume", f'"{volume}"', "Created")
    if _without_others(project, given):
        docker_daemon.sync()  # their ports are free then
    with docker_state.change() as state:
        for name, service in project.services.items():
            _bring_up(state, project, name, service)
    docker_daemon.sync()
    return _waited(project) if "--wait" in given else 0


def _without_others(project: Project, given: dict[str, str]) -> bool:
    """Remove containers of services that are declared no longer, or in another way."""
    with docker_state.change() as state:
        gone = []
        for row in _of(state, project.name):
            service = row["labels"]["com.docker.compose.service"]
            orphan = service not in project.services
            if orphan and "--remove-orphans" not in given:
                said = f"Found orphan containers ([{row['name']}]) for this project."
                print(f'level=warning msg="{said}"', file=sys.stderr)
            elif orphan or row["labels"]["com.docker.compose.config-hash"] != _hash(
                project.services[service]
            ):
                gone.append(row)
                state["containers"].remove(row)
                _say("Container", row["name"], "Removed" if orphan else "Recreate")
        return bool(gone)


def _bring_up(state: docker_state.State, project: Project, name: str, service: dict[str, Any]) -> None:
    """Make and start a service's container, unless it runs."""
    rows = [r for r in _of(state, project.name) if r["labels"]["com.docker.compose.service"] == name]
    row = rows[0] if rows else None
    if row is None:
        reference = docker_images.parse(service["image"])
        assert reference is not None
        labels = {
            **service["labels"],
            "com.docker.compose.project": project.name,
            "com.docker.compose.service": name,
            "com.docker.compose.config-hash": _hash(service),
        }
        row = docker_state.new(
            service["container_name"] or f"{project.name}-{name}-1",
            service["image"],
            labels=labels,
            software=f"{reference.host}/{reference.path}",
            **{key: service[key] for key in ("env", "ports", "mounts", "command", "restart")},
        )
        if any(other["name"] == row["name"] for other in state["containers"]):
            raise DaemonError(
                f'Conflict. The container name "/{row["name"]}" is already in use by container. You have to '
                "remove (or rename) that container to be able to reuse that name."
            )
        state["containers"].append(row)
        _say("Container", row["name"], "Created")
    if row["state"] != "running":
        said = docker_gpus.trouble() if service["rest"].get("gpus") else ""
        if said:
            raise DaemonError(said)
        docker_state.start(state, row)
        _say("Container", row["name"], "Started")
    else:
        _say("Container", row["name"], "Running")


def _waited(project: Project) -> int:
    """What `--wait` says: each container is up, or which is not."""
    for row in _of(docker_state.read(), project.name):
        if row["state"] != "running":
            print(f"container {row['name']} exited ({row['status']})", file=sys.stderr)
            return 1
        _say("Container", row["name"], "Healthy")
    return 0


def _hash(service: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(service, sort_keys=True).encode()).hexdigest()


def _of(state: docker_state.State, project: str) -> list[docker_state.Row]:
    return [row for row in state["containers"] if row["labels"].get("com.docker.compose.project") == project]


def _down(place: dict[str, str], given: dict[str, str], argv: list[str]) -> int:
    name = place["-p"]
    if not name:
        return _not_simulated(argv)
    with docker_state.change() as state:
        for row in _of(state, name):
            state["containers"].remove(row)
            _say("Container", row["name"], "Removed")
    docker_daemon.sync()
    with docker_state.change() as state:
        if {"-v", "--volumes"} & given.keys():
            for volume, labels in list(state["volumes"].items()):
                if labels.get("com.docker.compose.project") == name:
                    del state["volumes"][volume]
                    _remove(f"{docker_state.FOLDER}/volumes/{volume}")
                    _say("Volume", volume, "Removed")
        for network in [
            network for network in state["networks"] if re.match(rf"{re.escape(name)}_", network)
        ]:
            state["networks"].remove(network)
            _say("Network", network, "Removed")
    return 0


def _remove(path: str) -> None:
    import shutil

    shutil.rmtree(model.path(path), ignore_errors=True)


def _logs(place: dict[str, str], given: dict[str, str], argv: list[str]) -> int:
    import tool_docker

    if "--tail" not in given:
        return _not_simulated(argv)

    for row in _of(docker_state.read(), place["-p"]):
        for line in tool_docker.log(row, int(given["--tail"])):
            print(f"{row['name']}  | {line}")
    return 0


VERBS = {"config": _config, "up": _up, "down": _down, "logs": _logs}
