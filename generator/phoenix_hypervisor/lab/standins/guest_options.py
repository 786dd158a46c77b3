"""Command lines of pct: which options a verb takes, their check, and Proxmox' words when it refuses."""

from guest_conf import Refused
from guest_formats import BOOL, Rule, fault, rule_of
from storage_rules import YES

LINES = """\
clone <vmid> <newid> [OPTIONS]
create <vmid> <ostemplate> [OPTIONS]
destroy <vmid> [OPTIONS]
list\x20
migrate <vmid> <target> [OPTIONS]
move-volume <vmid> <volume> [<storage>] [<target-vmid>] [<target-volume>] [OPTIONS]
pending <vmid>
resize <vmid> <disk> <size> [OPTIONS]
restore <vmid> <ostemplate> [OPTIONS]
template <vmid>

config <vmid> [OPTIONS]
set <vmid> [OPTIONS]

delsnapshot <vmid> <snapname> [OPTIONS]
listsnapshot <vmid>
rollback <vmid> <snapname> [OPTIONS]
snapshot <vmid> <snapname> [OPTIONS]

reboot <vmid> [OPTIONS]
resume <vmid>
shutdown <vmid> [OPTIONS]
start <vmid> [OPTIONS]
stop <vmid> [OPTIONS]
suspend <vmid>

console <vmid> [OPTIONS]
cpusets\x20
df <vmid>
enter <vmid> [OPTIONS]
exec <vmid> [<extra-args>] [OPTIONS]
fsck <vmid> [OPTIONS]
fstrim <vmid> [OPTIONS]
mount <vmid>
pull <vmid> <path> <destination> [OPTIONS]
push <vmid> <file> <destination> [OPTIONS]
remote-migrate <vmid> [<target-vmid>] <target-endpoint> --target-bridge <string> --target-storage <string> [OPTIONS]
rescan  [OPTIONS]
status <vmid> [OPTIONS]
unlock <vmid>
unmount <vmid>

help [<extra-args>] [OPTIONS]"""  # noqa: E501 - recorded lines
TEXT, NUMBER = Rule(), Rule("number", low=0)
VMID = Rule("integer", form="pve-vmid", low=100, high=999999999)
DIGEST, SNAPSHOT, SECONDS = Rule(longest=40), Rule(form="pve-configid", longest=40), Rule("integer", low=0)
STORAGE, POOL, NODE = Rule(form="pve-storage-id"), Rule(form="pve-poolid"), Rule(form="pve-node")
_MOUNTS = "rootfs " + " ".join(f"mp{number}" for number in range(256))
MOUNT = Rule(enum=_MOUNTS)
VOLUME = Rule(enum=_MOUNTS + " " + " ".join(f"unused{number}" for number in range(256)))
KEYS = Rule(form="pve-configid-list")
_OWNERS = {"group": TEXT, "perms": TEXT, "user": TEXT}
_NEW = {
    "ostemplate": Rule(longest=255), "bwlimit": NUMBER, "force": BOOL, "ignore-unpack-errors": BOOL,
    "password": Rule(shortest=5), "pool": POOL, "restore": BOOL, "ssh-public-keys": TEXT, "start": BOOL,
    "storage": STORAGE, "unique": BOOL,
}  # fmt: skip
OPTIONS: dict[str, dict[str, Rule]] = {
    "clone": {"newid": VMID, "bwlimit": NUMBER, "description": TEXT, "full": BOOL, "pool": POOL,
              "hostname": Rule(form="dns-name"), "snapname": SNAPSHOT, "storage": STORAGE, "target": NODE},
    "config": {"current": BOOL, "snapshot": SNAPSHOT},
    "console": {"escape": Rule(pattern=r"\^?[a-z]")},
    "create": _NEW, "restore": _NEW,
    "delsnapshot": {"snapname": SNAPSHOT, "force": BOOL},
    "destroy": {"destroy-unreferenced-disks": BOOL, "force": BOOL, "purge": BOOL},
    "enter": {"keep-env": BOOL}, "exec": {"keep-env": BOOL},
    "fsck": {"device": MOUNT, "force": BOOL}, "fstrim": {"ignore-mountpoints": BOOL},
    "migrate": {"target": NODE, "bwlimit": NUMBER, "online": BOOL, "restart": BOOL, "target-storage": TEXT,
                "timeout": SECONDS},
    "move-volume": {"volume": VOLUME, "storage": STORAGE, "target-vmid": VMID, "target-volume": VOLUME,
                    "bwlimit": NUMBER, "delete": BOOL, "digest": DIGEST, "target-digest": DIGEST},
    "pull": {"path": TEXT, "destination": TEXT, **_OWNERS},
    "push": {"file": TEXT, "destination": TEXT, **_OWNERS},
    "reboot": {"timeout": SECONDS},
    "rescan": {"dryrun": BOOL, "vmid": VMID},
    "resize": {"disk": MOUNT, "size": Rule(pattern=r"\+?\d+(\.\d+)?[KMGT]?"), "digest": DIGEST},
    "rollback": {"snapname": SNAPSHOT, "start": BOOL},
    "set": {"delete": KEYS, "digest": DIGEST, "revert": KEYS},
    "shutdown": {"forceStop": BOOL, "timeout": SECONDS},
    "snapshot": {"snapname": SNAPSHOT, "description": TEXT},
    "start": {"debug": BOOL, "skiplock": BOOL}, "status": {"verbose": BOOL},
    "stop": {"overrule-shutdown": BOOL, "skiplock": BOOL},
}  # fmt: skip
"""Verb → its options and arguments, but for `vmid`; `create` and `set` take a guest's settings too."""
LISTS = ("delete", "revert", "nameserver", "searchdomain", "tags")


