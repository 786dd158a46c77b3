"""The backup of one virtual machine, and what is in its archive.

An archive is Proxmox's format (VMA) by name alone: it is a tar of the machine's conf, the size of each disk,
and the files that are on them.
"""

import sys
import tarfile

import backup_archive
import backup_run
import guest_volumes
import model
import qm_conf
import qm_drives
import qm_run
from qm_conf import MachineConf
from qm_drives import Drive

CONF, RULES, SIZES = "qemu-server.conf", "qemu-server.fw", "sizes"
"""The names of a machine's conf and firewall rules in an archive, and of lines `DISK BYTES`."""
NOT_SAVED = ("lock", "parent")


class MachineBackup(backup_run.Backup):
    """One machine to be saved."""

    sort, called = "qemu", "VM"

    def _make(self) -> None:
        conf = qm_conf.load(self._vmid)
        runs = self._vmid in qm_run.running()
        mode = self._values.get("mode", "snapshot") if runs else "stop"
        self._say(f"INFO: status = {'running' if runs else 'stopped'}")
        qm_conf.check_lock(conf)
        if mode == "suspend":
            model.not_simulated("vzdump", [self._vmid, "--mode", "suspend"])
        self._mark("backup")
        try:
            disks = self._told(conf, mode)
            if runs and mode == "stop":
                self._stopped(conf, disks)
            else:
                self._archive_disks(conf, disks, runs)
        finally:
            self._mark("")

    def _told(self, conf: MachineConf, mode: str) -> dict[str, Drive]:
        """Say what is saved and how; of a machine that goes on, the disks come first."""
        said = [f"INFO: backup mode: {mode}", f"INFO: ionice priority: {self._values.get('ionice', '7')}"]
        disks, lines = {}, [f"INFO: VM Name: {conf.values['name']}"] if "name" in conf.values else []
        for key, drive in qm_drives.volumes(conf).items():
            if drive.get("media") == "cdrom":
                continue
            if drive.get("backup", "1") != "1":
                lines.append(f"INFO: exclude disk '{key}' '{drive['file']}' (backup=no)")
                continue
            size = guest_volumes.spelt(qm_drives.size(drive["file"]))
            lines.append(f"INFO: include disk '{key}' '{drive['file']}' {size}")
            disks[key] = drive
        for line in (*lines, *said) if mode == "snapshot" else (*said, *lines):
            self._say(line)
        return disks

    def _stopped(self, conf: MachineConf, disks: dict[str, Drive]) -> None:
        import qm_power

        self._say("INFO: stopping virtual guest")
        qm_run.stop(self._vmid, 60)
        try:
            self._archive_disks(conf, disks, runs=False)
        finally:
            qm_power.start(self._vmid, skiplock=True)

    def _archive_disks(self, conf: MachineConf, disks: dict[str, Drive], runs: bool) -> None:
        if conf.snapshots:
            self._say("INFO: snapshots found (not included into backup)")
        if conf.pending.values:
            self._say("INFO: pending configuration changes found (not included into backup)")
        compress = self._values.get("compress", "0")
        if compress in ("1", "lzo"):
            model.not_simulated("vzdump", ["--compress", compress])
        archive = f"{self._stem}.vma{backup_run.ENDINGS[compress]}"
        self._say(f"INFO: creating vzdump archive '{archive}'")
        if runs:
            self._freeze(conf)
        else:
            what = "template" if conf.values.get("template") == "1" else "kvm"
            self._say(f"INFO: starting {what} to execute backup task")
        import qm_create

        self._say(f"INFO: started backup task '{qm_create.uuid()}'")
        if runs:
            self._say("INFO: resuming VM again")
        total = sum(qm_drives.size(drive["file"]) for drive in disks.values())
        try:
            backup_archive.packed(model.path(archive), compress, lambda tar: _pack(tar, conf, disks))
        except OSError as error:
            text = f"vma_queue_write: write error - {error.strerror or error}"
            self._say(f"ERROR: {text}")
            self._say("INFO: aborting backup job")
            self._say("INFO: resuming VM again" if runs else "INFO: stopping kvm after backup task")
            raise backup_archive.FailedError(text) from None
        spelt = f"{total / 2**30:.1f} GiB"
        self._say(f"INFO: 100% ({spelt} of {spelt}) in 1s, read: {spelt}/s, write: 0 B/s")
        self._say(f"INFO: transferred {total / 2**30:.2f} GiB in 1 seconds ({total / 2**30:.1f} GiB/s)")
        if not runs:
            self._say("INFO: stopping kvm after backup task")
        self._afterwards(archive, conf.values.get("name", ""))

    def _freeze(self, conf: MachineConf) -> None:
        """Let the agent hold the file systems still for that moment, if there is one."""
        import qm_formats

        agent = qm_formats.parse("agent", conf.values["agent"]) if "agent" in conf.values else {}
        if agent.get("enabled") != "1" or agent.get("freeze-fs-on-backup", "1") != "1":
            return
        if qm_run.row(self._vmid).get("mute") or not qm_run.has_agent(self._vmid):
            self._say("INFO: skipping guest-agent 'fs-freeze', agent configured but not running?")
            return
        self._say("INFO: issuing guest-agent 'fs-freeze' command")
        self._say("INFO: issuing guest-agent 'fs-thaw' command")

    def _mark(self, word: str) -> None:
        """Say in its conf what is being done with it; an empty word takes that away."""
        with qm_conf.locked(self._vmid, sys.stdout):
            conf = qm_conf.load(self._vmid)
            conf.values.pop("lock", None)
            if word:
                conf.values["lock"] = word
            qm_conf.save(conf)


def _pack(archive: tarfile.TarFile, conf: MachineConf, disks: dict[str, Drive]) -> None:
    import os

    settings = MachineConf(conf.vmid)
    settings.copy_from(conf)
    for key in [key for key in settings.values if key in NOT_SAVED or key.startswith("unused")]:
        del settings.values[key]
    hints = [
        f"#qmdump#map:{key}:drive-{key}:{guest_volumes.split(drive['file'])[0]}::\n"
        for key, drive in disks.items()
    ]
    backup_archive.add_text(archive, CONF, qm_conf.spell(settings) + "".join(hints))
    sizes = {key: qm_drives.size(drive["file"]) for key, drive in disks.items()}
    backup_archive.add_text(archive, SIZES, "".join(f"{key} {size}\n" for key, size in sizes.items()))
    rules = model.path(f"/etc/pve/firewall/{conf.vmid}.fw")
    if os.path.exists(rules):
        with open(rules, encoding="utf-8") as file:
            backup_archive.add_text(archive, RULES, file.read())
    for key, drive in disks.items():
        place = model.path(qm_drives.content(drive["file"]))
        if os.path.isdir(place):
            archive.add(place, f"./{key}", filter=_plain)


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Sockets and pipes are of what runs."""
    return info if info.isfile() or info.isdir() or info.issym() or info.islnk() else None
