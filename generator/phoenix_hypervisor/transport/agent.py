"""The way into a virtual machine: through its node and the guest agent, one command for a batch of questions.

The agent runs a program and keeps what it writes until it is asked for, as JSON; so what is written goes
through base64. `qm guest exec` takes at most 1 MiB on stdin, and gives up by itself on an agent that does not
answer.
"""

import base64
import binascii
import json
import shlex
from collections.abc import Sequence

from ..errors import GuestError
from ..secrets import Text
from . import Answer, Question
from .framing import Unframed
from .guest import DOWN, GuestTransport
from .hearing import Hear

SECONDS = 300
"""How long a batch of questions may take; what changes a machine may take as long as it wants."""
LIMIT = 1 << 20
"""Bytes that one command is given (`guest exec` of PVE::CLI::qm)."""
INSIDE = """\
folder=$(mktemp -d) || exit
trap 'rm -rf "$folder"' EXIT
/bin/sh >"$folder/out" 2>"$folder/err"
status=$?
base64 -w0 <"$folder/out"
echo
base64 -w0 <"$folder/err"
echo
exit "$status\""""
"""Run in the machine: its program comes on stdin, and both streams go out as a line each."""


class AgentTransport(GuestTransport):
    """Reaches one virtual machine with the node's own transport."""

    def question(self, questions: Sequence[Question]) -> Question:
        """Return the one question to the node that carries these to the machine."""
        return Question(self._through(SECONDS), self._script(questions))

    def act(self, command: str, stdin: Text | None = None, hear: Hear | None = None) -> Answer:  # noqa: ARG002
        """Run one command in the machine that may change it; its agent tells nothing before the end.

        Raises GuestError.
        """
        asked = [Question(command, stdin)]
        return self.told(self._node.act(self._through(0), self._script(asked)), asked)[0]

    def _through(self, seconds: int) -> str:
        vmid = shlex.quote(self._vmid)
        return (
            f"qm guest exec {vmid} --pass-stdin 1 --timeout {seconds} -- /bin/sh -c {shlex.quote(INSIDE)} || "
            f"{{ status=$?; [ -d /sys/fs/cgroup/qemu.slice/{vmid}.scope ] && exit $status; exit {DOWN}; }}"
        )

    def _streams(self, answer: Answer) -> tuple[bytes, bytes]:
        """Return what was written inside. Raises Unframed for what the agent did not run to its end."""
        try:
            found = json.loads(answer.stdout)
            if "exited" not in found:
                raise GuestError(
                    f"guest `{self._host}` did not answer within {SECONDS} s: its agent is at work"
                )
            out, err = (base64.b64decode(line) for line in found.get("out-data", "").split("\n")[:2])
        except (ValueError, TypeError, binascii.Error):
            raise Unframed from None
        return out, err

    def _reason(self, answer: Answer) -> str:
        said = answer.stderr.decode(errors="replace").strip().splitlines()
        if said and "agent" in said[-1]:
            todo = "is qemu-guest-agent installed and started in it, and `agent` on?"
            return f"{said[-1].removesuffix('.')}; {todo}"
        return said[-1] if said else f"qm guest exec ended with {answer.status}"
