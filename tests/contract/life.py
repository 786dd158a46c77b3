"""The life of one sample on lab nodes, each chapter lived once and read by many tests.

A chapter that changes something begins with a copy of the node the chapter before left, so no test depends
on another's order.
"""

import functools
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from tests.contract.answers import Answers
from tests.contract.ground import HOST, Canary, Run, Scene, declared

from phoenix_hypervisor import registry
from phoenix_hypervisor.config import Site, load
from phoenix_hypervisor.dialects import zfs
from phoenix_hypervisor.errors import HostError
from phoenix_hypervisor.inspect.fleet import Fleet
from phoenix_hypervisor.inspect.looks import Finding, Look, Status, Verdict
from phoenix_hypervisor.inspect.opening import OpenSite
from phoenix_hypervisor.inspect.session import inspect
from phoenix_hypervisor.lab.node import WRAPPER
from phoenix_hypervisor.observe.kinds_page import GUESTS, sections, sets, yaml
from phoenix_hypervisor.resource import MADE_FOLDER, Difference, Kind, Ref, Refusal, Samples, Step
from phoenix_hypervisor.transport import Answer, Question

LOST = """\
set -e
for tool in /usr/local/sbin/*; do
    grep -qF {sign} "$tool" || continue
    rm "$tool"
    printf '#!/bin/sh\\necho "sh: 1: %s: not found" >&2\\nexit 127\\n' "${{tool##*/}}" >"$tool"
    chmod 0755 "$tool"
done
"""
"""Takes every tool of the lab's away from a guest."""
MOST = 1000
"""Questions that all variants of a declaration ask together, at most."""


class Chapter(NamedTuple):
    """A scene, what was run there, and the same once more right after it."""

    scene: Scene
    run: Run
    again: Run | None = None


class Known:
    """What a scene's node says, and a guest on it where one is named: each question is asked once."""

    def __init__(self, scene: Scene, guest: str = "") -> None:
        self.guest = guest
        there = load(scene.folder, Canary())
        self._fleet = Fleet(there.inventory, scene.folder, guests=there.guests.values() if guest else ())
        self._answers = {name: Answers(self._fleet.transport(name), MOST) for name in (HOST, guest) if name}
        self._one_at_a_time = Lock()

    def ask(self, host: str, questions: Sequence[Question]) -> list[Answer]:
        """Ask the guest, or the node whatever it is called."""
        with self._one_at_a_time:
            return self._answers.get(host, self._answers[HOST]).ask(questions)

    def close(self) -> None:
        self._fleet.close()


class OneNode(Fleet):
    """A fleet whose every node is one and the same; so are the guests of one name on it, where it has any."""

    def __init__(self, site: Site, known: Known) -> None:
        super().__init__(site.inventory, site.folder, guests=site.guests.values() if known.guest else ())
        self._known = known

    def ask(self, asked: Mapping[str, Sequence[Question]]) -> dict[str, list[Answer] | HostError]:
        return {host: self._known.ask(host, questions) for host, questions in asked.items()}


_bare: dict[Path, Scene] = {}
"""Folder of lives → the bare node that all of them begin with."""
_around: dict[tuple[Path, str], Chapter] = {}
"""Folder of lives, what a sample needs → the node that has it: half of all samples need nothing."""


