"""/etc/pve/jobs.cfg: read and written as Proxmox does, and what its scheduler notes of each job."""

import json
import os
import re
import time

import guest_conf
import model

FILE = "/etc/pve/jobs.cfg"
STATES = "/var/lib/pve-manager/jobs"
LOCK = "/var/lock/pve-manager/jobs.lck"
WATCHED = ("enabled", "schedule")
Job = dict[str, str]


def load() -> dict[str, Job]:
    """Return all jobs by id: their options, and `type`."""
    found: dict[str, Job] = {}
    current: Job = {}
    for line in _text().splitlines():
        header, option = (
            re.fullmatch(r"(\S+):\s*(\S+)\s*", line),
            re.fullmatch(r"\s+(\S+)(?:\s+(.*?))?\s*", line),
        )
        if header:
            current = found[header[2]] = {"type": header[1]}
        elif option and line.strip():
            value = option[2] or "1"
            current[option[1]] = guest_conf.decode_text(value) if option[1] == "comment" else value
    for job in found.values():
        job.setdefault("enabled", "1")
    return found


def _text() -> str:
    try:
        with open(model.path(FILE), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def save(jobs: dict[str, Job]) -> None:
    """Write all jobs in one go."""
    final = model.path(FILE)
    with open(final + ".new", "w", encoding="utf-8") as file:
        file.write("\n".join(_section(name, job) for name, job in jobs.items()))
    os.replace(final + ".new", final)


def _section(name: str, job: Job) -> str:
    own = {key: value for key, value in job.items() if key != "type"}
    if "comment" in own:
        own["comment"] = _encoded(own["comment"])
    if "prune-backups" in own:
        own["prune-backups"] = ",".join(sorted(own["prune-backups"].split(",")))
    first = [key for key in ("comment", "schedule") if key in own]
    keys = [*first, *sorted(key for key in own if key not in first)]
    return "\n".join([f"{job['type']}: {name}", *(f"\t{key} {own[key]}" for key in keys)]) + "\n"


def _encoded(text: str) -> str:
    """Escape control characters, `:` and everything that is not ASCII; `%` stays, whatever follows."""
    return "".join(
        chr(byte) if 0x20 <= byte <= 0x7E and byte != ord(":") else f"%{byte:02X}" for byte in text.encode()
    )


def state_of(name: str) -> dict[str, object] | None:
    """Return what the scheduler knows of a job."""
    try:
        with open(model.path(f"{STATES}/vzdump-{name}.json"), encoding="utf-8") as file:
            found: dict[str, object] = json.load(file)
            return found
    except FileNotFoundError:
        return None


def note_state(name: str, job: Job, **facts: object) -> None:
    """Note how a job stands."""
    state = {**facts, "config": {key: job[key] for key in WATCHED if key in job}}
    final = model.path(f"{STATES}/vzdump-{name}.json")
    os.makedirs(os.path.dirname(final), exist_ok=True)
    with open(final + ".tmp", "w", encoding="utf-8") as file:
        json.dump(state, file)
    os.replace(final + ".tmp", final)


def note_change(name: str, job: Job) -> None:
    """Note that a job is new, or that its turns are others now."""
    before = state_of(name)
    if before is None:
        note_state(name, job, state="created", time=int(time.time()))
        return
    before.pop("config", None)
    note_state(name, job, **{**before, "updated": int(time.time())})


def forget(name: str) -> None:
    """Forget a job that is there no longer."""
    path = model.path(f"{STATES}/vzdump-{name}.json")
    if os.path.exists(path):
        os.unlink(path)
