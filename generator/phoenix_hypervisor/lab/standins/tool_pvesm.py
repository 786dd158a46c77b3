"""pvesm: Proxmox' storages."""

import sys

import model
import storage_rules
from storage_rules import Refused

ARGUMENTS = {
    "add": ("type", "storage"), "set": ("storage",), "remove": ("storage",), "status": (),
    "list": ("storage",),
    "path": ("volume",), "alloc": ("storage", "vmid", "filename", "size"), "free": ("volume",), "apiinfo": (),
    "scan zfs": (), "scan lvm": (),
}  # fmt: skip
LOOKING = {
    "status": {"content", "enabled", "storage", "target"},
    "list": {"content", "vmid"},
    "alloc": {"format"},
}
USAGE = """USAGE: pvesm <COMMAND> [ARGS] [OPTIONS]

       pvesm scan cifs <server> [OPTIONS]
       pvesm scan glusterfs <server>
       pvesm scan iscsi <portal>
       pvesm scan lvm\x20
       pvesm scan lvmthin <vg>
       pvesm scan nfs <server>
       pvesm scan pbs <server> <username> --password <string> [OPTIONS] [FORMAT_OPTIONS]
       pvesm scan zfs\x20

       pvesm add <type> <storage> [OPTIONS]
       pvesm remove <storage>
       pvesm set <storage> [OPTIONS]

       pvesm alloc <storage> <vmid> <filename> <size> [OPTIONS]
       pvesm free <volume> [OPTIONS]
       pvesm list <storage> [OPTIONS]

       pvesm status  [OPTIONS]

       pvesm apiinfo\x20
       pvesm export <volume> <format> <filename> [OPTIONS]
       pvesm extractconfig <volume>
       pvesm import <volume> <format> <filename> [OPTIONS]
       pvesm path <volume>
       pvesm prune-backups <storage> [OPTIONS]

       pvesm help [<extra-args>] [OPTIONS]"""
UNSIMULATED = (
    "scan cifs", "scan glusterfs", "scan iscsi", "scan lvmthin", "scan nfs", "scan pbs", "export",
    "extractconfig",
    "import", "prune-backups", "help", "zfsscan", "lvmscan", "nfsscan", "cifsscan", "iscsiscan",
    "glusterfsscan",
    "lvmthinscan",
)  # fmt: skip


def main(argv: list[str]) -> int:
    if not argv:
        return say(f"ERROR: no command specified\n{USAGE}")
    count = 2 if argv[0] == "scan" and len(argv) > 1 else 1
    command, rest = " ".join(argv[:count]), argv[count:]
    if command in UNSIMULATED:
        model.not_simulated("pvesm", argv)
    if command not in ARGUMENTS:
        return say(f"ERROR: unknown command 'pvesm {command}'\n{USAGE}")
    try:
        values = _parse(command, rest)
        _verify(command, values)
        import storage_verbs

        return storage_verbs.run(command, values)
    except Refused as refused:
        return say(str(refused))


def say(text: str) -> int:
    print(text, file=sys.stderr)
    return 255


def usage(command: str) -> str:
    places = " ".join(f"<{name}>" for name in ARGUMENTS[command])
    options = " [OPTIONS]" if command in ("add", "set", "status", "list", "alloc", "free") else ""
    return f"pvesm {command} {places}{options}"


def _parse(command: str, words: list[str]) -> dict[str, str]:
    """Return arguments and options by name; taken are `--name value`, `--name=value` and `-name value`."""
    known = LOOKING.get(command, set()) | ({"storage"} if command == "free" else set())
    known |= storage_rules.every(command == "set") if command in ("add", "set") else set()
    values: dict[str, str] = {}
    places: list[str] = []
    unknown = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            places.append(word)
            continue
        name, equals, value = word.lstrip("-").partition("=")
        if name not in known:
            unknown.append(f"Unknown option: {name}")
        elif equals:
            values[name] = value
        elif rest and (not rest[0].startswith("-") or name not in storage_rules.BOOLEANS):
            values[name] = rest.pop(0)
        else:
            values[name] = "1"
    if unknown:
        raise Refused("\n".join([*unknown, "400 unable to parse option", usage(command)]))
    wanted = ARGUMENTS[command]
    if len(places) != len(wanted):
        amount = "not enough" if len(places) < len(wanted) else "too many"
        raise Refused(f"400 {amount} arguments\n{usage(command)}")
    return dict(zip(wanted, places, strict=True)) | values


def _verify(command: str, values: dict[str, str]) -> None:
    """Check the values against the command's schema; all faults come at once."""
    faults = []
    for name, value in values.items():
        problem = None
        if name == "type":
            if value not in storage_rules.TYPES:
                known = ", ".join(storage_rules.TYPES)
                problem = f"value '{value}' does not have a value in the enumeration '{known}'"
        elif name == "storage" and not storage_rules.storage_id(value):
            problem = f"invalid format - storage ID '{value}' contains illegal characters"
        elif name == "volume" and command == "path" and ":" not in value:
            problem = f"invalid format - unable to parse volume ID '{value}'"
        elif name == "vmid" and not (value.isdigit() and int(value) >= 100):
            problem = f"invalid format - value '{value}' does not look like a valid VM ID"
        elif name == "size" and not value.rstrip("MG").isdigit():
            problem = "value does not match the regex pattern"
        elif name not in ("storage", "volume", "vmid", "size"):
            problem = storage_rules.fault(name, value)
        faults += [f"{name}: {problem}\n"] if problem else []
    if faults:
        raise Refused("400 Parameter verification failed.\n" + "".join(faults) + "\n" + usage(command))
