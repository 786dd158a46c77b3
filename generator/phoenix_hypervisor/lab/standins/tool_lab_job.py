"""lab-job ID: run a backup job now, as Proxmox's scheduler does when it is its turn. No node has this tool.

The scheduler of a real node is a daemon; in the lab nothing runs by itself.
"""

import sys
import time

import backup_jobs
import backup_options
import tool_vzdump
from backup_options import FOR_VZDUMP, Refused
from backup_tasks import Task


def main(argv: list[str]) -> int:
    jobs = backup_jobs.load()
    if len(argv) != 1 or jobs.get(argv[0], {}).get("type") != "vzdump":
        known = ", ".join(name for name, job in jobs.items() if job["type"] == "vzdump")
        print(f"lab-job: name one backup job: {known or 'there is none'}", file=sys.stderr)
        return 64
    name, job = argv[0], jobs[argv[0]]
    values = {key: value for key, value in job.items() if key in FOR_VZDUMP} | {"job-id": name, "quiet": "1"}
    try:
        return tool_vzdump.run(values, _called(values), lambda task: _started(name, job, task))
    except Refused as refused:
        message = str(refused).strip()
        backup_jobs.note_state(name, job, state="stopped", msg=message, time=int(time.time()))
        backup_options.say(message)
        return refused.status


def _called(values: dict[str, str]) -> str:
    import shlex

    options = [word for key, value in values.items() if key != "vmid" for word in (f"--{key}", value)]
    return shlex.join(["vzdump", *backup_options.words(values.get("vmid", "")), *options])


def _started(name: str, job: backup_jobs.Job, task: Task) -> None:
    backup_jobs.note_state(name, job, state="started", upid=task.upid)
