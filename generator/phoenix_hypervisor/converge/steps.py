"""How a step is carried out: the shell behind pushing a file, running a script, running a program."""

from __future__ import annotations

import hashlib
import posixpath
import shlex
from collections.abc import Iterator
from typing import NamedTuple

from ..resource import PENDING_FOLDER, Artifact, Step
from ..secrets import Text


class Act(NamedTuple):
    """One shell command that changes a host, and what it reads."""

    command: str
    stdin: Text | None = None


def acts(step: Step, text: str) -> Iterator[Act]:
    """Yield what is run for a step, in order. `text` is the rendered artifact, empty when there is none."""
    if step.push is not None:
        yield push(step.push, text, check=step.check, pending=step.pending)
    elif step.execute is not None:
        yield push(step.execute, text)
        yield Act(f"sh {shlex.quote(step.execute.path)}", step.stdin)
    else:
        yield Act(shlex.join(step.argv), step.stdin)


def push(artifact: Artifact, text: str, *, check: str = "", pending: str = "") -> Act:
    """Return the act that makes a file hold this text, whole or not at all.

    The text goes to a new file beside the old one, is compared with its digest (a full disk, a cut
    connection), tested, and takes the old one's place by a rename. The mode is set before that.
    """
    path, mode = shlex.quote(artifact.path), f"{artifact.mode:04o}"
    digest = hashlib.sha256(text.encode()).hexdigest()
    lines = [
        "set -e",
        'digest() { sha256sum <"$1" | cut -c1-64; }',
        f'if [ -f {path} ] && [ "$(digest {path})" = {digest} ]; then chmod {mode} {path}; exit 0; fi',
        f"umask 022; mkdir -p {shlex.quote(posixpath.dirname(artifact.path))}; umask 077",
        f"candidate=$(mktemp {path}.XXXXXX)",
        "trap 'rm -f \"$candidate\"' EXIT",
        'cat >"$candidate"',
        f'[ "$(digest "$candidate")" = {digest} ] || {{ echo "the file came only in part" >&2; exit 1; }}',
        *([f"( {check} )"] if check else []),
        f'chmod {mode} "$candidate"; sync "$candidate"',
        *([f"mkdir -p {PENDING_FOLDER}; : >{PENDING_FOLDER}/{pending}"] if pending else []),
        f'mv -f "$candidate" {path}',
    ]
    return Act("\n".join(lines), Text(text))
