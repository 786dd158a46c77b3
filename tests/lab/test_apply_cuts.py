"""Cut at any point, run again, arrive: nothing is lost or doubled."""

import hashlib
import os
import signal
import time

import pytest
from tests.lab.running import LONGEST, Sort, statuses, steps

KILLED = -signal.SIGKILL


def content(site):
    """A digest of the node's own files, to see whether a run changed anything at all."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(site.node.root):
        folders[:] = sorted(name for name in folders if name not in ("run", "tmp", "cache"))
        for name in sorted(files):
            path = os.path.join(folder, name)
            digest.update(path.encode())
            if not os.path.islink(path):
                with open(path, "rb") as file:
                    digest.update(file.read())
    return digest.digest()


def test_killed_after_every_single_act_it_arrives_at_the_same_node(fresh, right, all_acts):
    """A chain: each run may carry out one act that changes something, is killed, and the next goes on."""
    last_acts = set()
    at, before = 2, content(fresh)
    while True:
        fresh.faults.clear()
        fresh.fault(Sort.KILL, at)
        ran = fresh.run("apply", "--yes")
        if ran.status != KILLED:
            break
        last, after = fresh.all_acts()[-1], content(fresh)
        last_acts.add(last)
        assert at < len(all_acts) + 2, f"no progress after {last}"
        if after == before or last.startswith("push /etc/samba/"):
            at += 1  # what comes before is done again, to no effect, until all shares are there
        else:
            at = 3 if last.startswith("push /var/lib/phoenix/scripts") else 2
        before = after
    assert (ran.status, ran.out.splitlines()[-1].partition("; ")[2]) == (0, "26 resources as declared")
    assert set(all_acts) - last_acts <= {all_acts[-1]}  # after that one there is nothing left to cut
    assert fresh.state() == right
    with fresh.nothing_done():
        assert fresh.run("apply", "--yes").status == 0


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_killed_once_somewhere_the_next_run_arrives_and_does_only_the_rest(fresh, right, all_acts, share):
    at = int(len(all_acts) * share)
    fresh.fault(Sort.KILL, at)
    with fresh.acts() as first:
        assert fresh.run("apply", "--yes").status == KILLED
    assert first == all_acts[: at - 1]
    with fresh.acts() as second:
        applied = fresh.apply()
    assert (applied["exit"], statuses(applied)) == (0, {})
    assert set(all_acts[at - 1 :]) <= set(second)
    repeated = [act for act in second if act in first]
    assert all(act.startswith(("push ", "sh /var/lib/phoenix/scripts/samba_share")) for act in repeated)
    assert fresh.state() == right


def test_killed_while_a_reload_is_due_the_next_run_still_reloads(converged):
    """The file is right already then; that smbd has not read it yet is remembered on the node."""
    converged.drift("samba-share")
    converged.fault(Sort.KILL, 4)
    assert converged.run("apply", "--yes").status == KILLED
    planned = converged.plan()
    assert set(steps(planned)) == {"systemctl reload-or-restart smbd"}
    applied = converged.apply()
    assert (applied["exit"], steps(applied)) == (0, ["systemctl reload-or-restart smbd"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_between_two_steps_and_the_next_run_does_the_rest(converged, number):
    for name in ("zfs-property", "storage-content"):
        converged.drift(name)
    wait = "touch /root/here; while [ ! -e /root/on ]; do sleep 0.02; done"
    converged.fault(Sort.CHANGE, 1, wait)
    started = converged.start("apply", "--yes")
    wait_for((converged.node.root / "root/here").exists)
    os.kill(started.pid, number)
    (converged.node.root / "root/on").touch()
    ended = started.end()
    assert ended.status == 130, ended
    with converged.acts() as rest:
        assert converged.run("apply", "--yes").status == 0
    assert "pvesm set quickOS-vm-disks --content images" in rest


def test_two_applies_at_once_the_second_is_told_who_and_since_when(converged):
    converged.drift("storage-content")
    converged.fault(Sort.HANG, 1)
    first = converged.start("apply", "--yes")
    try:
        wait_for(lambda: not converged.faults.listed())  # it hangs before its first act
        with converged.nothing_done():
            second = converged.run("apply", "--yes")
            planned = converged.run("plan")
    finally:
        first.kill()
    assert second.status == 1
    assert second.out == ""
    message, hint = second.err.splitlines()
    assert message.startswith("error: host `phoenix` is being changed by another run: ")
    assert f", process {first.pid}, since 2" in message
    assert hint == (
        "  hint: wait for it; a run that has died frees the lock with its connection "
        "(on the node: `fuser -v /run/lock/phoenix.lock` says which process holds it)"
    )
    assert planned.status == 2  # looking needs no lock
    assert first.end().status == KILLED
    assert converged.run("apply", "--yes").status == 0


def wait_for(condition):
    until = time.monotonic() + LONGEST
    while not condition():
        assert time.monotonic() < until, "it never came to pass"
        time.sleep(0.02)
