"""qmrestore: a machine made from one of its backups, under any number that is free."""

import os
import re
import sys
import tarfile

import backup_archive
import backup_machine
import guest_conf
import guest_nets
import guest_options
import guest_volumes
import model
import qm_conf
import qm_create
import qm_drives
import qm_formats
import qm_options
from guest_conf import Refused
from guest_options import Call, Tool
from qm_conf import MachineConf
from storage_rules import Refused as StorageRefused

NAMES = ("archive", "bwlimit", "force", "live-restore", "pool", "storage", "unique")


class Only(Tool):
    """A tool of one verb, which has no name."""

    def line(self, verb: str) -> str:  # noqa: ARG002  (there is one)
        return self.lines


TOOL = Only(
    "qmrestore",
    "<archive> <vmid> [OPTIONS]",
    {"": {name: qm_options.OPTIONS["create"][name] for name in NAMES}},
    (),
    qm_formats.rule_of,
    qm_formats.fault,
)
NOT_RESTORED = re.compile(r"#(qmdump|vzdump)#|lock:|unused\d+:|parent:")
_DISK = re.compile(r"((?:ide|scsi|virtio|sata)\d+|efidisk0|tpmstate0): (.*)")


def main(argv: list[str]) -> int:
    call = Call("")
    try:
        guest_options.take(call, argv, TOOL)
        return run(call)
    except Refused as refused:
        status, text = refused.status, str(refused)
    except StorageRefused as refused:
        status, text = 255, str(refused)
    sys.stdout.flush()
    print(text.removesuffix("\n"), file=sys.stderr)
    return status


def run(call: Call) -> int:
    vmid = call.vmid
    for name in ("force", "live-restore", "pool"):
        if name in call.values:
            model.not_simulated("qmrestore", [f"--{name}"])
    archive = _file(call.values["archive"])
    if "storage" in call.values:
        qm_drives.check_storage(call.values["storage"])
    refused = f"unable to restore VM {vmid} -"
    with qm_conf.locked(vmid, sys.stdout):
        try:
            guest_conf.refuse_if_used(vmid)
        except Refused as taken:
            raise Refused(f"{refused} {taken}") from None
        locked = MachineConf(vmid)
        locked.values["lock"] = "create"
        qm_conf.save(locked)
        made: list[str] = []
        try:
            conf = _restored(call, archive, made)
        except (Refused, StorageRefused, backup_archive.FailedError, OSError) as error:
            for volid in made:
                qm_drives.free(volid)
            qm_conf.remove(vmid)
            raise Refused(f"{refused} {error}") from None
        qm_conf.save(conf)
        _rules(vmid, archive)
    print("rescan volumes...")
    return 0


def _file(archive: str) -> str:
    if archive == "-":
        model.not_simulated("qmrestore", ["-"])
    path = archive if archive.startswith("/") else guest_volumes.image(archive)
    if os.path.isfile(model.path(path)):
        if not re.search(r"\.vma(\.zst|\.gz)?$", path):
            model.not_simulated("qmrestore", [archive])
        return path
    if archive.startswith("/"):
        raise Refused(f"can't find file '{archive}'")
    raise Refused(f"volume '{archive}' does not exist")


