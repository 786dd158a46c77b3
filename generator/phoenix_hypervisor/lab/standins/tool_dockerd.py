"""dockerd: the daemon, and whether it would take a file of settings."""

import sys

import docker_daemon
import docker_state
import model

UNIT = ("-H", "fd://", "--containerd=/run/containerd/containerd.sock")


def main(argv: list[str]) -> int:
    if not docker_state.installed(*docker_state.ENGINES):
        print("sh: 1: dockerd: not found", file=sys.stderr)
        return 127
    if argv == ["--version"]:
        version = docker_state.installed(*docker_state.ENGINES)
        print(f"Docker version {version}, build lab")
        return 0
    if "--validate" in argv:
        return _validate([word for word in argv if word != "--validate"], argv)
    if argv and (*argv,) != UNIT:
        model.not_simulated("dockerd", argv)
    said = docker_daemon.starts()
    if said:
        print(said, file=sys.stderr)
        return 1
    docker_daemon.run()
    return 0


def _validate(rest: list[str], argv: list[str]) -> int:
    path = docker_daemon.CONFIG
    for word in rest:
        name, equals, value = word.partition("=")
        if name != "--config-file" or not equals:
            model.not_simulated("dockerd", argv)
        path = value
    said = docker_daemon.trouble(path)
    if said:
        print(f"unable to configure the Docker daemon with file {path}: {said}", file=sys.stderr)
        return 1
    print("configuration OK")
    return 0
