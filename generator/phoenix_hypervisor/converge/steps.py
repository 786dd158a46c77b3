"""How a step is carried out: the shell behind pushing a file, running a script, running a program."""

from __future__ import annotations

import hashlib
import posixpath
import shlex
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ..errors import GuestError, SecretError
from ..resource import PENDING_FOLDER, Artifact, Effect, Ref, Step
from ..secrets import Secret, Text
from ..transport import Answer
from ..transport.hearing import settled
from . import fetching


class Act(NamedTuple):
    """One shell command that changes a host, and what it reads."""

    command: str
    stdin: Text | None = None
    afresh: bool = False
    """Through a connection of its own, opened for it: that it arrives is what it proves."""
    keeps: Secret | None = None
    """What it prints is the value of this secret."""
    on_node: bool = False
    """On the node of the host."""


class Ran(NamedTuple):
    """A step that was run."""

    ref: Ref
    title: str
    effect: Effect
    began: float
    """Unix time."""
    seconds: float
    status: int
    said: str
    waited: float = 0
    """Seconds before it began, for locks that other steps held."""

    @property
    def row(self) -> dict[str, Any]:
        """The step as documents and records have it."""
        return {
            "resource": self.ref.full,
            "title": self.title,
            "effect": str(self.effect),
            "began": round(self.began, 3),
            "seconds": round(self.seconds, 3),
            "waited": round(self.waited, 3),
            "status": self.status,
            "said": self.said,
        }

    @property
    def failure(self) -> str:
        """Why it failed, in words; empty when it did not."""
        if not self.status:
            return ""
        return f"`{self.title}` ended with {self.status}: {self.said or 'it said nothing'}"


def carry_out(
    do: Callable[[Act], Answer], ref: Ref, step: Step, text: str, vmid: str = "", *, alone: bool = False
) -> Ran:
    """Run a step of a resource, up to its first act that fails. `text` and the rest are as for `acts`."""
    began, begun = time.time(), time.monotonic()
    status, said = 0, ""
    for act in acts(step, text, vmid, alone=alone):
        try:
            answer = do(act)
        except GuestError as error:  # the node is there: only this step has failed
            answer = Answer(1, b"", error.message.encode())
        status, said = _kept(act.keeps, answer) if act.keeps else (answer.status, _said(answer))
        if status:
            break
    return Ran(ref, step.title, step.effect, began, time.monotonic() - begun, status, said)


def _said(answer: Answer) -> str:
    said = settled(answer.stderr).strip() or settled(answer.stdout).strip()
    return said.decode(errors="replace")


def _kept(secret: Secret, answer: Answer) -> tuple[int, str]:
    """Put what was printed into the store. Returns the status and what may be said: never that."""
    if answer.status:
        return answer.status, answer.stderr.strip().decode(errors="replace")
    try:
        secret.keep(answer.stdout.removesuffix(b"\n"))
    except SecretError as error:
        return 1, f"{error.message}; the host has the value, and it is asked for again in the next run"
    return 0, ""


def acts(step: Step, text: str, vmid: str = "", *, alone: bool = False) -> Iterator[Act]:
    """Yield what is run for a step, in order.

    `text` is the rendered artifact, empty when there is none; `vmid` that of the host, if it is a guest;
    `alone` says of one that its node cannot give it files: it fetches them itself.
    """
    if step.fetch:
        command, wanted = fetching.to_node(step.fetch)
        yield Act(fetching.alive(command), wanted, on_node=not alone)
        for command in fetching.to_host(step.fetch, "" if alone else vmid):
            yield Act(fetching.alive(command), on_node=not alone)
    if step.execute is not None:  # before the timer: what takes the step back may be in the same script
        yield push(step.execute, text)
    if step.confirm is not None:
        yield Act(shlex.join(step.confirm.arm))
    if step.push is not None:
        yield push(step.push, text, check=step.check, pending=step.pending)
    elif step.execute is not None or step.argv:
        argv = ["sh", step.execute.path, *step.arguments] if step.execute is not None else step.argv
        command = fetching.cleared(shlex.join(argv), step, vmid)
        yield Act(fetching.alive(command) if step.lasts else command, step.stdin, keeps=step.keeps)
    if step.confirm is not None:
        yield Act(shlex.join(step.confirm.disarm), afresh=True)


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
