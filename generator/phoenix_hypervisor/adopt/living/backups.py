"""Backup jobs as they are on a node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...dialects import jobs_cfg
from .found import Found, Left, Thing

_PLAIN = {"storage": "storage", "notes-template": "notes", "comment": "comment", "node": "node"}
_SAID = frozenset(
    {
        *_PLAIN,
        *("schedule", "mode", "compress", "enabled", "vmid", "all", "exclude", "prune-backups"),
        *("mailto", "mailnotification", "repeat-missed"),
    }
)


def backups(answers: Mapping[str, str], guests: Mapping[str, str]) -> Found:
    """Yield the jobs; `guests` are those of the node that are described, VMID → stem of the file."""
    names = {vmid: stem.partition("-")[2] for vmid, stem in guests.items()}
    for name, options in jobs_cfg.backups(answers["backups"]).items():
        if "pool" in options:
            yield Left("backup_job", name, f"it backs up the pool `{options['pool']}`: name its guests")
            continue
        numbers = _numbers(options)
        if strange := [vmid for vmid in numbers if vmid not in names]:
            why = f"it is about {', '.join(strange)}: no such guest of this node is described"
            yield Left("backup_job", name, why)
            continue
        for key in sorted(options.keys() - _SAID):
            why = f"its option `{key} {options[key]}` cannot be declared; it stays as it is"
            yield Left("backup_job", name, why)
        yield Thing("backup_job", name, _settings(options, [names[vmid] for vmid in numbers]))


def _numbers(options: Mapping[str, str]) -> list[str]:
    return [vmid for vmid in options.get("exclude" if "all" in options else "vmid", "").split(",") if vmid]


def _settings(options: Mapping[str, str], guests: Iterable[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"schedule": options.get("schedule", "")}
    found |= {own: options[key] for key, own in _PLAIN.items() if key in options}
    found |= {key: options[key] for key in ("mode", "compress") if key in options}
    found["guests"] = "all" if "all" in options else sorted(guests)
    if "all" in options and options.get("exclude"):
        found["exclude"] = sorted(guests)
    if options["enabled"] != "1":
        found["enabled"] = False
    if words := options.get("prune-backups"):
        found["retention"] = _retention(words)
    if to := options.get("mailto"):
        found["mail"] = {"to": to.split(","), "when": options.get("mailnotification", "always")}
    return found | ({"repeat_missed": True} if options.get("repeat-missed") else {})


def _retention(words: str) -> dict[str, Any]:
    pairs = (word.partition("=") for word in words.split(","))
    found = {key.replace("-", "_"): value for key, _, value in pairs}
    return {key: value == "1" if key == "keep_all" else _count(value) for key, value in found.items()}


def _count(text: str) -> int | str:
    return int(text) if text.isdecimal() else text