class Life:
    """One set of samples of one kind, from the bare node to its removal."""

    def __init__(self, name: str, number: int, folder: Path) -> None:
        self.kind: type[Kind] = registry.kind(name)
        self.samples: Samples = sets(self.kind)[number]
        self.host = self.samples.guest or HOST
        """Where the sample is: the node, or a guest on it."""
        self.ref = Ref(self.host, name, self.host if self.kind.singleton else self.samples.name)
        self._lives = folder
        self._folder = folder / f"{name}-{number}"
        self._folder.mkdir()

    def sections(self, settings: Mapping[str, Any] | None) -> dict[str, Any]:
        return sections(self.kind, self.samples, settings)

    def begin(self, name: str, after: Scene, settings: Mapping[str, Any] | None) -> tuple[Scene, Site]:
        """Copy a scene, and declare the sample with these settings there."""
        scene = after.copy(self._folder / name)
        return scene, scene.declare(self.sections(settings))

    def looked_at(self, name: str, at: Scene, settings: Mapping[str, Any] | None, **ways: bool) -> Chapter:
        """Declare the sample with these settings, and look at a scene's own node: a plan changes nothing."""
        scene = at.beside(self._folder / name)
        scene.declare(self.sections(settings))
        return Chapter(scene, scene.run(**ways))

    def resource(self, settings: Mapping[str, Any]) -> Kind:
        """The sample as a model, through the loader."""
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        return declared(folder, {HOST: self.sections(settings)}).resources[self.ref]

    def drift_of(
        self, variants: Mapping[str, Mapping[str, Any]], folder: Path
    ) -> dict[str, Mapping[str, Difference]]:
        """What would differ on the node that has the first declaration, had it one of these: all at once.

        Each variant is declared for a host of its own, and the one node answers for all of them. Guests
        have one number and one name in a site: what declares some has a site for each variant.
        """
        sections = {name: self.sections(settings) for name, settings in variants.items()}
        known = Known(self.first.scene, self.samples.guest)
        try:
            if not any(GUESTS in below for below in sections.values()):
                return self._differences(declared(folder, sections), known)
            return {
                name: self._differences(declared(folder / name, {HOST: below}), known)[self.host]
                for name, below in sections.items()
            }
        finally:
            known.close()

    def _differences(self, site: Site, known: Known) -> dict[str, Mapping[str, Difference]]:
        """What differs of the sample on each host of a site, as the node with the first one answers."""
        fleet = OneNode(site, known)
        try:
            looks = inspect(OpenSite(site, fleet), list(site.resources), probes=False).looks()
        finally:
            fleet.close()
        return {ref.host: look.change.attributes for ref, look in looks.items() if ref.kind == self.ref.kind
                and ref.name in (self.ref.name, ref.host)}  # fmt: skip

    def own(self, run: Run) -> list[Finding]:
        return [finding for finding in run.findings if finding.ref == self.ref]

    def look(self, run: Run) -> Look:
        """How the sample's resource stands in the end."""
        if run.outcome:
            return run.outcome.looks[self.ref]
        return next((entry.look for entry in run.plan.entries if entry.ref == self.ref), None) or _right(
            self.own(run), self.ref
        )

    @property
    def fixed(self) -> bool:
        """Whether nothing of it can be changed once it is there."""
        return self.samples.first == self.samples.second

    @functools.cached_property
    def lasting(self) -> bool:
        """Whether it stays when it is taken out: its removal is refused whatever is allowed."""
        return any(isinstance(step, Refusal) for step in self.kind.remove(self.samples.name))

    @functools.cached_property
    def destroys(self) -> bool:
        found = list(self.kind.remove(self.samples.name))
        return any(isinstance(step, Step) and step.destroys for step in found)

    # The chapters.

    @property
    def bare(self) -> Scene:
        if self._lives not in _bare:
            _bare[self._lives] = Scene.fresh(self._lives / "bare")
        return _bare[self._lives]

    @property
    def around(self) -> Chapter:
        """What the sample needs is there, the sample is not."""
        needed = self._lives, yaml(self.sections(None))
        if needed not in _around:
            scene, _ = self.begin("around", self.bare, None)
            _around[needed] = Chapter(scene, scene.run(apply=True))
        return _around[needed]

    @functools.cached_property
    def missing(self) -> Chapter:
        """The first declaration on a node without the thing: looked at only."""
        return self.looked_at("missing", self.around.scene, self.samples.first, orphans=False)

    def _applied(
        self, name: str, after: Scene, settings: Mapping[str, Any], *, orphans: bool = False
    ) -> Chapter:
        """`orphans` says whether what is run again is asked of every kind, as without `--target`."""
        scene, _ = self.begin(name, after, settings)
        return Chapter(scene, scene.run(apply=True, orphans=False), scene.run(apply=True, orphans=orphans))

    @functools.cached_property
    def first(self) -> Chapter:
        return self._applied("first", self.around.scene, self.samples.first, orphans=True)

    @functools.cached_property
    def drift(self) -> Run:
        """The second declaration looked at on a node that has the first."""
        return self.looked_at("drift", self.first.scene, self.samples.second, orphans=False).run

    @functools.cached_property
    def second(self) -> Chapter:
        return self._applied("second", self.first.scene, self.samples.second)

    @functools.cached_property
    def back(self) -> Chapter:
        return self._applied("back", self.second.scene, self.samples.first)

    @functools.cached_property
    def orphan(self) -> Run:
        return self.looked_at("orphan", self.first.scene, None).run

    @functools.cached_property
    def pruned_without_consent(self) -> Run:
        scene, _ = self.begin("kept", self.first.scene, None)
        return scene.run(apply=True, prune=True)

    @functools.cached_property
    def pruned(self) -> Chapter:
        scene, _ = self.begin("pruned", self.first.scene, None)
        allowed = [str(self.ref)]
        return Chapter(
            scene,
            scene.run(apply=True, prune=True, destroy=allowed),
            scene.run(apply=True, prune=True, destroy=allowed),
        )

    @functools.cached_property
    def absent_without_consent(self) -> Run:
        scene, _ = self.begin("unallowed", self.first.scene, self._gone)
        return scene.run(apply=True, orphans=False)

    @functools.cached_property
    def absent(self) -> Chapter:
        scene, _ = self.begin("absent", self.first.scene, self._gone)
        allowed = [str(self.ref)]
        gone = scene.run(apply=True, destroy=allowed, orphans=False)
        return Chapter(scene, gone, scene.run(apply=True, destroy=allowed, orphans=False))

    @property
    def _gone(self) -> dict[str, Any]:
        return {**self.samples.first, "state": "absent"}

    @functools.cached_property
    def blind(self) -> Chapter:
        """The second declaration on a host that has the first and has lost every tool of the lab's."""
        scene, _ = self.begin("blind", self.first.scene, self.samples.second)
        if self.samples.inside:
            self._in_guest(scene, LOST.format(sign=shlex.quote(WRAPPER)))
            return Chapter(scene, scene.run(apply=True))
        for path in (scene.node.root / "usr/local/sbin").iterdir():
            if WRAPPER in path.read_text():
                path.write_text(f'#!/bin/sh\necho "sh: 1: {path.name}: not found" >&2\nexit 127\n')
        return Chapter(scene, scene.run(apply=True))

    @functools.cached_property
    def foreign(self) -> Chapter:
        """Not declared, on a node that has the very thing, made by somebody else: all our marks are gone."""
        scene, _ = self.begin("foreign", self.first.scene, None)
        lines = [f"rm -rf {MADE_FOLDER}"]
        for artifact in self.resource(self.samples.first).artifacts():
            if not artifact.script and not artifact.path.startswith("/etc/pve/"):
                theirs = artifact.path.replace("phoenix", "theirs")
                if theirs == artifact.path:
                    continue  # its name does not say that it is ours: only a note did
                lines.append(f'mkdir -p "$(dirname {shlex.quote(theirs)})"')
                lines.append(f"mv {shlex.quote(artifact.path)} {shlex.quote(theirs)}")
        if not self.samples.inside:
            lines += self._marks_taken_off()
        commands = "set -e\n" + "\n".join(lines)
        if self.samples.inside:
            self._in_guest(scene, commands)
        else:
            ended = scene.node.run(commands)
            assert ended.status == 0, ended.stderr.decode()
        return Chapter(scene, scene.run(apply=True, prune=True, destroy=[str(self.ref)]))

    def _in_guest(self, scene: Scene, commands: str) -> None:
        """Run commands in the guest that the sample is in, past phoenix."""
        vmid = self.samples.inside.partition("-")[0]
        ended = scene.node.run(f"lxc-attach -n {vmid} --clear-env -- /bin/sh -c {shlex.quote(commands)}")
        assert ended.status == 0, ended.stderr.decode()

    @staticmethod
    def _marks_taken_off() -> list[str]:
        """Commands after which nothing on the node says any more that it is ours."""
        lines = [
            f"for pool in $(zpool list -H -o name); do zfs inherit -r {mark} $pool; done"
            for mark in (zfs.MANAGED, zfs.POOL_MANAGED)
        ]
        lines += [
            "for conf in /etc/pve/lxc/*.conf /etc/pve/qemu-server/*.conf; do",
            "[ ! -e $conf ] || sed -i '/^tags:/s/phoenix/theirs/; s/^#phoenix /#theirs /' $conf",
            "done",
        ]
        lines += [
            "for file in /etc/pve/firewall/*.fw /etc/pve/local/host.fw; do",
            "[ ! -e $file ] || sed -i '/^# Written by phoenix/d' $file",
            "done",
        ]
        return lines


def _right(findings: list[Finding], ref: Ref) -> Look:
    assert findings, f"nobody looked at {ref}"
    assert {finding.verdict for finding in findings} <= {Verdict.HELD, Verdict.SKIPPED}
    return Look(ref, Status.OK)
