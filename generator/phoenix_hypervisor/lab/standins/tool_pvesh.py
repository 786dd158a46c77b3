"""pvesh: of Proxmox's API, the backup jobs; all else is not simulated."""

import json
import sys

import backup_jobs
import backup_options
import guest_conf
import model
from backup_options import FOR_JOBS, Refused

VERBS = ("create", "delete", "get", "ls", "set", "usage")
TOP = "/cluster/backup"
FORMATS = frozenset({"human-readable", "noborder", "noheader", "noproxy", "output-format", "quiet"})


def main(argv: list[str]) -> int:
    path = argv[1] if len(argv) > 1 else ""
    if not argv or argv[0] not in ("create", "delete", "get", "set"):
        model.not_simulated("pvesh", argv)
    if path.rstrip("/") != TOP and not path.startswith(TOP + "/"):
        model.not_simulated("pvesh", argv)
    verb, name = argv[0], path.removeprefix(TOP).strip("/")
    if "/" in name:
        model.not_simulated("pvesh", argv)
    if (verb == "create") == bool(name) and verb != "get":
        print(f"No '{verb}' handler defined for '{path}'", file=sys.stderr)
        return 1
    usage = f"pvesh {verb} <api_path> [OPTIONS] [FORMAT_OPTIONS]"
    try:
        _, values = backup_options.parse(argv[2:], FOR_JOBS | FORMATS | _own(verb), usage)
        form = values.get("output-format", "text")
        backup_options.check(values, usage, status=2)
        own = {key: value for key, value in values.items() if key not in FORMATS}
        if verb == "get":
            return _show(name, form, usage)
        with guest_conf.held(backup_jobs.LOCK, sys.stderr):
            if verb == "delete":
                _delete(name)
            else:
                {"create": _create, "set": _change}[verb](name, own, usage)
    except Refused as refused:
        backup_options.say(str(refused))
        return refused.status
    return 0


def _own(verb: str) -> frozenset[str]:
    return frozenset({"create": ["id"], "set": ["delete"]}.get(verb, ()))


def _show(name: str, form: str, usage: str) -> int:
    jobs = backup_jobs.load()
    if form != "json":
        model.not_simulated("pvesh", ["get", "--output-format", form])
    if name:
        _existing(jobs, name, usage)
        print(json.dumps({**jobs[name], "id": name}, sort_keys=True))
        return 0
    print(json.dumps([{**job, "id": key} for key, job in jobs.items() if job["type"] == "vzdump"]))
    return 0


def _existing(jobs: dict[str, backup_jobs.Job], name: str, usage: str) -> backup_jobs.Job:
    if jobs.get(name, {}).get("type") != "vzdump":
        backup_options.refuse({"id": f"No such job '{name}'"}, usage, 2)
    return jobs[name]


def _create(_: str, values: dict[str, str], usage: str) -> None:
    name = values.pop("id", "")
    if not name:
        model.not_simulated("pvesh", ["create", TOP, "without --id"])
    if "schedule" not in values:
        backup_options.refuse({"schedule": "property is missing and it is not optional"}, usage, 2)
    backup_options.conflicts(values, usage)
    jobs = backup_jobs.load()
    if name in jobs:
        raise Refused(f"Job '{name}' already exists\n")
    jobs[name] = {"type": "vzdump", "enabled": "1", **values}
    backup_jobs.note_change(name, jobs[name])
    backup_jobs.save(jobs)


def _change(name: str, values: dict[str, str], usage: str) -> None:
    gone = backup_options.words(values.pop("delete", ""))
    if not values and not gone:
        raise Refused("no options specified\n")
    jobs = backup_jobs.load()
    job = _existing(jobs, name, usage)
    before = dict(job)
    for key in gone:
        if key not in FOR_JOBS:
            backup_options.refuse({"delete": f"unknown option '{key}'"}, usage, 2)
        job.pop(key, None)
    job.update(values)
    if "exclude" in job and "pool" not in job:
        job["all"] = "1"
    rivals = {"vmid": ("all", "exclude", "pool"), "all": ("vmid", "pool"), "pool": ("vmid", "all", "exclude")}
    for key in ("vmid", "all", "pool"):
        if values.get(key, "0") != "0":
            for rival in rivals[key]:
                job.pop(rival, None)
            break
    backup_options.conflicts({key: value for key, value in job.items() if key != "type"}, usage)
    if any(before.get(key) != job.get(key) for key in backup_jobs.WATCHED):
        backup_jobs.note_change(name, job)
    backup_jobs.save(jobs)


def _delete(name: str) -> None:
    jobs = backup_jobs.load()
    if jobs.get(name, {}).get("type") != "vzdump":
        # for this verb the real tool says no usage
        raise Refused(f"400 Parameter verification failed.\nid: No such job '{name}'\n", 2)
    del jobs[name]
    backup_jobs.save(jobs)
    backup_jobs.forget(name)
