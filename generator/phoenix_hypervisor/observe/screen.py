"""Screens for people: signs before colour; data on stdout, everything else on stderr."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..inspect.looks import Look, Status
from ..resource import Change, Effect, Ref, Step
from .firewall_screen import effect_lines
from .live import SCREEN

if TYPE_CHECKING:
    from ..converge.outcome import Outcome
    from ..converge.plan import Entry, Plan
    from ..converge.steps import Ran
    from ..firewall.effect import Effect as Reached

SIGNS = {"create": ("+", "green"), "change": ("~", "yellow"), "remove": ("-", "red"), "same": ("=", "")}
LONGEST = 96
PARTS = {
    "look": "looking",
    "node": "the node",
    "layers": "layers",
    "guests": "guests",
    "services": "what is in them",
}
"""Parts of a run (converge/phases.py) in words."""


def paint(text: str, colour: str, *, err: bool = False) -> str:
    """Return the text in colour when the stream is a terminal and NO_COLOR is not set."""
    stream = sys.stderr if err else sys.stdout
    plain = not colour or SCREEN.plain or os.environ.get("NO_COLOR") or not stream.isatty()
    return text if plain else click.style(text, fg=colour)


def tell(line: str = "") -> None:
    """Say a line that is not the verb's data."""
    SCREEN.say(line)


def plan_lines(
    plan: Plan,
    looks: Mapping[Ref, Look],
    lost: Mapping[str, Exception],
    node_of: Callable[[str], str] = str,
    reach: Mapping[Ref, Sequence[Reached]] | None = None,
) -> Iterator[str]:
    """Yield the plan as a person reads it; `node_of` says which node a host is or lives on.

    `reach` is what the plan does to who gets in where, by the resource it is shown below.
    """
    for host in dict.fromkeys(entry.ref.host for entry in plan.entries):
        node = node_of(host)
        if node not in lost:
            yield paint(host, "cyan") + ("" if node == host else f" on {node}")
            entries = [entry for entry in plan.entries if entry.ref.host == host]
            for entry in (entry for entry in entries if not _only_waits(entry)):
                yield from entry_lines(entry, effect_lines((reach or {}).get(entry.ref, ())))
            yield from _waiting_lines([entry for entry in entries if _only_waits(entry)])
    for name in sorted(lost):
        yield f"{paint('?', 'magenta')} {lost[name]}"
    if plan.orphans:
        yield "made by us, declared no longer (left alone; `--prune` removes them):"
        yield from (f"  {paint('o', 'yellow')} {ref.full}" for ref in plan.orphans)
    for node, said in plan.notices.items():
        yield from (f"{paint('notice:', 'yellow')} {node}: {notice}" for notice in said)
    yield from _notice_lines(looks)
    interrupted = [step.interrupts for entry in plan.entries for step in entry.steps if step.interrupts]
    if interrupted:
        yield f"interrupts: {', '.join(dict.fromkeys(interrupted))}"
    if plan.reboots():
        yield "nodes are rebooted by `apply --reboot` only; what needs that waits, and all the rest goes on"
    yield summary(plan, looks)


def brief_plan_lines(plan: Plan, looks: Mapping[Ref, Look], lost: Mapping[str, Exception]) -> Iterator[str]:
    """Yield of a plan only what no apply repairs, and the line that says it all."""
    for entry in plan.entries:
        for refusal in entry.refusals:
            yield f"{paint('!', 'red')} {entry.ref.full}: not repaired: {refusal.reason}"
        if entry.look.status is Status.UNKNOWN and not lost:
            reasons = "; ".join(entry.look.reasons)
            yield f"{paint('?', 'magenta')} {entry.ref.full}: could not tell: {reasons}"
    yield from (f"{paint('?', 'magenta')} {lost[name]}" for name in sorted(lost))
    yield summary(plan, looks)


def _notice_lines(looks: Mapping[Ref, Look]) -> Iterator[str]:
    """Yield what is worth knowing of resources, whether or not anything about them differs."""
    for ref, look in looks.items():
        yield from (f"{paint('notice:', 'yellow')} {ref.full}: {notice}" for notice in look.notices)


def _only_waits(entry: Entry) -> bool:
    """Right in itself, but what it needs is not: nothing to say of it but that."""
    return entry.look.status is Status.BLOCKED and not entry.look.change and not entry.look.reasons


