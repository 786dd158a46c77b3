"""The demonstration: the life of a node in a minute, on the lab node of the site in this folder.

`make demo` runs it. It runs `phoenix` itself, as a person would, and stops at the first surprise.
"""

import os
import sys
from pathlib import Path
from typing import NamedTuple

from ..errors import ExitCode, PhoenixError
from ..process import attach
from .site import declared_nodes

LAST_LINES = """\
said=$({0}) || {{ status=$?; printf '%s\\n' "$said"; exit $status; }}
printf '%s\\n' "$said" | tail -n {1}
"""
"""Shell that shows the last lines of what a command says on stdout; all of it when that fails."""
NAMES = ("jupyter/token", "samba/heads", "unix/admin")


class Scene(NamedTuple):
    """One command, and what is said before it."""

    said: str
    command: str
    status: ExitCode = ExitCode.OK
    """How it must end."""
    lines: int = 0
    """How many of its last lines are shown, if not all."""


SECRETS = (
    Scene(
        "The files name secrets: passwords of users. Secrets live in an encrypted file,\n"
        "configs/secrets.age; this makes the key that opens it, and draws the passwords.",
        "phoenix secrets init",
    ),
    *(Scene("", f"phoenix secrets set {name} --generate") for name in NAMES),
)
STORY = (
    Scene(
        "configs/ says what the node should be. First: is what it says in order?",
        "phoenix validate",
    ),
    Scene(
        "The node is a lab node: a directory with a root of its own, and stand-ins for Proxmox's tools.\n"
        "It has blank disks, and nothing else. (The node of an earlier demonstration is thrown away.)",
        "phoenix lab up --fresh",
    ),
    Scene(
        "What differs, and exactly what would be run? A plan changes nothing. It ends with status 2:\n"
        "there is something to do.",
        "phoenix plan",
        ExitCode.PENDING,
    ),
    Scene(
        "Now run it. `apply` shows the plan again (left out here), runs each step, and looks again:\n"
        "what counts is what the checks find afterwards, not what the commands said.",
        "phoenix apply --yes",
        lines=1,
    ),
    Scene(
        "The checks behind the plan are plain pytest. Here they run on their own, and use the things too:\n"
        "a share is logged in to, a storage is asked whether it is active.",
        "phoenix verify -q",
    ),
    Scene(
        "Twice is once: a second apply finds nothing to do, and asks nothing.",
        "phoenix apply",
    ),
    Scene(
        "Now somebody changes the node by hand, behind our back.",
        "phoenix lab drift zfs-property",
    ),
    Scene(
        "The next plan says what they changed, and the one command that puts it right.",
        "phoenix plan",
        ExitCode.PENDING,
    ),
    Scene(
        "And apply runs just that.",
        "phoenix apply --yes",
    ),
)
END = """
That is all. The node is still there, in .phoenix/lab. From here:

    export PATH="$PWD/.venv/bin:$PATH"
    phoenix lab drift              what else somebody might change
    phoenix lab fault              what else might go wrong: a cut connection, a full disk, a kill
    phoenix render                 every file as it would be on the node, in build/artifacts
    $EDITOR configs/nodes/phoenix.yaml, then phoenix plan

README.md says how to go on with a real node.
"""


def main() -> int:
    """Play all scenes; returns 1 and says why when one does not end as it must."""
    folder = Path.cwd()
    environment = _environment()
    try:
        _only_lab_nodes(folder)
        for scene in (*_secrets(folder), *STORY):
            _play(scene, environment)
    except PhoenixError as error:
        print(f"\nthe demonstration stops: {error}", file=sys.stderr)  # noqa: T201
        return ExitCode.FAILED
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    _say(END.rstrip())
    return ExitCode.OK


def _only_lab_nodes(folder: Path) -> None:
    """Nothing here may ever happen to a real node."""
    from ..config import load

    real = sorted(load(folder).nodes.keys() - declared_nodes(folder).keys())
    if real:
        raise PhoenixError(
            f"{', '.join(real)} is no lab node, and this would change it",
            hint="run the demonstration in a fresh copy of the repository",
        )


def _secrets(folder: Path) -> tuple[Scene, ...]:
    """Make what is not there yet. A file whose key is gone is not ours to throw away."""
    sealed, identity = folder / "configs/secrets.age", folder / ".phoenix/identity.txt"
    if sealed.exists() and not identity.exists():
        raise PhoenixError(
            f"configs/secrets.age is there, but {identity.relative_to(folder)}, which opens it, is not",
            hint="bring the identity back; or remove configs/secrets.age, and new secrets are made",
        )
    if sealed.exists():
        return ()
    return SECRETS[1:] if identity.exists() else SECRETS


def _environment() -> dict[str, str]:
    """Our own environment, with this very `phoenix` first, and nothing that points it elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not _points_elsewhere(name)}
    return {**kept, "PATH": f"{Path(sys.executable).parent}:{kept.get('PATH', os.defpath)}"}


def _points_elsewhere(name: str) -> bool:
    return name.startswith(("PHOENIX_", "PYTEST_")) and name != "PHOENIX_LAB_SANDBOX"


def _play(scene: Scene, environment: dict[str, str]) -> None:
    if scene.said:
        _say(f"\n{_bright(scene.said)}\n")
    _say(f"$ {scene.command}")
    command = LAST_LINES.format(scene.command, scene.lines) if scene.lines else scene.command
    status = attach(["sh", "-c", command], env=environment)
    if status != scene.status:
        raise PhoenixError(f"`{scene.command}` ended with {status}, not {int(scene.status)}")


def _bright(text: str) -> str:
    plain = os.environ.get("NO_COLOR") or not sys.stdout.isatty()
    return text if plain else "\n".join(f"\x1b[1m{line}\x1b[0m" for line in text.split("\n"))


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
