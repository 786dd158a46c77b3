"""Acts that may take hours: they run on the node by themselves, and we ask until they have ended.

A connection that breaks meanwhile does not end them, and the node's lock stays with them until they have.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..transport import Answer, Question, Transport

if TYPE_CHECKING:
    from ..converge.steps import Act

FOLDER = "/run/phoenix-by-hand"
"""Where the one that runs writes down what it says and how it ended; /run is empty after a boot."""
BEGIN = """\
rm -rf {folder} && mkdir -m 700 {folder} || exit
setsid sh -c {command} </dev/null >/dev/null 2>&1 &"""
KEEPS_ACCOUNT = """\
( {command} ) >{folder}/out 2>{folder}/err; echo $? >{folder}/new; mv {folder}/new {folder}/status"""
WAIT = f"""\
turn=0
while [ ! -e {FOLDER}/status ] && [ "$turn" -lt 100 ]; do sleep 0.05; turn=$((turn + 1)); done
[ -e {FOLDER}/status ] || exit 9
cat {FOLDER}/err >&2
cat {FOLDER}/out
exit "$(cat {FOLDER}/status)" """
GOES_ON = 9


def patiently(transport: Transport) -> Callable[[Act], Answer]:
    """Return what carries out acts (without a stdin) on a node and waits as long as they take."""

    def do(act: Act) -> Answer:
        inner = KEEPS_ACCOUNT.format(folder=FOLDER, command=act.command)
        begun = transport.act(BEGIN.format(folder=FOLDER, command=shlex.quote(inner)))
        if begun.status:
            return begun
        while True:
            (answer,) = transport.ask([Question(f"( {WAIT} )")])
            if answer.status != GOES_ON:
                return answer

    return do