def _waiting_lines(entries: list[Entry]) -> Iterator[str]:
    """Yield one line for all that wait for the same thing, directly or through each other."""
    after = {entry.ref: entry.after for entry in entries}
    waiting: dict[Ref, list[Ref]] = {}
    for ref, first in after.items():
        blocker = first
        while blocker in after:
            blocker = after[blocker]
        if blocker is not None:
            waiting.setdefault(blocker, []).append(ref)
    for blocker, refs in waiting.items():
        names = ", ".join(str(ref) for ref in refs[:3]) + (
            f" and {len(refs) - 3} more" if len(refs) > 3 else ""
        )
        yield f"  {paint(*SIGNS['same'])} after {blocker}, looked at again then: {names}"


def entry_lines(entry: Entry, further: Iterable[str] = ()) -> Iterator[str]:
    """Yield one resource of a plan: what differs, what that means (`further`), and what would be run."""
    yield f"  {_sign(entry)} {entry.ref}{_note(entry)}"
    if not (entry.look.change.creates or entry.look.change.removes):
        yield from (f"      {line}" for line in change_lines(entry.look.change))
    yield from (f"      {line}" for line in further)
    for reason in entry.look.reasons:
        yield f"      {paint('?', 'magenta')} {reason}"
    for refusal in entry.refusals:
        yield f"      {paint('!', 'red')} not repaired: {refusal.reason}"
    for step in entry.steps:
        *first, last = wrapped(step.title)
        lines = [*first, f"{last}  {_effect(step)}"]
        yield f"      {paint('$', 'cyan')} {lines[0]}"
        yield from (f"          {line}" for line in lines[1:])
        if step.because:
            yield f"          because {step.because}"


def _sign(entry: Entry) -> str:
    change = entry.look.change
    if entry.look.status is Status.UNKNOWN or (entry.look.status is Status.BLOCKED and entry.look.reasons):
        return paint("?", "magenta")
    if entry.refusals and not entry.steps:
        return paint("!", "red")
    name = "create" if change.creates else "remove" if change.removes else "change" if change else "same"
    if entry.look.status is Status.UNHEALTHY:
        name = "change"
    return paint(*SIGNS[name])


def _note(entry: Entry) -> str:
    if entry.orphan:
        return "  declared no longer"
    if entry.after is not None:
        return f"  after {entry.after}" + ("" if entry.look.change else ": looked at again then")
    if entry.look.status is Status.UNHEALTHY:
        return "  the state is right, but using it fails"
    return "  could not tell" if entry.look.status is Status.UNKNOWN else ""


def change_lines(change: Change) -> Iterator[str]:
    """Yield one line for each attribute: `name: actual → desired`; of lists of lines, those that differ."""
    for name, (actual, desired, relation) in change.attributes.items():
        if _are_lines(actual, desired):
            gone, new = (
                [line for line in a if line not in b] for a, b in ((actual, desired), (desired, actual))
            )
            yield f"{name}:" + ("" if gone or new else " the same ones in another order")
            yield from (f"  - {line}" for line in gone)
            yield from (f"  + {line}" for line in new)
            continue
        arrow = "→" if relation in ("==", "") else f"should be {relation}"
        before, after = differing(actual, desired)
        yield f"{name}: {before} {arrow} {after}"


def _are_lines(*values: Any) -> bool:
    """Whether both are lists of whole lines, which nobody could tell apart beside each other."""
    return all(isinstance(value, (list, tuple)) for value in values) and any(
        isinstance(line, str) and " " in line for value in values for line in value
    )


def differing(actual: Any, desired: Any) -> tuple[str, str]:
    """Return both sides as people read them; of two lists of words only the words that differ."""
    if isinstance(actual, str) and isinstance(desired, str) and "," in actual and "," in desired:
        ours, theirs = actual.split(","), desired.split(",")
        return (
            ",".join(word for word in ours if word not in theirs) or "(nothing)",
            ",".join(word for word in theirs if word not in ours) or "(nothing)",
        )
    return shown(actual), shown(desired)


def shown(value: Any) -> str:
    """Return a value as people read it."""
    if value is None:
        return "(nothing)"
    if isinstance(value, str):
        return value or '""'
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {shown(inner)}" for key, inner in value.items()) or "(nothing)"
    if isinstance(value, Collection):
        return ", ".join(shown(inner) for inner in value) or "(nothing)"
    return str(value)


