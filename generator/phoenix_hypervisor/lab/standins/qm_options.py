"""Command lines of qm."""

import qm_formats
from guest_formats import BOOL, Rule
from guest_options import DIGEST, KEYS, NODE, POOL, SECONDS, SNAPSHOT, STORAGE, TEXT, VMID, Tool

LINES = """\
cloudinit dump <vmid> <type>
cloudinit pending <vmid>
cloudinit update <vmid>

disk move <vmid> <disk> [<storage>] [OPTIONS]
disk resize <vmid> <disk> <size> [OPTIONS]
disk unlink <vmid> --idlist <string> [OPTIONS]
disk import <vmid> <source> <storage> [OPTIONS]
disk rescan  [OPTIONS]

guest cmd <vmid> <command>
guest exec-status <vmid> <pid>
guest passwd <vmid> <username> [OPTIONS]
guest exec <vmid> [<extra-args>] [OPTIONS]

clone <vmid> <newid> [OPTIONS]
config <vmid> [OPTIONS]
create <vmid> [OPTIONS]
delsnapshot <vmid> <snapname> [OPTIONS]
destroy <vmid> [OPTIONS]
list  [OPTIONS]
listsnapshot <vmid>
migrate <vmid> <target> [OPTIONS]
pending <vmid>
reboot <vmid> [OPTIONS]
reset <vmid> [OPTIONS]
resume <vmid> [OPTIONS]
rollback <vmid> <snapname> [OPTIONS]
sendkey <vmid> <key> [OPTIONS]
set <vmid> [OPTIONS]
shutdown <vmid> [OPTIONS]
snapshot <vmid> <snapname> [OPTIONS]
start <vmid> [OPTIONS]
stop <vmid> [OPTIONS]
suspend <vmid> [OPTIONS]
template <vmid> [OPTIONS]

cleanup <vmid> <clean-shutdown> <guest-requested>
enroll-efi-keys <vmid>
import <vmid> <source> --storage <string> [OPTIONS]
importovf <vmid> <manifest> <storage> [OPTIONS]
monitor <vmid>
mtunnel\x20
nbdstop <vmid>
remote-migrate <vmid> [<target-vmid>] <target-endpoint> --target-bridge <string> --target-storage <string> [OPTIONS]
showcmd <vmid> [OPTIONS]
status <vmid> [OPTIONS]
terminal <vmid> [OPTIONS]
unlock <vmid>
vncproxy <vmid>
wait <vmid> [OPTIONS]

help [<extra-args>] [OPTIONS]"""  # noqa: E501 - recorded lines
_ON_BUSES = " ".join(
    f"{bus}{number}" for bus in ("ide", "scsi", "virtio", "sata") for number in range(qm_formats.MANY[bus])
)
DISK = Rule(enum=f"{_ON_BUSES} efidisk0 tpmstate0")
ANY_DISK = Rule(enum=f"{_ON_BUSES} efidisk0 tpmstate0 " + " ".join(f"unused{n}" for n in range(256)))
IMAGE = Rule(enum="raw qcow2 vmdk")
RATE = Rule("integer", low=0)
AGENT_COMMANDS = (
    "fsfreeze-freeze fsfreeze-status fsfreeze-thaw fstrim get-fsinfo get-host-name get-memory-block-info "
    "get-memory-blocks get-osinfo get-time get-timezone get-users get-vcpus info network-get-interfaces ping "
    "shutdown suspend-disk suspend-hybrid suspend-ram"
)
_SIZE = Rule(pattern=r"\+?\d+(\.\d+)?[KMGT]?")
OPTIONS: dict[str, dict[str, Rule]] = {
    "cloudinit dump": {"type": Rule(enum="user network meta")},
    "clone": {"newid": VMID, "bwlimit": RATE, "description": TEXT, "format": IMAGE, "full": BOOL,
              "name": Rule(form="dns-name"), "pool": POOL, "snapname": SNAPSHOT, "storage": STORAGE,
              "target": NODE},
    "config": {"current": BOOL, "snapshot": SNAPSHOT},
    "create": {"archive": Rule(longest=255), "bwlimit": RATE, "force": BOOL,
               "import-working-storage": STORAGE,
               "live-restore": BOOL, "pool": POOL, "start": BOOL, "storage": STORAGE, "unique": BOOL},
    "delsnapshot": {"snapname": SNAPSHOT, "force": BOOL},
    "destroy": {"destroy-unreferenced-disks": BOOL, "purge": BOOL, "skiplock": BOOL},
    "disk import": {"source": TEXT, "storage": STORAGE, "format": IMAGE, "target-disk": ANY_DISK},
    "disk move": {"disk": ANY_DISK, "storage": STORAGE, "bwlimit": RATE, "delete": BOOL, "digest": DIGEST,
                  "format": IMAGE, "target-digest": DIGEST, "target-disk": ANY_DISK, "target-vmid": VMID},
    "disk rescan": {"dryrun": BOOL, "vmid": VMID},
    "disk resize": {"disk": DISK, "size": _SIZE, "digest": DIGEST, "skiplock": BOOL},
    "disk unlink": {"force": BOOL, "idlist": KEYS},
    "guest cmd": {"command": Rule(enum=AGENT_COMMANDS)},
    "guest exec": {"pass-stdin": BOOL, "synchronous": BOOL, "timeout": SECONDS},
    "guest exec-status": {"pid": Rule("integer")},
    "guest passwd": {"username": TEXT, "crypted": BOOL, "password": Rule(longest=1024, shortest=5)},
    "list": {"full": BOOL},
    "reboot": {"timeout": SECONDS},
    "reset": {"skiplock": BOOL},
    "resume": {"nocheck": BOOL, "skiplock": BOOL},
    "rollback": {"snapname": SNAPSHOT, "start": BOOL},
    "set": {"delete": KEYS, "digest": DIGEST, "force": BOOL, "revert": KEYS, "skiplock": BOOL},
    "shutdown": {"forceStop": BOOL, "keepActive": BOOL, "skiplock": BOOL, "timeout": SECONDS},
    "snapshot": {"snapname": SNAPSHOT, "vmstate": BOOL, "description": TEXT},
    "start": {"skiplock": BOOL, "timeout": SECONDS},
    "status": {"verbose": BOOL},
    "stop": {"keepActive": BOOL, "overrule-shutdown": BOOL, "skiplock": BOOL, "timeout": SECONDS},
    "suspend": {"skiplock": BOOL, "statestorage": STORAGE, "todisk": BOOL},
    "template": {"disk": DISK},
    "wait": {"timeout": Rule("integer", low=1)},
}  # fmt: skip
"""Verb → its options and arguments, but for `vmid`; `create` and `set` take a machine's settings too."""

QM = Tool("qm", LINES, OPTIONS, ("create", "set"), qm_formats.rule_of, qm_formats.fault)
