"""Looking at projects of Compose, for checks: files, containers, notes of a host, each asked for once."""

import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..resource import made
from ..secrets import RUN_KEY
from .project import FOLDER, LABEL, Composed

FILES = f"""\
for file in {FOLDER}/*/compose.yaml; do
    [ -e "$file" ] || continue
    printf '\\036%s\\n' "$file"
    cat "$file"
done
"""
_LABELS = ("com.docker.compose.project", "com.docker.compose.service", LABEL)
_COLUMNS = [*(f'{{{{.Label "{label}"}}}}' for label in _LABELS), "{{.State}}", "{{.Names}}"]
_FORMAT = r"\t".join(_COLUMNS)
CONTAINERS = f"docker ps -a --no-trunc --filter label={_LABELS[0]} --format '{_FORMAT}'"
ENV = f"""\
if [ -e %s ]; then
    stat -c '%%a %%U' %s
    {{ printf '%%s:' {RUN_KEY}; cat %s; }} | sha256sum | cut -c1-64
fi
"""


class Row(NamedTuple):
    """A container of some project."""

    project: str
    service: str
    declared: str
    """Our digest; empty of one that is not ours."""
    state: str
    name: str


def files(host: Any) -> dict[str, str]:
    """Return the compose files in folders of ours: path → text."""
    parts = host.run_expect([0], FILES).stdout.split("\036")[1:]
    return {path: text for path, _, text in (part.partition("\n") for part in parts)}


def containers(host: Any) -> list[Row]:
    """Return the containers of all projects."""
    return [Row(*line.split("\t")) for line in host.run_expect([0], CONTAINERS).stdout.splitlines()]


def notes(host: Any, kind: str) -> dict[str, str]:
    """Return our notes of a kind: project → the host on which it was made."""
    command = f"grep -sH '^maker ' {made(kind, '*')} || :"
    lines = (line.partition(":maker ") for line in host.run_expect([0], command).stdout.splitlines())
    return {path.rpartition("/")[2]: maker for path, _, maker in lines}


def present(host: Any, app: Composed) -> bool:
    """Tell whether the project is there."""
    return app.file in files(host)


def foreign(host: Any, app: Composed) -> str:
    """Return what of somebody else's has the name of ours."""
    noted = app.project in notes(host, app.kind)
    if app.file in files(host) and not noted:
        return f"{app.folder} is somebody else's"
    ours = [row for row in containers(host) if row.project == app.project]
    rows = [row for row in ours if not (row.declared and noted)]
    return f"{rows[0].name} is a container of somebody else's project {app.project}" if rows else ""


def compose(host: Any, app: Composed) -> Mapping[str, str]:
    """Return the compose file as an attribute."""
    return {"compose": files(host)[app.file]}


def env(host: Any, app: Composed) -> Mapping[str, str]:
    """Return what can be said of the values without saying them."""
    path = shlex.quote(app.env_file)
    lines = host.run_expect([0], ENV % (path, path, path)).stdout.splitlines()
    access, digest = lines or ("", "")
    right = digest == app.env_text.keyed_digest()
    return {"env": "as declared" if right else "another one", "env access": access}


def services(host: Any, app: Composed) -> tuple[dict[str, str], dict[str, str]]:
    """Return how its containers are, and how they should be: by `service NAME`."""
    actual = {f"service {name}": "missing" for name in app.declared_services}
    for row in containers(host):
        if row.project == app.project:
            same = row.declared == app.digest
            actual[f"service {row.service}"] = row.state if same else f"{row.state}, not as declared"
    wanted = {
        name: "running" if name.removeprefix("service ") in app.declared_services else "gone"
        for name in actual
    }
    return actual, wanted


def loaded(host: Any, app: Composed) -> bool:
    """Tell whether no change of its files still waits for the containers."""
    return bool(host.run_expect([0, 1], "test -e %s", app.waiting).rc == 1)


def owned(host: Any, kind: str) -> set[str]:
    """Return the projects of a kind that we made on this very host: what a layer brought is the layer's."""
    noted = notes(host, kind)
    if not noted:
        return set()  # so it is almost everywhere: nothing more is asked there
    there = {path.split("/")[-2] for path in files(host)}
    here = host.run_expect([0], "uname -n").stdout.strip()
    return {project for project, maker in noted.items() if maker == here and project in there}
