"""The backup of one guest, here a container: archive, notes and log on a storage, and what is pruned then."""

import os
import sys
import time
from typing import NamedTuple

import backup_archive
import backup_prune
import guest_conf
import guest_mounts
import guest_runtime
import guest_volumes
import model
from backup_tasks import Task
from guest_conf import Conf, Refused
from guest_mounts import Mount
from storage_config import Storage
from storage_use import subfolder

ENDINGS = {"zstd": ".zst", "gzip": ".gz", "1": ".lzo", "lzo": ".lzo", "0": ""}
SNAPSHOT = "vzdump"


class Place(NamedTuple):
    """Where backups go."""

    name: str
    storage: Storage

    @property
    def folder(self) -> str:
        return subfolder(self.storage, "backup")


def of(task: Task, vmid: str, values: dict[str, str], place: Place) -> "Backup":
    """Return the backup of a guest, whatever it is; of one that is not there, too: that says so."""
    if (guest_conf.owner(vmid) or ("",))[0] == "VM":
        import backup_machine

        return backup_machine.MachineBackup(task, vmid, values, place)
    return Backup(task, vmid, values, place)


class Backup:
    """One container to be saved."""

    sort, called = "lxc", "CT"

    def __init__(self, task: Task, vmid: str, values: dict[str, str], place: Place) -> None:
        self._task, self._vmid, self._values, self._place = task, vmid, values, place
        self._began = time.time()
        moment = time.strftime("%Y_%m_%d-%H_%M_%S", time.localtime(self._began))
        self._stem = f"{place.folder}/vzdump-{self.sort}-{vmid}-{moment}"
        self._lines: list[str] = []
        self._snapshots: list[str] = []

    def made(self) -> bool:
        """Make it; return whether that went well. What happens is said, and kept beside the archive."""
        found = guest_conf.owner(self._vmid)
        if found != (self.called, guest_conf.node_name()):
            self._task.say(f"ERROR: Backup of VM {self._vmid} failed - unable to find VM '{self._vmid}'")
            self._task.say(f"INFO: Failed at {_clock()}")
            return False
        self._say(f"INFO: Starting Backup of VM {self._vmid} ({self.sort})")
        self._say(f"INFO: Backup started at {_clock()}")
        try:
            self._make()
        except (Refused, backup_archive.FailedError) as error:
            self._say(f"ERROR: Backup of VM {self._vmid} failed - {error}")
            self._say(f"INFO: Failed at {_clock()}")
            self._keep_log()
            return False
        self._say(
            f"INFO: Finished Backup of VM {self._vmid} "
            f"({time.strftime('%H:%M:%S', time.gmtime(time.time() - self._began))})"
        )
        self._say(f"INFO: Backup finished at {_clock()}")
        self._keep_log()
        return True

    def _say(self, line: str) -> None:
        self._lines.append(f"{_clock()} {line}\n")
        self._task.say(line)

    def _keep_log(self) -> None:
        with open(model.path(self._stem + ".log"), "w", encoding="utf-8") as file:
            file.write("".join(self._lines))

    def _make(self) -> None:
        conf = guest_conf.load(self._vmid)
        runs = self._vmid in guest_runtime.running()
        mode = self._values.get("mode", "snapshot") if runs else "stop"
        self._say(f"INFO: status = {'running' if runs else 'stopped'}")
        guest_conf.check_lock(conf)
        included = self._included(conf, mode)
        if mode == "snapshot" and not all(guest_volumes.dataset(one["volume"]) for one in included.values()):
            self._say("INFO: mode failure - some volumes do not support snapshots")
            self._say("INFO: trying 'suspend' mode instead")
            mode = "suspend"
        if mode == "suspend":
            model.not_simulated("vzdump", [self._vmid, "--mode", "suspend"])
        _lock(self._vmid, "backup")
        try:
            self._save(conf, included, mode, stops=runs and mode == "stop")
        finally:
            self._clean_up()

    def _included(self, conf: Conf, mode: str) -> dict[str, Mount]:
        """Say what is saved, what is not, and why; return the former."""
        self._say(f"INFO: backup mode: {mode}")
        self._say(f"INFO: ionice priority: {self._values.get('ionice', '7')}")
        self._say(f"INFO: CT Name: {conf.values.get('hostname', '')}")
        found = {}
        for key, mount in guest_mounts.every(conf).items():
            where = mount.get("mp", "/")
            reason = ""
            if guest_mounts.kind(mount) != "volume":
                reason = "not a volume"
            elif key != "rootfs" and mount.get("backup", "0") != "1":
                reason = "disabled"
            sort = guest_mounts.kind(mount)
            if reason:
                self._say(f"INFO: excluding {sort} mount point {key} ('{where}') from backup ({reason})")
            else:
                self._say(f"INFO: including mount point {key} ('{where}') in backup")
                found[key] = mount
        return found

    def _save(self, conf: Conf, included: dict[str, Mount], mode: str, stops: bool) -> None:
        import pct_power

        if mode == "snapshot":
            self._say(f"INFO: create storage snapshot '{SNAPSHOT}'")
            for mount in included.values():
                name = f"{guest_volumes.dataset(mount['volume'])}@{SNAPSHOT}"
                guest_volumes.zfs("snapshot", name)
                self._snapshots.append(name)
        if stops:
            self._say("INFO: stopping virtual guest")
            pct_power.halt(self._vmid, 60, force=True)
        try:
            self._archive(conf, included)
        finally:
            if stops:
                self._say("INFO: restarting vm")
                pct_power.start(self._vmid, skiplock=True)
                self._say(f"INFO: guest is online again after {int(time.time() - self._began)} seconds")

    def _archive(self, conf: Conf, included: dict[str, Mount]) -> None:
        compress = self._values.get("compress", "0")
        if compress in ("1", "lzo"):
            model.not_simulated("vzdump", ["--compress", compress])
        archive = f"{self._stem}.tar{ENDINGS[compress]}"
        self._say(f"INFO: creating vzdump archive '{archive}'")
        size = backup_archive.write(model.path(archive), conf, included, compress)
        self._say(f"INFO: Total bytes written: {size} ({size / 2**20:.1f}MiB, {size / 2**20:.0f}MiB/s)")
        self._afterwards(archive, conf.values.get("hostname", ""))

    def _afterwards(self, archive: str, name: str) -> None:
        """Say how large it is, add notes, and remove older ones."""
        self._say(f"INFO: archive file size: {max(os.stat(model.path(archive)).st_size >> 20, 1)}MB")
        if "notes-template" in self._values:
            self._say("INFO: adding notes to backup")
            with open(model.path(f"{archive}.notes"), "w", encoding="utf-8") as file:
                file.write(_notes(self._values["notes-template"], self._vmid, name))
        keep = self._values.get("prune-backups", self._place.storage.get("prune-backups", "keep-all=1"))
        if self._values.get("remove", "1") == "1" and "keep-all=1" not in keep:
            self._prune(keep)

    def _prune(self, keep: str) -> None:
        self._say(f"INFO: prune older backups with retention: {', '.join(sorted(keep.split(',')))}")
        gone = backup_prune.superfluous(model.path(self._place.folder), self._vmid, keep)
        for name in gone:
            self._say(f"INFO: removing backup '{self._place.name}:backup/{name}'")
            backup_prune.remove(model.path(self._place.folder), name)
        self._say(f"INFO: pruned {len(gone)} backup(s) not covered by keep-retention policy")

    def _clean_up(self) -> None:
        if self._snapshots:
            self._say(f"INFO: cleanup temporary '{SNAPSHOT}' snapshot")
        for name in self._snapshots:
            guest_volumes.zfs("destroy", name)
        _lock(self._vmid, "")


def _notes(template: str, vmid: str, name: str) -> str:
    known = {"cluster": "", "guestname": name, "node": guest_conf.node_name(), "vmid": vmid}
    for name, value in known.items():
        template = template.replace("{{" + name + "}}", value)
    return template.replace("\\n", "\n").replace("\\\\", "\\")


def _lock(vmid: str, word: str) -> None:
    """Say in a guest's conf what is being done with it; an empty word takes that away."""
    with guest_conf.locked(vmid, sys.stdout):
        conf = guest_conf.load(vmid)
        conf.values.pop("lock", None)
        if word:
            conf.values["lock"] = word
        guest_conf.save(conf)


def _clock() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")
