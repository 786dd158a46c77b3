"""What runs just now, on a terminal and where there is none; and how long the parts of a run took."""

import io
import os
import sys
from pathlib import Path

import pytest
from tests.unit.site_files import NODE, POOL, loaded

from phoenix_hypervisor.cli.recording import told_to
from phoenix_hypervisor.config import load
from phoenix_hypervisor.converge.phases import phases
from phoenix_hypervisor.converge.plan import build
from phoenix_hypervisor.converge.steps import Ran
from phoenix_hypervisor.inspect.looks import Look, Status
from phoenix_hypervisor.observe import progress
from phoenix_hypervisor.observe.live import CLEAR, Live
from phoenix_hypervisor.observe.progress import Progress
from phoenix_hypervisor.observe.screen import phases_line
from phoenix_hypervisor.records.events import Run
from phoenix_hypervisor.resource import Change, Difference, Effect, Ref

PROJECT = Path(__file__).resolve().parents[2]
PULL = Ref("ollama", "ollama", "server")


class Stream(io.StringIO):
    """A stream that says of itself whether it is a terminal."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


class Clock:
    """A clock that goes when it is told."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch):
    def make(*, terminal: bool) -> tuple[Live, Stream, Clock]:
        stream, clock = Stream(terminal=terminal), Clock()
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr("phoenix_hypervisor.observe.live.EVERY", 3600.0)  # it is drawn when told
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((60, 24)))
        return Live(clock), stream, clock

    return make


def test_a_terminal_shows_the_step_that_spoke_last_and_takes_the_line_away(screen) -> None:
    live, stream, clock = screen(terminal=True)
    live.begins("a", "web: apt-get install")
    live.begins("b", "ollama: pull llama3.2:1b into /srv/models")
    live.look()
    assert stream.getvalue() == ""  # they may be done in a moment
    clock.now += 12
    live.hears("b", "pulling 45 % of 4700 MB")
    live.look()
    live.look()
    shown = "  … ollama: pull llama3.2:1…, 12 s (and 1 more): pulling 4…"
    assert stream.getvalue() == CLEAR + shown
    live.say("a line that stays")
    live.ends("b")
    assert stream.getvalue() == f"{CLEAR}{shown}{CLEAR}a line that stays\n"
    live.look()
    assert stream.getvalue().endswith(f"{CLEAR}  … web: apt-get install, 12 s")
    live.ends("a")
    assert stream.getvalue().endswith(CLEAR)


def test_a_pipe_gets_a_line_a_minute_and_no_more(screen) -> None:
    live, stream, clock = screen(terminal=False)
    live.begins("b", "ollama: pull llama")
    for second in range(150):
        clock.now += 1
        live.hears("b", f"{second} %")
        live.look()
    live.ends("b")
    assert stream.getvalue() == ("  … ollama: pull llama, 60 s: 59 %\n  … ollama: pull llama, 120 s: 119 %\n")


def test_events_tell_how_far_a_step_is_and_not_each_time_it_says_so() -> None:
    events, shown = [], []
    tell = told_to(Run("apply", [events.append]), lambda event, facts: shown.append((event, facts["said"])))
    for percent in range(1000):
        tell("progress", {"ref": PULL, "title": "pull llama", "said": f"{percent} %"})
    assert len(shown) == 1000
    assert 1 <= len(events) < 1000
    facts = {name: events[0][name] for name in ("event", "resource", "title", "said")}
    assert facts == {"event": "progress", "resource": PULL.full, "title": "pull llama", "said": "0 %"}


def test_parts_of_a_run_are_counted_while_one_of_their_steps_runs() -> None:
    site = load(PROJECT)

    def ran(ref: Ref, began: float, seconds: float) -> Ran:
        return Ran(ref, "x", Effect.HOT, began, seconds, 0, "")

    steps = [
        ran(Ref("phoenix", "zfs_arc", "phoenix"), 10, 2),
        ran(Ref("phoenix", "lxc", "900"), 12, 4),
        ran(Ref("template-base", "host_file", "/x"), 14, 4),
        ran(Ref("phoenix", "firewall_guest", "953"), 18, 1),
        ran(Ref("gateway", "host_file", "/y"), 19, 1),
        ran(Ref("gateway", "host_file", "/z"), 25, 1.5),
    ]
    found = phases(site, steps, [(0, 3), (20, 1)])
    assert found == {"look": 4, "node": 2, "layers": 6, "guests": 1, "services": 2.5}
    assert phases_line(found) == (
        "took: looking 4.0 s, the node 2.0 s, layers 6.0 s, guests 1.0 s, what is in them 2.5 s; "
        "what does not wait runs side by side"
    )
    assert phases(site, [], [(0, 3)]) == {"look": 3}


