"""A unit file of ours, on a node or in a guest: how it is written, started, looked at and taken away again.

What several kinds share: each writes one unit, and says what it is. The scripts are the same for all
(templates/unit_write.sh.j2 and the others there); they carry a unit's name, never its content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from .dialects import systemd
from .resource import PENDING_FOLDER, Effect, Step, made, run, script
from .secrets import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .resource import Artifact, Change

FOLDER = "/etc/systemd/system"
END = "\n-- the unit ends here --\n"
"""Sent behind the content: a connection that breaks must not leave half a file in its place."""
LAST_WORDS = 8
"""How many of the journal's last lines are told of a service that died."""
EFFECTS = {"start": Effect.HOT, "reload": Effect.RELOAD, "try-reload-or-restart": Effect.RELOAD}
OnChange = Literal["restart", "reload", "nothing"]

LOOK = """\
set -e
path=%s
if [ -e %s ]; then echo noted; else echo foreign; fi
if [ -e %s ]; then echo yes; else echo no; fi
if [ -h "$path" ]; then echo link
elif [ ! -e "$path" ]; then echo missing
elif [ ! -f "$path" ]; then echo other
else
    echo file
    cat "$path"
fi
"""
SHOW = "systemctl show -p {} %s".format(
    "LoadState,ActiveState,SubState,Result,UnitFileState,NeedDaemonReload,NRestarts,ExecStart"
)
# A clone takes over its layer's notes with its files: the last line of a note says on which host it was made.
OURS = """\
for note in {}; do
    [ -e "$note" ] || continue
    {{ read -r path && read -r maker; }} <"$note"
    [ "$maker" = "$(uname -n)" ] && [ -e "$path" ] || continue
    printf '%s\\n' "${{note##*/}}"
done
"""
JOURNAL = f"journalctl -u %s -n {LAST_WORDS} -o cat --no-pager -q"