def wrapped(text: str) -> list[str]:
    """Return a command whole, over as many lines as it takes, as a shell would read it."""
    lines = [""]
    for word in re.findall(r"(?:[^\s']|'[^']*'?)+", text):  # what stands in quotes is not torn apart
        fits = not lines[-1] or len(lines[-1]) + 1 + len(word) <= LONGEST
        lines = [*lines[:-1], f"{lines[-1]} {word}".lstrip()] if fits else [*lines, word]
    return [*(f"{line} \\" for line in lines[:-1]), lines[-1]]


def shortened(text: str) -> str:
    """Return a command that fits a line; the plan has it whole."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _effect(step: Step) -> str:
    colour = {Effect.HOT: "", Effect.RELOAD: "", Effect.RESTART: "yellow", Effect.REBOOT: "red"}[step.effect]
    words = f"[{step.effect}]" if not step.destroys else f"[{step.effect}; destroys {step.destroys}]"
    return paint(words, "red" if step.destroys else colour)


def summary(plan: Plan, looks: Mapping[Ref, Look]) -> str:
    """Return the one line that says it all."""
    counts = {
        "to create": 0,
        "to change": 0,
        "to remove": 0,
        "cannot be repaired": 0,
        "unknown": 0,
        "waiting": 0,
    }
    for entry in plan.entries:
        change = entry.look.change
        counts["waiting"] += _only_waits(entry)
        if entry.look.status is Status.UNKNOWN:
            counts["unknown"] += 1
        if entry.refusals:
            counts["cannot be repaired"] += 1
        if entry.steps:
            counts["to create" if change.creates else "to remove" if change.removes else "to change"] += 1
    said = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    right = sum(look.status is Status.OK for look in looks.values())
    if not said:
        return f"{_counted(right, 'resource')} as declared, nothing to do"
    effects = [step.effect for entry in plan.entries for step in entry.steps]
    strongest = f"; strongest effect: {max(effects)}" if effects else ""
    return f"{said}, {right} as declared{strongest}"


def phases_line(phases: Mapping[str, float]) -> str:
    """Return a line that says how long each part of a run took."""
    parts = [f"{PARTS[name]} {seconds:.1f} s" for name, seconds in phases.items()]
    return f"took: {', '.join(parts)}" + ("; what does not wait runs side by side" if len(parts) > 2 else "")


def ran_line(ran: Ran) -> str:
    """Return a line for a step that was run."""
    sign = paint("✓", "green", err=True) if ran.status == 0 else paint("✗", "red", err=True)
    return f"  {sign} {step_name(ran.ref, ran.title)}  ({ran.seconds:.1f} s)"


def step_name(ref: Ref, title: str) -> str:
    """Return how a step is called in a line."""
    return f"{ref.host}: {shortened(title)}"


def outcome_lines(
    outcome: Outcome, told: Collection[str] = (), node_of: Callable[[str], str] = str
) -> Iterator[str]:
    """Yield how an apply ended; nodes of `told` have been said to be lost before."""
    for name in sorted(outcome.lost.keys() - set(told)):
        yield f"{paint('?', 'magenta')} {outcome.lost[name]}"
    for ref, look in outcome.looks.items():
        if look.status is Status.OK or node_of(ref.host) in outcome.lost:
            continue
        reason = outcome.stuck.get(ref) or "; ".join(look.reasons) or _waiting(outcome, ref)
        after = f" by {look.blocked_by}" if look.blocked_by else ""
        sign = paint("~", "yellow") if outcome.waits(ref) else paint("✗", "red")
        yield f"{sign} {ref.full}: {look.status.value}{after}{': ' + reason if reason else ''}"
        yield from (f"    {line}" for line in change_lines(look.change))
    for ref, reason in outcome.stuck.items():
        if ref not in outcome.looks:
            yield f"{paint('✗', 'red')} {ref.full}: {reason}"
    yield from _notice_lines(outcome.looks)
    right = sum(look.status is Status.OK for look in outcome.looks.values())
    wrong = len(outcome.looks) - right
    said = f"{_counted(len(outcome.ran), 'step')} run; {_counted(right, 'resource')} as declared"
    yield said + (f", {wrong} not" if wrong else "")


def _waiting(outcome: Outcome, ref: Ref) -> str:
    """Return in words that a resource waits for a reboot, itself or through what it needs."""
    if ref in outcome.waiting:
        return f"waits for a reboot (`apply --reboot`): {outcome.waiting[ref]}"
    return f"{waits}, which it needs, waits for a reboot" if (waits := outcome.waits(ref)) else ""


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