class Call:
    """A checked command line: the verb, arguments and options by name, and words for somebody else."""

    def __init__(self, verb: str) -> None:
        self.verb = verb
        self.values: dict[str, str] = {}
        self.extra: list[str] = []

    @property
    def vmid(self) -> str:
        return self.values["vmid"]

    def on(self, name: str) -> bool:
        """Whether a yes-or-no option is given and yes."""
        return self.values.get(name) == "1"


def usage(verb: str) -> str:
    return "pct " + next(line for line in LINES.splitlines() if line.split(" ")[0] == verb)


def refuse(verb: str, faults: dict[str, str], code: str = "400 Parameter verification failed.") -> Refused:
    """Return what pct says when parameters are wrong; all of them at once."""
    lines = "".join(f"{name}: {text}\n" for name, text in sorted(faults.items()))
    return Refused(f"{code}\n{lines}{usage(verb)}\n")


def parse(argv: list[str]) -> Call:
    """Read a command line, or refuse it."""
    text = "USAGE: pct <COMMAND> [ARGS] [OPTIONS]\n\n" + "\n".join(
        f"       pct {line}" if line else "" for line in LINES.split("\n")
    )
    if not argv:
        raise Refused(f"ERROR: no command specified\n{text}")
    verb = "move-volume" if argv[0] == "move_volume" else argv[0]
    if not any(line.split(" ")[0] == verb for line in LINES.splitlines() if line):
        raise Refused(f"ERROR: unknown command 'pct {argv[0]}'\n{text}")
    call = Call(verb)
    if verb == "help":
        call.extra = argv[1:]
        return call
    _take(call, _split(call, argv[1:]))
    _check(call)
    return call


def _rule(verb: str, name: str) -> Rule | None:
    if name in OPTIONS.get(verb, {}):
        return OPTIONS[verb][name]
    return rule_of(name) if verb in ("create", "set", "restore") else None


def _split(call: Call, argv: list[str]) -> list[str]:
    """Take the options out of a command line and return the rest."""
    wrong, places, rest = [], [], list(argv)
    while rest:
        word = rest.pop(0)
        if word == "--":
            places += rest
            break
        if not word.startswith("-") or word == "-":
            places.append(word)
            continue
        name, equals, value = word[2 if word.startswith("--") else 1 :].partition("=")
        rule = _rule(call.verb, name)
        if rule is None:
            wrong.append(f"Unknown option: {name}\n")
            continue
        boolean = rule.kind == "boolean"
        if not equals and not rest and not boolean:
            wrong.append(f"Option {name} requires an argument\n")
            continue
        if not equals:
            value = rest.pop(0) if rest and not (boolean and rest[0].startswith("-")) else ""
        if boolean and value == "":
            value = "1"
        if name in LISTS and name in call.values:
            value = f"{call.values[name]},{value}"
        call.values[name] = value
    if wrong:
        raise Refused("".join(wrong) + f"400 unable to parse option\n{usage(call.verb)}\n")
    return places


def _take(call: Call, places: list[str]) -> None:
    """Give the arguments their names."""
    line = usage(call.verb).partition(" --")[0].split(" ")[2:]
    names = [word.strip("[]<>") for word in line if word.startswith(("<", "[<"))]
    needed = len([word for word in line if word.startswith("<")])
    amount = "not enough" if len(places) < needed else "too many" if len(places) > len(names) else ""
    if "extra-args" in names:
        names, call.extra, places = names[:1], places[1:], places[:1]
        amount = "" if places else "not enough"
    if amount:
        raise Refused(f"400 {amount} arguments\n{usage(call.verb)}\n")
    call.values |= dict(zip(names, places, strict=False))


def _check(call: Call) -> None:
    faults = {}
    for name, value in call.values.items():
        rule = VMID if name == "vmid" else _rule(call.verb, name)
        wrong = fault(rule, value, name) if rule else ""
        if wrong:
            faults[name] = wrong
        elif rule and rule.kind == "boolean":
            call.values[name] = "1" if value.lower() in YES else "0"
    if faults:
        raise refuse(call.verb, faults)