class UnitFile(NamedTuple):
    """One file of ours for systemd: a unit, or a drop-in for one of somebody else's."""

    kind: str
    """The kind whose resource it is."""
    owner: str
    """Whose it is, by the resource's name."""
    unit: str
    text: str = ""
    drop_in: bool = False

    @property
    def path(self) -> str:
        """Where it lies."""
        return f"{FOLDER}/{self.unit}.d/zz-phoenix.conf" if self.drop_in else f"{FOLDER}/{self.unit}"

    @property
    def note(self) -> str:
        """The path of our note that we made it: its path, and the host we made it on."""
        return made(self.kind, self.owner)

    @property
    def waiting(self) -> str:
        """The path of the note that what runs is still to be told of a change."""
        return f"{PENDING_FOLDER}/{self.unit}"

    @property
    def label(self) -> str:
        """What stands at its head."""
        return f"# Written by phoenix: {self.kind} {self.owner}. Changed by hand, it is written again.\n"

    # Steps

    def write(self, *, waits: bool = True) -> Step:
        """Write the file, and let systemd read it. With `waits`, what runs is noted to be told."""
        return Step(
            f"write {self.path}, systemctl daemon-reload",
            execute=write_script(self.kind),
            arguments=(self.path, self.note, self.waiting if waits else ""),
            stdin=Text(self.label + self.text, END),
        )

    def start(
        self, verb: str = "restart", *, settle: int = 0, enable: bool = False, fresh: bool = False
    ) -> Step:
        """Start, restart or reload it; when it dies within `settle` seconds, its last words are told.

        `fresh` is what does not run yet: nobody is interrupted.
        """
        effect = Effect.HOT if fresh else EFFECTS.get(verb, Effect.RESTART)
        return Step(
            f"{f'systemctl enable {self.unit}, ' if enable else ''}systemctl {verb} {self.unit}",
            execute=script(self.kind, "start", "start.sh.j2"),
            arguments=(verb, self.unit, self.waiting, str(settle), "enable" if enable else ""),
            effect=effect,
            interrupts=f"the service {self.unit}" if effect is Effect.RESTART else "",
        )

    def steps(self, change: Change, *, written: bool, told: bool = False, settle: int = 0) -> Iterator[Step]:
        """Yield what puts a unit right that is enabled and runs, by its attributes' names.

        `written`: the file differs. `told`: something else does that what runs reads when it starts.
        """
        written = written or change.creates
        if written:
            yield self.write()
        elif "daemon_reload" in change:
            yield run("systemctl", "daemon-reload")
        enable = change.creates or "enabled" in change
        if written or told or change.attributes.keys() & {"active", "waiting"}:
            yield self.start(settle=settle, enable=enable, fresh=change.creates or "active" in change)
        elif enable:
            yield run("systemctl", "enable", self.unit)

    def remove(self) -> Step:
        """Take the file away, and what we noted. A unit of ours is stopped, that of a drop-in restarted."""
        return Step(
            f"take our file of {self.unit} away, and stop it if it is ours as a whole",
            execute=script(self.kind, "remove", "remove.sh.j2"),
            arguments=(self.note, self.waiting, self.unit),
            effect=Effect.RESTART,
            interrupts=f"the service {self.unit}",
        )

    def stop(self, *others: str) -> Step:
        """Stop somebody else's unit that we started, and let nothing start it: as its package brought it."""
        argv = ("systemctl", "disable", "--now", self.unit, *others)
        return Step(" ".join(argv), argv, effect=Effect.RESTART, interrupts=f"the service {self.unit}")

    # What is seen, by checks

    def look(self, host: Any) -> Found:
        """Return what lies at its path."""
        import shlex

        asked = LOOK % tuple(shlex.quote(path) for path in (self.path, self.note, self.waiting))
        noted, waiting, sort, *lines = host.run_expect([0], asked).stdout.splitlines()
        written = systemd.parse("\n".join(lines))
        return Found(sort, noted == "noted", waiting == "yes", written, bool(lines))

    def state(self, host: Any) -> dict[str, str]:
        """Return what systemd knows of the unit, by the properties of systemctl(1)."""
        return systemd.properties(host.run_expect([0], SHOW, self.unit).stdout)

    def active(self, host: Any) -> str:
        """Return `active`, or how it is otherwise; of what failed also its last words."""
        found = self.state(host)
        word = found["ActiveState"]
        dead = word == "failed" or found["SubState"] == "auto-restart"
        return f"{word} ({found['Result']}): {self.last_words(host)}" if dead else word

    def last_words(self, host: Any) -> str:
        """Return the last lines of its journal, in one."""
        said: str = host.run_expect([0], JOURNAL, self.unit).stdout
        return " | ".join(line.strip() for line in said.splitlines() if line.strip()) or "it said nothing"

    def foreign(self, found: Found) -> str:
        """Say what of somebody else's is in the way; empty when nothing is."""
        if found.sort == "other":
            return f"{self.path} is not a file"
        if found.noted or found.settings == systemd.parse(self.text):
            return ""
        return f"{self.path} is somebody else's {'link' if found.sort == 'link' else 'unit'}"


class Found(NamedTuple):
    """What lies where our unit belongs: `file`, `link`, `other` or `missing`; its settings."""

    sort: str
    noted: bool
    waiting: bool
    settings: dict[str, tuple[str, ...]]
    filled: bool

    def differing(self, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what is set there and what is declared, by `Section.Key`: of everything in either."""
        declared = systemd.parse(text)
        keys = sorted({*self.settings, *declared})
        return (
            {key: list(self.settings.get(key, ())) for key in keys},
            {key: list(declared.get(key, ())) for key in keys},
        )


def write_script(kind: str) -> Artifact:
    """Return the script that puts a unit file in its place."""
    return script(kind, "write", "write.sh.j2")


def scripts(kind: str) -> list[Artifact]:
    """Return the scripts that a kind with a unit renders."""
    return [
        write_script(kind),
        script(kind, "start", "start.sh.j2"),
        script(kind, "remove", "remove.sh.j2"),
    ]


def owned(host: Any, kind: str) -> set[str]:
    """Return the names of what a kind made on a host, from our notes, as far as its file is still there."""
    return set(host.run_expect([0], OURS.format(made(kind, "*"))).stdout.splitlines())
