"""What the outcome of a check means. Only an assert of the check's own code says that something differs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest
from testinfra.backend.base import CommandResult

from ..errors import PhoenixError
from ..resource import Difference, Ref
from .looks import Finding, Verdict

UNKNOWN = "phoenix_unknown"
"""The user property that marks a report as `could not tell`; it survives xdist and lands in JUnit XML."""
NOTICE = "phoenix_notice"
"""The same for what is worth knowing and no drift."""
MISSING_TOOL = 127


class Comparison(NamedTuple):
    """Both sides of a comparison that failed, as pytest's rewritten assert saw them."""

    relation: str
    actual: Any
    desired: Any


def classify(
    item: pytest.Item, ref: Ref, call: pytest.CallInfo[None], compared: Comparison | None
) -> Finding:
    """Return the finding for a finished setup or call phase."""
    check = check_name(item)
    probe = item.get_closest_marker("probe") is not None
    raised = call.excinfo
    if raised is None:
        return Finding(ref, check, Verdict.HELD, probe=probe)
    if raised.errisinstance(pytest.skip.Exception):
        return Finding(ref, check, Verdict.SKIPPED, str(raised.value), probe=probe)
    found = _wrong(item, ref, call, compared)
    if item.get_closest_marker("notice") is None:
        return found
    return Finding(ref, check, Verdict.NOTICE, _told(item, found))


def _told(item: pytest.Item, found: Finding) -> str:
    """What a notice says: its check's own words, and what they are about."""
    words = (item.obj.__doc__ or "").strip().partition("\n")[0]  # type: ignore[attr-defined]  # it is a Function
    if found.verdict is not Verdict.FAILED or not words:
        return found.message
    values = ", ".join(
        f"{name}: {d.actual}" + (f", now {d.desired}" if d.desired != "" else "")
        for name, d in found.differences.items()
    )
    return f"{words[:1].lower()}{words[1:].rstrip('.')} ({values})"


def _wrong(item: pytest.Item, ref: Ref, call: pytest.CallInfo[None], compared: Comparison | None) -> Finding:
    """What a check that raised says: drift, or nothing at all."""
    raised = call.excinfo
    assert raised is not None
    check, probe = check_name(item), item.get_closest_marker("probe") is not None
    if (
        call.when == "call"
        and raised.errisinstance(AssertionError)
        and raised.traceback[-1].path == item.path
    ):
        differences = _differences(check, compared)
        said = "; ".join(f"{name}: {d.actual!r}, not {d.desired!r}" for name, d in differences.items())
        return Finding(ref, check, Verdict.FAILED, f"{check}: {said}", differences, probe)
    return Finding(ref, check, Verdict.UNKNOWN, f"{check}: {why(raised)}", probe=probe)


def check_name(item: pytest.Item) -> str:
    """Return a check's name as findings have it: `present` for test_present[…]."""
    return item.name.partition("[")[0].removeprefix("test_")


def key(item: pytest.Item) -> str:
    """Return a name of its own for a check: node ids of modules outside the site do not hold the module."""
    return f"{item.path}::{item.nodeid}"


def marked(item: pytest.Item, *names: str) -> bool:
    """Tell whether a check has one of these marks."""
    return any(item.get_closest_marker(name) is not None for name in names)


def _differences(check: str, compared: Comparison | None) -> Mapping[str, Difference]:
    if compared is None:
        return {check: Difference("not so", "so", "")}
    relation, actual, desired = compared
    if relation == "==" and isinstance(actual, Mapping) and isinstance(desired, Mapping):
        names = dict.fromkeys([*desired, *actual])
        return {
            str(name): Difference(actual.get(name), desired.get(name))
            for name in names
            if name not in actual or name not in desired or actual[name] != desired[name]
        }
    return {check: Difference(actual, desired, relation)}


def why(raised: pytest.ExceptionInfo[BaseException]) -> str:
    """Return why we could not tell, in words."""
    if isinstance(raised.value, PhoenixError):
        return raised.value.message
    answer = raised.traceback[-1].frame.f_locals.get("out")
    if not isinstance(answer, CommandResult):
        return f"{raised.typename}: {raised.value}"
    command = answer.command.decode(errors="replace")
    said = (answer.stderr or answer.stdout).strip().splitlines()
    if answer.exit_status == MISSING_TOOL:
        return f"a tool is missing on the host: {said[-1] if said else command}"
    return f"`{command}` ended with {answer.exit_status}: {said[-1] if said else 'it said nothing'}"