def test_a_line_for_each_node_and_guest_says_what_runs_there_and_what_waits_for_what(screen) -> None:
    def one(host: str, kind: str, name: str) -> Ref:
        return Ref(host, kind, name)

    pool, layer = one("pve", "zfs_pool", "tank"), one("pve", "lxc", "900")
    base, web, chat = one("base", "host_file", "/a"), one("web", "host_file", "/b"), one("pve", "lxc", "950")
    inside = one("chat", "host_file", "/c")
    lanes = {layer: "base", chat: "chat"}
    needs = {layer: [pool], base: [layer], web: [base], chat: [base], inside: [chat]}
    todo = [pool, layer, base, web, chat, inside]
    made = Progress(
        todo, lambda ref: lanes.get(ref, ref.host), lambda _: "pve", lambda ref: needs.get(ref, ())
    )
    live, stream, clock = screen(terminal=True)

    def drawn() -> list[str]:
        clock.now += 2
        stream.seek(0)
        stream.truncate()
        live.look()
        text = stream.getvalue()
        return text.rpartition("\x1b[J" if "\x1b[J" in text else CLEAR)[2].splitlines()

    with live.following(made):
        live.look()
        assert stream.getvalue() == ""  # it may be over in a moment
        live.note("step", {"ref": pool})
        live.begins((pool, "zpool create tank"), "pve: zpool create tank")
        assert drawn() == [
            "  0 of 6 resources, 2 s",
            "  … pve       0/1  zfs_pool:tank: zpool create tank, 2 s",
            "  ·   base    0/2  waits for pve: zfs_pool:tank",
            "  ·   web     0/1  waits for base: host_file:/a",
            "  ·   chat    0/2  waits for base: host_file:/a",
        ]
        live.ends((pool, "zpool create tank"))
        live.note("looked", {"statuses": {pool: "ok", layer: "drift", inside: "blocked"}})
        live.note("lock", {"ref": layer, "lock": "storage:local", "holder": "pve/lxc:901"})
        live.say("a line that stays")
        assert f"\x1b[4A\x1b[Ja line that stays\n{CLEAR}  0 of 6" in stream.getvalue()
        assert drawn()[:3] == [
            "  1 of 6 resources, 4 s",
            "  ✓ pve       1/1",
            "  ·   base    0/2  waits for storage:local, which pve/lxc:…",
        ]
        live.note("step", {"ref": layer})
        live.note("stuck", {"ref": layer, "reason": "`pct clone` ended with 1:\nno space"})
        assert drawn()[2:4] == [
            "  ·   base    1/2  waits for lxc:900, which failed",
            "  ·   web     0/1  waits for base: host_file:/a",
        ]
        live.note("looked", {"statuses": {layer: "ok", base: "ok", web: "ok", inside: "ok", chat: "ok"}})
        assert drawn() == [
            "  6 of 6 resources, 8 s",
            *(f"  ✓ {name}" for name in ("pve       1/1", "  base    2/2", "  web     1/1", "  chat    2/2")),
        ]
        assert [one.text for one in made.lines({}, 60, 2)] == ["pve       1/1", "and 3 more"]
    assert stream.getvalue().endswith("\x1b[4A\x1b[J")
    live.look()
    assert stream.getvalue().endswith("\x1b[J")


def test_nothing_is_drawn_where_plain_lines_are_wanted_or_the_terminal_cannot(screen, monkeypatch) -> None:
    live, stream, clock = screen(terminal=True)
    with live.following(Progress([PULL], lambda ref: ref.host, lambda name: name, lambda _: ())):
        clock.now += 5
        live.plain = True
        live.look()
        live.plain = False
        monkeypatch.setenv("TERM", "dumb")
        live.look()
        assert stream.getvalue() == ""
    with live.doing("looking at 7 resources"):
        clock.now += 120
        live.look()  # no line a minute: it goes without saying
    assert stream.getvalue() == ""
    monkeypatch.setenv("TERM", "xterm")
    with live.doing("looking at 7 resources"):
        clock.now += 3
        live.look()
    assert stream.getvalue() == f"{CLEAR}  … looking at 7 resources, 3 s{CLEAR}"


def test_what_is_to_be_done_is_what_has_steps_and_needs_no_reboot(tmp_path: Path) -> None:
    files = {NODE: POOL + "zfs_dataset: {tank/x: {}}\nkernel_cmdline: {iommu: {value: pt}}\n"}
    site = loaded(tmp_path, files)
    looks = {
        ref: Look(ref, Status.DRIFT, Change({"present": Difference(False, True)})) for ref in site.resources
    }
    plan = build(site, looks)
    waits = {ref for ref, _ in plan.reboots()}
    assert progress.of_plan(site, plan, reboot=True).counts == (0, len(looks))
    made = progress.of_plan(site, plan, reboot=False)
    all_reboot = [e.ref for e in plan.entries if all(step.effect is Effect.REBOOT for step in e.steps)]
    assert made.counts == (0, len(looks) - len(all_reboot))
    assert waits >= {*all_reboot}
    made.note("looked", {"statuses": {Ref("pve", "zfs_pool", "tank"): "ok"}})
    made.note("stuck", {"ref": Ref("pve", "zfs_dataset", "tank/x"), "reason": "no space"})
    assert made.counts[0] == 2
