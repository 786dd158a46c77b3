"""Lanes that wait for each other, and locks that two steps never hold at once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix_hypervisor.converge.lanes import Lanes, Locks


class Jobs:
    """Jobs of lanes, each ready once all it needs are done; notes the order in which they were done."""

    def __init__(self, needs: dict[tuple[str, int], list[tuple[str, int]]]) -> None:
        self.needs = needs
        self.done: list[tuple[str, int]] = []
        self._changing = threading.Lock()
        self.lanes = Lanes({lane for lane, _ in needs})

    def due(self, lane: str) -> bool:
        """Ready ones only: what waits for another is not due."""
        return bool(self.ready(lane))

    def ready(self, lane: str) -> list[tuple[str, int]]:
        done = set(self.done)
        return [
            job
            for job, needs in self.needs.items()
            if job[0] == lane and job not in done and done.issuperset(needs)
        ]

    def run(self, lane: str) -> None:
        with self.lanes.ending(lane):
            while work := self.lanes.next(lane, lambda: self.ready(lane), self.due):
                with self._changing:
                    self.done += work

    def run_all(self) -> None:
        lanes = {lane for lane, _ in self.needs}
        with ThreadPoolExecutor(max(len(lanes), 1)) as pool:
            list(pool.map(self.run, lanes, timeout=20))


@st.composite
def graphs(draw: st.DrawFn) -> dict[tuple[str, int], list[tuple[str, int]]]:
    jobs = [(draw(st.sampled_from("abcdef")), n) for n in range(draw(st.integers(0, 25)))]
    return {
        job: draw(st.lists(st.sampled_from(jobs[:n]), max_size=3)) if n else [] for n, job in enumerate(jobs)
    }


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_every_job_is_done_once_and_after_what_it_needs(
    needs: dict[tuple[str, int], list[tuple[str, int]]],
) -> None:
    jobs = Jobs(needs)
    jobs.run_all()
    assert sorted(jobs.done) == sorted(needs)
    assert all(jobs.done.index(need) < jobs.done.index(job) for job in needs for need in needs[job])


def test_what_never_becomes_ready_keeps_nobody_waiting() -> None:
    jobs = Jobs({("a", 0): [("b", 9)], ("b", 1): [("a", 0)], ("c", 2): []})
    jobs.run_all()
    assert jobs.done == [("c", 2)]


def test_a_lane_that_breaks_is_waited_for_no_longer() -> None:
    jobs = Jobs({("a", 0): [], ("b", 1): [("a", 0)]})

    def breaks() -> None:
        with jobs.lanes.ending("a"):
            jobs.lanes.next("a", lambda: jobs.ready("a"), jobs.due)
            raise ZeroDivisionError

    with ThreadPoolExecutor(2) as pool:
        broken, other = pool.submit(breaks), pool.submit(jobs.run, "b")
        with pytest.raises(ZeroDivisionError):
            broken.result(10)
        # what it had begun was not done: nothing more becomes ready, and nobody waits
        jobs.needs.pop(("a", 0))
        other.result(10)
    assert jobs.done == []


def test_steps_that_want_the_same_lock_never_run_at_once() -> None:
    locks = Locks()
    inside: list[tuple[str, ...]] = []
    clashes: list[tuple[str, ...]] = []
    guard = threading.Lock()

    def step(names: tuple[str, ...]) -> None:
        with locks.held("pve", names):
            with guard:
                clashes.extend(other for other in inside if set(other) & set(names))
                inside.append(names)
            threading.Event().wait(0.001)
            with guard:
                inside.remove(names)

    wanted = [("clone:900",), ("clone:901", "storage:x"), ("storage:x",), (), ("clone:900", "storage:x")]
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(step, wanted * 20, timeout=30))
    assert (clashes, inside) == ([], [])


def test_locks_of_one_node_say_nothing_of_another() -> None:
    locks = Locks()
    with locks.held("pve", ["clone:900"]), locks.held("two", ["clone:900"]), locks.held("pve", []):
        pass
