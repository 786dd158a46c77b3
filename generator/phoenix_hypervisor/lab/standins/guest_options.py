"""Command lines of pct and qm: which options a verb takes, their check, and what is said of wrong ones."""

from guest_conf import Refused
from guest_formats import BOOL, Rule, fault, rule_of
from hints import Callable
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


class Tool:
    """What is to know of a tool: its usage lines, its options by verb, the settings that some verbs take."""

    def __init__(
        self,
        name: str,
        lines: str,
        options: dict[str, dict[str, Rule]],
        setters: tuple[str, ...],
        rule: Callable[[str], Rule | None],
        fault: Callable[[Rule, str, str], str],
    ) -> None:
        self.name, self.lines, self.options = name, lines, options
        self.setters, self.setting, self.fault = setters, rule, fault

    def rule(self, verb: str, name: str) -> Rule | None:
        """Return the rule for an option or argument of a verb."""
        if name in self.options.get(verb, {}):
            return self.options[verb][name]
        return self.setting(name) if verb in self.setters else None

    def line(self, verb: str) -> str:
        """Return the usage line of a verb; empty if there is no such verb."""
        return next((line for line in self.lines.split("\n") if f"{line} ".startswith(f"{verb} ")), "")


PCT = Tool("pct", LINES, OPTIONS, ("create", "set", "restore"), rule_of, fault)


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


def usage(verb: str, tool: Tool = PCT) -> str:
    return f"{tool.name} {tool.line(verb)}"


def refuse(
    verb: str, faults: dict[str, str], code: str = "400 Parameter verification failed.", tool: Tool = PCT
) -> Refused:
    """Return what the tool says when parameters are wrong; all of them at once."""
    lines = "".join(f"{name}: {text}\n" for name, text in sorted(faults.items()))
    return Refused(f"{code}\n{lines}{usage(verb, tool)}\n")


def parse(argv: list[str], tool: Tool = PCT) -> Call:
    """Read a command line, or refuse it."""
    text = f"USAGE: {tool.name} <COMMAND> [ARGS] [OPTIONS]\n\n" + "\n".join(
        f"       {tool.name} {line}" if line else "" for line in tool.lines.split("\n")
    )
    if not argv:
        raise Refused(f"ERROR: no command specified\n{text}")
    verb, rest = _verb(argv, tool)
    if not tool.line(verb):
        raise Refused(f"ERROR: unknown command '{tool.name} {argv[0]}'\n{text}")
    call = Call(verb)
    if verb == "help":
        call.extra = rest
        return call
    take(call, rest, tool)
    return call


def take(call: Call, words: list[str], tool: Tool) -> None:
    """Read what follows the verb into the call, or refuse it."""
    _take(call, _split(call, words, tool), tool)
    _check(call, tool)


OTHER_NAMES = {
    "move_volume": "move-volume", "importdisk": "disk import", "move-disk": "disk move",
    "move_disk": "disk move", "resize": "disk resize", "rescan": "disk rescan", "unlink": "disk unlink",
}  # fmt: skip
"""Names that verbs had before, and still have; of two tools, where the first does not have the verb."""


def _verb(argv: list[str], tool: Tool) -> tuple[str, list[str]]:
    """Return the verb, which may be two words, and what follows it."""
    if len(argv) > 1 and tool.line(" ".join(argv[:2])) and not tool.line(argv[0]).startswith(f"{argv[0]} <"):
        return " ".join(argv[:2]), argv[2:]
    if argv[0] in OTHER_NAMES and not tool.line(argv[0]):
        return OTHER_NAMES[argv[0]], argv[1:]
    return argv[0], argv[1:]


def _split(call: Call, argv: list[str], tool: Tool) -> list[str]:
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
        rule = tool.rule(call.verb, name)
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
        raise Refused("".join(wrong) + f"400 unable to parse option\n{usage(call.verb, tool)}\n")
    return places


def _take(call: Call, places: list[str], tool: Tool) -> None:
    """Give the arguments their names."""
    line = tool.line(call.verb).partition(" --")[0].removeprefix(call.verb).split()
    names = [word.strip("[]<>") for word in line if word.startswith(("<", "[<"))]
    needed = len([word for word in line if word.startswith("<")])
    amount = "not enough" if len(places) < needed else "too many" if len(places) > len(names) else ""
    if "extra-args" in names:
        names, call.extra, places = names[:1], places[1:], places[:1]
        amount = "" if places else "not enough"
    if amount:
        raise Refused(f"400 {amount} arguments\n{usage(call.verb, tool)}\n")
    call.values |= dict(zip(names, places, strict=False))


def _check(call: Call, tool: Tool) -> None:
    faults = {}
    for name, value in call.values.items():
        rule = VMID if name == "vmid" else tool.rule(call.verb, name)
        wrong = tool.fault(rule, value, name) if rule else ""
        if wrong:
            faults[name] = wrong
        elif rule and rule.kind == "boolean":
            call.values[name] = "1" if value.lower() in YES else "0"
    if faults:
        raise refuse(call.verb, faults, tool=tool)
