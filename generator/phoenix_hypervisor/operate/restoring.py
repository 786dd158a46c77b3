"""Backups by hand: what there is of a guest, one more of it now, and another guest made from one."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..dialects import vzdump
from ..errors import ExitCode, HostError, PhoenixError, UsageError
from ..guestverbs import Does, Sight
from ..resource import Effect, Refusal, Step
from ..transport import Question
from .by_hand import ByHand, Voice, carry_out

if TYPE_CHECKING:
    from ..config import Site
    from ..dialects.vzdump import Archive
    from ..resource import Kind
    from .guests import Named

LIST = """\
storages=$(pvesm status --content backup --enabled 1) || exit
for storage in $(printf '%s\\n' "$storages" | awk 'NR > 1 && $3 == "active" {{ print $1 }}'); do
    pvesm list "$storage" --content backup --vmid {vmid} || exit
done"""


def archives(hand: ByHand, one: Named) -> list[Archive]:
    """Return the backups of a guest on all storages of its node, newest first. Raises HostError."""
    return vzdump.archives(_asked(hand, one, LIST.format(vmid=one.guest.vmid)))


def chosen(found: Sequence[Archive], word: str, one: Named) -> Archive:
    """Return the newest backup, or the one whose id has that word in it. Raises PhoenixError."""
    if not found:
        todo = f"`phoenix backup {one.name}` makes one, if a job is declared for it"
        raise PhoenixError(f"there is no backup of {one.called}", hint=todo)
    fitting = [archive for archive in found if word in archive.volid]
    exact = [archive for archive in found if archive.volid == word]
    if len(exact or fitting) == 1 or not word:
        return (exact or fitting)[0]
    known = "\n  ".join(archive.volid for archive in fitting or found)
    said = "several backups fit" if fitting else "no backup fits"
    raise UsageError(f"{said} `{word}` of {one.called}", hint=f"there are:\n  {known}")


def restore(
    hand: ByHand, one: Named, archive: Archive, vmid: str, storage: str, voice: Voice, *, start: bool
) -> ExitCode:
    """Make a guest with a free number from a backup. Raises PhoenixError when it cannot be, or failed."""
    _refuse_taken(hand, one, vmid)
    does = one.verbs.restore(one.resource, archive.volid, vmid, storage, start=start)
    steps = [step for step in does if isinstance(step, Step)]
    for refusal in one.verbs.restore(one.resource, archive.volid, vmid, storage, start=start):
        if isinstance(refusal, Refusal):
            raise PhoenixError(f"guest {one.called}: {refusal.reason}", hint="nothing was done")
    failure = carry_out(hand.fleet, hand.site.folder, one, steps, voice.ran, patient=True)
    there = _conf(hand, one, vmid)
    if failure or not there:
        said = failure or "it ended well, and is not there"
        left = f"{vmid} is there, unfinished: {_away(one, vmid)}" if there else f"nothing is left of {vmid}"
        raise PhoenixError(f"{vmid} is not made from {archive.volid}: {said}", hint=left)
    state = "runs" if start else "does not run"
    voice.done(
        f"{one.called} as it was at {archive.began} is {vmid} now: it {state}, its networks are plugged out"
    )
    voice.tell(_away(one, vmid))
    return ExitCode.OK


def _away(one: Named, vmid: str) -> str:
    return f"`{one.verbs.tool} destroy {vmid} --purge` on {one.guest.node} takes it away"


def _refuse_taken(hand: ByHand, one: Named, vmid: str) -> None:
    whose = next((guest.name for guest in hand.site.guests.values() if guest.vmid == vmid), "")
    if whose:
        raise UsageError(
            f"{vmid} is declared: it is `{whose}`",
            hint="a backup is restored beside what is there; name a number that nobody has",
        )
    if path := _conf(hand, one, vmid):
        raise PhoenixError(f"{vmid} is taken on {one.guest.node}: {path}", hint="nothing was done")


def _conf(hand: ByHand, one: Named, vmid: str) -> str:
    """Return the path of the conf of whatever guest of the cluster has a number; empty if none has."""
    return _asked(hand, one, f"ls -d /etc/pve/nodes/*/*/{shlex.quote(vmid)}.conf 2>/dev/null || :").strip()


def _asked(hand: ByHand, one: Named, question: str) -> str:
    node = one.guest.node
    answers = hand.fleet.ask({node: [Question(question)]}).get(node, hand.fleet.lost.get(node))
    if answers is None or isinstance(answers, Exception):
        raise answers or HostError(f"host `{node}` did not answer")
    if answers[0].status:
        said = answers[0].stderr.decode(errors="replace").strip()
        raise HostError(f"host `{node}`: its backups cannot be listed: {said}")
    return answers[0].stdout.decode(errors="replace")


def job_of(site: Site, one: Named, name: str) -> Kind:
    """Return the job that a guest's backup is made by. Raises UsageError when it is not clear which."""
    jobs = {
        ref.name: job
        for ref, job in site.resources.items()
        if (ref.host, ref.kind) == (one.guest.node, "backup_job") and job.present and _covers(job, one.name)
    }
    if name in jobs:
        return jobs[name]
    if len(jobs) == 1 and not name:
        return next(iter(jobs.values()))
    if not jobs:
        raise UsageError(f"no job saves {one.called}", hint="name it in a `backup_job` of its node")
    said = f"the job `{name}` does not save" if name else "several jobs save"
    raise UsageError(f"{said} {one.called}", hint=f"`--job` takes one of: {', '.join(jobs)}")


def _covers(job: Kind, guest: str) -> bool:
    guests, excluded = getattr(job, "guests", ()), getattr(job, "exclude", ())
    return guest not in excluded if guests == "all" else guest in guests


def backup(job: Kind, one: Named, sight: Sight) -> Does:
    """Yield one guest's backup as its job makes it; older ones stay, whatever the job keeps."""
    options = {
        key: value for key, value in getattr(job, "options", {}).items() if key in OF_THE_JOB and value
    }
    words = [word for key, value in options.items() for word in (f"--{key}", value)]
    argv = ("vzdump", one.guest.vmid, *words, "--remove", "0")
    stops = sight.running and options.get("mode") == "stop"
    yield Step(
        shlex.join(argv),
        argv,
        effect=Effect.RESTART if stops else Effect.HOT,
        interrupts=f"{one.ref} {one.name}" if stops else "",
        locks=(f"conf:{one.guest.vmid}",),
    )


OF_THE_JOB = frozenset({"storage", "mode", "compress", "notes-template"})
