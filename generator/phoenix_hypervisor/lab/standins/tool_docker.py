"""docker: pull, run, ps, inspect, compose and what else belongs to them, of the host's own daemon."""

import functools
import sys
from collections.abc import Callable

import docker_daemon
import docker_gpus
import docker_images
import docker_pulling
import docker_shown
import docker_state
import model
from docker_state import DaemonError

Verb = Callable[[list[str], list[str]], int]


def main(argv: list[str]) -> int:
    client = docker_state.installed(*docker_state.CLIENTS)
    if not client:
        print("sh: 1: docker: not found", file=sys.stderr)
        return 127
    if argv[:1] in (["--version"], ["-v"]):
        print(f"Docker version {client}, build lab")
        return 0
    if argv[:1] == ["compose"]:
        if not docker_state.installed(*docker_state.COMPOSE):
            print(
                "docker: unknown command: docker compose\n\nRun 'docker --help' for more information",
                file=sys.stderr,
            )
            return 1
        import docker_compose

        return docker_compose.main(argv[1:])
    taken = 2 if argv[:1] in (["image"], ["volume"], ["container"], ["system"]) else 1
    verb = " ".join(argv[:taken])
    verb = SAME.get(verb, verb)
    if verb not in VERBS:
        return model.not_simulated("docker", argv)
    try:
        return VERBS[verb](argv[taken:], argv)
    except DaemonError as refused:
        said = str(refused)
        print(
            said if said.startswith("Cannot connect") else f"Error response from daemon: {said}",
            file=sys.stderr,
        )
        return 1


def options(
    words: list[str], valued: tuple[str, ...], plain: tuple[str, ...], argv: list[str]
) -> tuple[dict[str, list[str]], list[str]]:
    """Return options with their values, and what stands behind them; unknown options are not simulated."""
    found: dict[str, list[str]] = {}
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name in valued:
            found.setdefault(name, []).append(value if equals else rest.pop(0))
        elif name in plain:
            found.setdefault(name, []).append(value)
        else:
            model.not_simulated("docker", argv)
    return found, rest


def _version(words: list[str], argv: list[str]) -> int:
    given, rest = options(words, ("--format", "-f"), (), argv)
    if rest:
        model.not_simulated("docker", argv)
    client = docker_state.installed(*docker_state.CLIENTS)
    template = (given.get("--format") or given.get("-f") or [""])[0]
    docker_state.read()
    server = docker_state.installed(*docker_state.ENGINES)
    fields = {"Client": {"Version": client}, "Server": {"Version": server}}
    shown = f"Client: Docker Engine - Community\n Version:    {client}\n\n"
    shown += f"Server: Docker Engine - Community\n Engine:\n  Version:  {server}"
    print(docker_shown.filled(template, fields, {}, argv) if template else shown)
    return 0


def _info(words: list[str], argv: list[str]) -> int:
    given, rest = options(words, ("--format", "-f"), (), argv)
    template = (given.get("--format") or given.get("-f") or [""])[0]
    if rest or not template:
        model.not_simulated("docker", argv)
    try:
        state = docker_state.read()
    except DaemonError as refused:
        print()
        print(refused, file=sys.stderr)
        return 1
    print(docker_shown.filled(template, docker_shown.info(state), {}, argv))
    return 0


def _pull(words: list[str], argv: list[str]) -> int:
    given, rest = options(words, (), ("-q", "--quiet"), argv)
    if len(rest) != 1:
        model.not_simulated("docker", argv)
    docker_pulling.pull(rest[0], quiet=bool(given))
    return 0


def _ps(words: list[str], argv: list[str]) -> int:
    plain = ("-a", "--all", "--no-trunc", "-q", "--quiet")
    given, rest = options(words, ("--filter", "-f", "--format"), plain, argv)
    if rest:
        model.not_simulated("docker", argv)
    rows = docker_state.read()["containers"]
    for text in given.get("--filter", []) + given.get("-f", []):
        rows = [row for row in rows if _kept(row, text, argv)]
    if not {"-a", "--all"} & given.keys():
        rows = [row for row in rows if row["state"] in ("running", "restarting")]
    shown = [docker_shown.container(row, whole="--no-trunc" in given) for row in reversed(rows)]
    template = (given.get("--format") or [""])[0]
    if {"-q", "--quiet"} & given.keys():
        print("".join(f"{one['ID']}\n" for one in shown), end="")
    elif template:
        for one, row in zip(shown, reversed(rows), strict=True):
            print(docker_shown.filled(template, one, row["labels"], argv))
    else:
        docker_shown.table(shown)
    return 0


def _kept(row: docker_state.Row, text: str, argv: list[str]) -> bool:
    key, _, value = text.partition("=")
    if key == "label":
        name, equals, wanted = value.partition("=")
        return name in row["labels"] and (not equals or row["labels"][name] == wanted)
    if key == "name":
        return value in row["name"]
    if key == "status":
        return bool(row["state"] == value)
    return model.not_simulated("docker", argv)


def _inspect(words: list[str], argv: list[str]) -> int:
    import json

    given, names = options(words, ("--format", "-f"), (), argv)
    template = (given.get("--format") or given.get("-f") or [""])[0]
    state = docker_state.read()
    found, missing = [], ""
    for name in names:
        try:
            found.append(docker_shown.inspected(state, name))
        except DaemonError:
            missing = f"Error: No such object: {name}"
    return _shown(found, missing, template, argv, json.dumps(found, indent=4))


