"""How Docker shows containers, images and volumes: tables, templates, JSON."""

import json
import re
import time
from typing import Any

import docker_daemon
import docker_gpus
import docker_images
import docker_state
import model

_FIELD = re.compile(
    r"\{\{\s*(?:\.(?P<name>\w+(?:\.\w+)*)|\.Label \"(?P<label>[^\"]+)\"|json \.(?P<json>\w*))\s*\}\}"
)
HEAD = ("CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES")


def filled(template: str, fields: dict[str, Any], labels: dict[str, str], argv: list[str]) -> str:
    """Return a Go template filled in; of those that the lab knows."""

    def value(found: re.Match[str]) -> str:
        if found["label"]:
            return labels.get(found["label"], "")
        if found["json"] is not None:
            if found["json"] and found["json"] not in fields:
                model.not_simulated("docker", argv)
            return json.dumps(fields[found["json"]] if found["json"] else fields)
        here: Any = fields
        for key in found["name"].split("."):
            if not isinstance(here, dict) or key not in here:
                model.not_simulated("docker", argv)
            here = here[key]
        return str(here)

    text = _FIELD.sub(value, template.replace("\\t", "\t").replace("\\n", "\n"))
    if "{{" in text:
        model.not_simulated("docker", argv)
    return text


def status(row: docker_state.Row) -> str:
    """What `docker ps` calls the state."""
    if row["state"] == "running":
        return "Up Less than a second"
    if row["state"] == "restarting":
        return f"Restarting ({row['status']}) Less than a second ago"
    return "Created" if row["state"] == "created" else f"Exited ({row['status']}) Less than a second ago"


def ports(row: docker_state.Row) -> str:
    """What `docker ps` says of ports."""
    if row["state"] != "running":
        return ""
    return ", ".join(f"{address}:{host}->{inside}/{proto}" for address, host, inside, proto in row["ports"])


def container(row: docker_state.Row, *, whole: bool) -> dict[str, Any]:
    """The fields that templates of `docker ps` may name."""
    name = row["id"] if whole else row["id"][:12]
    return {
        "ID": name, "Image": row["image"], "Command": f'"{" ".join(row["command"])}"', "Names": row["name"],
        "State": row["state"], "Status": status(row), "Ports": ports(row),
        "Labels": ",".join(f"{key}={value}" for key, value in sorted(row["labels"].items())),
    }  # fmt: skip


def table(rows: list[dict[str, Any]]) -> None:
    """Print containers as `docker ps` does."""
    lines = [HEAD]
    lines += [
        (
            row["ID"],
            row["Image"],
            row["Command"],
            "Less than a second ago",
            row["Status"],
            row["Ports"],
            row["Names"],
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("   ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())


def inspected(state: docker_state.State, name: str) -> dict[str, Any]:
    """What `docker inspect` shows of a container. Raises DaemonError."""
    row = docker_state.find(state, name)
    return {
        "Id": row["id"],
        "Created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(row["created"])),
        "State": {"Status": row["state"], "Running": row["state"] == "running", "ExitCode": row["status"]},
        "Image": state["images"].get(_canonical(row["image"]), {}).get("digest", ""),
        "Name": f"/{row['name']}",
        "HostConfig": {"RestartPolicy": {"Name": row["restart"], "MaximumRetryCount": 0}},
        "Mounts": [
            {"Type": "bind", "Source": source, "Destination": target, "RW": not read_only}
            for source, target, read_only in row["mounts"]
        ],
        "Config": {
            "Image": row["image"],
            "Env": [f"{key}={value}" for key, value in row["env"].items()],
            "Labels": row["labels"],
        },
    }


def image(state: docker_state.State, name: str) -> dict[str, Any] | None:
    """What `docker image inspect` shows; None of an image that is not there."""
    row = state["images"].get(_canonical(name))
    if row is None:
        return None
    reference = docker_images.parse(name)
    assert reference is not None
    return {
        "Id": docker_images.image_id(row["digest"]),
        "RepoTags": [],
        "RepoDigests": [f"{reference.familiar}@{row['digest']}"],
        "Architecture": "amd64",
        "Os": "linux",
    }


def info(state: docker_state.State) -> dict[str, Any]:
    """The fields that templates of `docker info` may name."""
    rows = state["containers"]
    return {
        "Driver": docker_daemon.driver_of(),
        "ServerVersion": docker_state.installed(*docker_state.ENGINES),
        "Containers": len(rows),
        "ContainersRunning": sum(row["state"] == "running" for row in rows),
        "Images": len(state["images"]),
        "CgroupVersion": "2",
        "CgroupDriver": "systemd",
        "DockerRootDir": docker_state.FOLDER,
        "Runtimes": docker_gpus.runtimes(),
        "Name": model.read().get("hostname", "localhost"),
    }


def _canonical(name: str) -> str:
    reference = docker_images.parse(name)
    return reference.canonical if reference else ""
