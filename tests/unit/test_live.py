"""What runs just now, on a terminal and where there is none; and how long the parts of a run took."""

import io
import os
import sys
from pathlib import Path

import pytest

from phoenix_hypervisor.cli.recording import told_to
from phoenix_hypervisor.config import load
from phoenix_hypervisor.converge.phases import phases
from phoenix_hypervisor.converge.steps import Ran
from phoenix_hypervisor.observe.live import CLEAR, Live
from phoenix_hypervisor.observe.screen import phases_line
from phoenix_hypervisor.records.events import Run
from phoenix_hypervisor.resource import Effect, Ref

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
