"""vzdump: backups of containers and virtual machines."""

import shlex
import sys

import backup_options
import backup_run
import guest_conf
import model
from backup_options import FOR_VZDUMP, Refused
from backup_tasks import Task
from hints import Callable
from storage_rules import Refused as StorageRefused

USAGE = "vzdump {<vmid>} [OPTIONS]"
SIMULATED = frozenset({
    "all", "bwlimit", "compress", "exclude", "ionice", "job-id", "lockwait", "mailnotification", "mailto",
    "mode", "node", "notes-template", "notification-mode", "prune-backups", "quiet", "remove", "stdexcludes",
    "stopwait", "storage", "vmid", "zstd",
})  # fmt: skip


def main(argv: list[str]) -> int:
    try:
        words, values = backup_options.parse(argv, FOR_VZDUMP, USAGE)
        if words:
            values["vmid"] = ",".join(words)
        backup_options.check(values, USAGE)
        backup_options.conflicts(values, USAGE)
        if set(values) - SIMULATED:
            model.not_simulated("vzdump", argv)
        return run(values, shlex.join(["vzdump", *argv]))
    except Refused as refused:
        backup_options.say(str(refused))
        return refused.status


def run(values: dict[str, str], called: str, begun: Callable[[Task], None] = lambda _: None) -> int:
    """Make the backups that are asked for, as a task; return the exit status. Raises Refused."""
    if values.get("node", guest_conf.node_name()) != guest_conf.node_name():
        return 0
    place = _place(values.get("storage", "local"))
    vmids = _guests(values)
    about = vmids[0] if len(vmids) == 1 and "vmid" in values else ""
    task = Task("vzdump", about, values.get("quiet") == "1")
    begun(task)
    task.say(f"INFO: starting new backup job: {called}")
    failed = False
    with guest_conf.held("/run/vzdump.lock", sys.stdout):
        for vmid in vmids:
            failed |= not backup_run.of(task, vmid, values, place).made()
    task.say(f"INFO: Backup job finished {'with errors' if failed else 'successfully'}")
    return task.end("job errors" if failed else "")


def _place(name: str) -> "backup_run.Place":
    """Return where backups go. Raises Refused in Proxmox's words."""
    import guest_volumes
    import storage_config

    said = f"could not get storage information for '{name}':"
    try:
        found = guest_volumes.ready(name)
    except StorageRefused as refused:
        # the real tool goes on after the first complaint, and complains again
        raise Refused(f"could not activate storage '{name}': {refused} {said} {refused}\n") from None
    if "backup" not in storage_config.content(found):
        raise Refused(f"{said} can't use storage '{name}' for backups - wrong content type\n")
    return backup_run.Place(name, found)


def _guests(values: dict[str, str]) -> list[str]:
    if "vmid" in values:
        return sorted(set(backup_options.words(values["vmid"])), key=int)
    excluded = backup_options.words(values.get("exclude", ""))
    import qm_conf

    every = sorted([*guest_conf.vmids(), *qm_conf.vmids()], key=int)
    return [vmid for vmid in every if vmid not in excluded]