def _shown(found: list[dict[str, object]], missing: str, template: str, argv: list[str], text: str) -> int:
    if template:
        for one in found:
            print(docker_shown.filled(template, one, {}, argv))
        if missing:
            print()
    else:
        print(text)
    if missing:
        print(missing, file=sys.stderr)
    return int(bool(missing))


def _image_inspect(words: list[str], argv: list[str]) -> int:
    import json

    given, names = options(words, ("--format", "-f"), (), argv)
    template = (given.get("--format") or given.get("-f") or [""])[0]
    state = docker_state.read()
    rows = {name: docker_shown.image(state, name) for name in names}
    found = [row for row in rows.values() if row]
    missing = next((name for name, row in rows.items() if not row), "")
    missing = missing and f"Error response from daemon: No such image: {missing}"
    return _shown(found, missing, template, argv, json.dumps(found, indent=4))


def _image_rm(words: list[str], argv: list[str]) -> int:
    _, names = options(words, (), (), argv)
    for name in names:
        with docker_state.change() as state:
            reference = docker_images.parse(name)
            known = reference.canonical if reference else ""
            if known not in state["images"]:
                raise DaemonError(f"No such image: {name}")
            for row in state["containers"]:
                used = docker_images.parse(row["image"])
                if used and used.canonical == known:
                    raise DaemonError(
                        f'conflict: unable to remove repository reference "{name}" (must force) - '
                        f"container {row['id'][:12]} is using its referenced image {known[-12:]}"
                    )
            digest = state["images"].pop(known)["digest"]
        print(f"Untagged: {known}\nDeleted: {docker_images.image_id(digest)}")
    return 0


def _run(words: list[str], argv: list[str]) -> int:
    given, rest = options(words, ("--pull", "--name", "--gpus"), ("--rm", "-d", "--detach"), argv)
    if not rest or {"-d", "--detach"} & given.keys() or given.get("--gpus", ["all"]) != ["all"]:
        model.not_simulated("docker", argv)
    try:
        if not docker_state.has_image(docker_state.read(), rest[0]):
            print(f"Unable to find image '{rest[0]}' locally", file=sys.stderr)
            docker_pulling.pull(rest[0], onto_stderr=True)
        if "--gpus" in given and (said := docker_gpus.trouble()):
            raise DaemonError(said)
    except DaemonError as refused:
        said = str(refused) if str(refused).startswith("Cannot") else f"Error response from daemon: {refused}"
        print(f"docker: {said}\n\nRun 'docker run --help' for more information", file=sys.stderr)
        return 125
    reference = docker_images.parse(rest[0])
    software = docker_images.software(f"{reference.host}/{reference.path}") if reference else None
    if software is None or software.program or len(rest) > 1:
        model.not_simulated("docker", argv)
    print(software.says, end="")
    return 0


def _each(verb: str, words: list[str], argv: list[str]) -> int:
    given, names = options(words, ("-t", "--time", "--timeout"), ("-f", "--force"), argv)
    for name in names:
        with docker_state.change() as state:
            row = docker_state.find(state, name)
            if verb == "rm":
                if row["state"] == "running" and not given:
                    raise DaemonError(
                        f'cannot remove container "{row["name"]}": container is running: stop the container '
                        "before removing or force remove"
                    )
                state["containers"].remove(row)
            if verb in ("stop", "kill", "restart") and row["state"] in ("running", "restarting"):
                row.update(state="exited", status=137 if verb == "kill" else 0)
            stopped = dict(row)
        if verb == "restart" and stopped["state"] == "exited":
            docker_daemon.sync()
        if verb in ("start", "restart"):
            with docker_state.change() as state:
                docker_state.start(state, docker_state.find(state, name))
        print(name)
    docker_daemon.sync()
    return 0


def _logs(words: list[str], argv: list[str]) -> int:
    given, names = options(words, ("--tail", "-n"), ("--no-color",), argv)
    if len(names) != 1:
        model.not_simulated("docker", argv)
    row = docker_state.find(docker_state.read(), names[0])
    for line in log(row, int((given.get("--tail") or given.get("-n") or ["0"])[0])):
        print(line)
    return 0


def log(row: docker_state.Row, lines: int) -> list[str]:
    """Return what a container said last."""
    try:
        with open(model.path(f"{docker_state.FOLDER}/containers/{row['id']}.log"), encoding="utf-8") as file:
            return file.read().splitlines()[-lines:]
    except FileNotFoundError:
        return []


def _volume_ls(words: list[str], argv: list[str]) -> int:
    given, rest = options(words, ("--filter", "-f"), ("-q", "--quiet"), argv)
    if rest or not {"-q", "--quiet"} & given.keys():
        model.not_simulated("docker", argv)
    for name, labels in docker_state.read()["volumes"].items():
        wanted = [text.partition("=")[2] for text in given.get("--filter", []) + given.get("-f", [])]
        if all(labels.get(text.partition("=")[0]) == text.partition("=")[2] for text in wanted):
            print(name)
    return 0


VERBS: dict[str, Verb] = {
    "version": _version, "info": _info, "pull": _pull, "ps": _ps, "inspect": _inspect, "run": _run,
    "logs": _logs, "image inspect": _image_inspect, "image rm": _image_rm, "volume ls": _volume_ls,
    **{verb: functools.partial(_each, verb) for verb in ("start", "stop", "restart", "kill", "rm")},
}  # fmt: skip
SAME = {
    "rmi": "image rm", "image pull": "pull", "container ls": "ps", "container inspect": "inspect",
    "system info": "info",
}  # fmt: skip