def _restored(call: Call, archive: str, made: list[str]) -> MachineConf:
    """Make volumes (noted in `made`) and fill them; return the conf."""
    pid = os.getpid()
    unpacks = {"zst": f"zstd -q -d -c {archive} | ", "gz": f"zcat {archive} | "}.get(
        archive.rpartition(".")[2], ""
    )
    folder = f"/var/tmp/vzdumptmp{pid}"  # noqa: S108  (what the real tool says)
    command = f"{unpacks}vma extract -v -r {folder}.fifo {'-' if unpacks else archive} {folder}"
    print(f"restore vma archive: {command}", flush=True)
    text = backup_archive.read(model.path(archive), backup_machine.CONF)
    rows = backup_archive.read(model.path(archive), backup_machine.SIZES) or ""
    sizes = dict(line.split() for line in rows.splitlines())
    if text is None or not sizes:
        raise backup_archive.FailedError(f"command 'set -o pipefail && {command}' failed: exit code 1")
    if "\ntemplate: 1\n" in text:
        model.not_simulated("qmrestore", ["of a template"])
    print(f"CFG: size: {len(text)} name: {backup_machine.CONF}")
    for number, (key, size) in enumerate(sizes.items(), 1):
        print(f"DEV: dev_id={number} size: {size} devname: drive-{key}")
    volumes = {}
    for line in text.splitlines():
        found = _DISK.fullmatch(line)
        if found and (found[1] in sizes or qm_drives.is_cloudinit(qm_drives.read(*found.groups()))):
            volumes[found[1]] = _volume(call, found[1], qm_drives.read(*found.groups()), sizes)
            made.append(volumes[found[1]])
    for key, volid in volumes.items():
        if key in sizes:
            print(f"map 'drive-{key}' to '{guest_volumes.image(volid)}' (write zeros = 0)", flush=True)
    _fill(model.path(archive), {key: volid for key, volid in volumes.items() if key in sizes})
    print(f"total bytes read {sum(map(int, sizes.values()))}, sparse bytes 0 (0%)")
    return qm_conf.parse(call.vmid, "".join(f"{line}\n" for line in _lines(call, text, volumes)))


def _volume(call: Call, key: str, drive: qm_drives.Drive, sizes: dict[str, str]) -> str:
    storage = call.values.get("storage") or guest_volumes.split(drive["file"])[0]
    cloud = key not in sizes
    own = f"vm-{call.vmid}-cloudinit" if cloud else ""
    volid = qm_drives.allocate(storage, call.vmid, (4 << 20) if cloud else int(sizes[key]), own=own)
    print(f"new volume ID is '{volid}'", flush=True)
    return volid


def _fill(archive: str, volumes: dict[str, str]) -> None:
    """Unpack each disk's files to its place. Raises FailedError when the archive ends before them."""
    import guest_archive

    folders = {key: model.path(qm_drives.content(volid)) for key, volid in volumes.items()}
    try:
        with guest_archive.opened(archive) as opened:
            if hasattr(tarfile, "tar_filter"):
                opened.extraction_filter = staticmethod(tarfile.tar_filter)
            for key, folder in folders.items():
                members = []
                for member in opened.getmembers():
                    name = member.name.removeprefix("./")
                    if name == key or name.startswith(f"{key}/"):
                        member.name = f"./{name[len(key) + 1 :]}"
                        if member.islnk():
                            member.linkname = member.linkname.removeprefix("./").removeprefix(f"{key}/")
                        members.append(member)
                if members:
                    os.makedirs(folder, exist_ok=True)
                    opened.extractall(folder, members=members, numeric_owner=True)  # noqa: S202  (our own)
                    qm_drives.renew_owners(folder)
    except (tarfile.TarError, EOFError) as error:
        raise backup_archive.FailedError(str(error)) from None


def _lines(call: Call, text: str, volumes: dict[str, str]) -> list[str]:
    """Return the conf's lines as they are for the new machine (restore_update_config_line)."""
    found = []
    for line in text.splitlines():
        if NOT_RESTORED.match(line):
            continue
        key, _, value = line.partition(": ")
        if re.fullmatch(r"net\d+", key) and call.on("unique"):
            net = qm_formats.parse(key, value) | {"macaddr": guest_nets.new_address()}
            found.append(f"{key}: {qm_formats.spell(key, net)}")
        elif _DISK.fullmatch(line) and key in volumes:
            drive = qm_drives.read(key, value) | {"file": volumes[key]}
            found.append(f"{key}: {qm_drives.written(key, drive)}")
        elif _DISK.fullmatch(line) and qm_drives.read(key, value).get("backup", "1") != "1":
            found.append(f"#{line}")
        elif key == "vmgenid" or (key == "smbios1" and call.on("unique")):
            found.append(f"{key}: {qm_create.identity()[key]}")
        else:
            found.append(line)
    return found


def _rules(vmid: str, archive: str) -> None:
    """Put back the firewall rules that were saved with it."""
    rules = backup_archive.read(model.path(archive), backup_machine.RULES)
    if rules is not None:
        with open(model.path(f"/etc/pve/firewall/{vmid}.fw"), "w", encoding="utf-8") as file:
            file.write(rules)
