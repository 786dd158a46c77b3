"""Options of vzdump and of its jobs: which there are, and what Proxmox says of wrong values."""

import re
import sys

from storage_rules import NO, YES

BOOLEANS = (
    "all",
    "enabled",
    "protected",
    "quiet",
    "remove",
    "repeat-missed",
    "stdexcludes",
    "stdout",
    "stop",
)
ENUMS = {
    "compress": ("0", "1", "gzip", "lzo", "zstd"),
    "mailnotification": ("always", "failure"),
    "mode": ("snapshot", "suspend", "stop"),
    "notification-mode": ("auto", "legacy-sendmail", "notification-system"),
    "notification-policy": ("always", "failure", "never"),
    "pbs-change-detection-mode": ("legacy", "data", "metadata"),
}
NUMBERS = ("bwlimit", "ionice", "lockwait", "maxfiles", "pigz", "stopwait", "zstd")
TEXTS = (
    "dumpdir", "exclude", "exclude-path", "fleecing", "mailto", "node", "notes-template",
    "notification-target", "performance", "pool", "prune-backups", "script", "storage", "tmpdir", "vmid",
)  # fmt: skip
FOR_VZDUMP = frozenset((*BOOLEANS, *ENUMS, *NUMBERS, *TEXTS, "job-id")) - {"enabled", "repeat-missed"}
FOR_JOBS = frozenset((*BOOLEANS, *ENUMS, *NUMBERS, *TEXTS, "comment", "schedule")) - {"stdout"}
KEEPS = ("last", "hourly", "daily", "weekly", "monthly", "yearly")
LONGEST = {"comment": 512, "notes-template": 1024, "schedule": 128}
_VALUE = r"(\*|\d{1,4}(\.\.\d{1,4})?)(/\d{1,4})?"
_LIST = rf"{_VALUE}(,{_VALUE})*"
_DAY = r"(mon|tue|wed|thu|fri|sat|sun)[a-z]*"
_WHEN = re.compile(
    rf"({_DAY}((\.\.|,){_DAY})*)?\s*(({_LIST}-)?{_LIST}-{_LIST})?\s*({_LIST}(:{_LIST}){{0,2}})?"
)
_NAMED = re.compile("minutely|hourly|daily|weekly|monthly|quarterly|semi-?annually|yearly|annually")


class Refused(Exception):  # noqa: N818
    """All of what the tool says, and its exit status."""

    def __init__(self, text: str, status: int = 255) -> None:
        super().__init__(text)
        self.status = status


def parse(argv: list[str], known: frozenset[str], usage: str) -> tuple[list[str], dict[str, str]]:
    """Return the words and the options of a command line."""
    words, values, wrong, rest = [], {}, "", list(argv)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            words.append(word)
            continue
        name, equals, value = word.lstrip("-").partition("=")
        if name not in known:
            wrong += f"Unknown option: {name}\n"
        elif not equals and not rest and name not in BOOLEANS:
            wrong += f"Option {name} requires an argument\n"
        elif not equals:
            value = rest.pop(0) if rest and not (name in BOOLEANS and rest[0].startswith("-")) else "1"
        values[name] = value
    if wrong:
        raise Refused(f"{wrong}400 unable to parse option\n{usage}\n")
    return words, {name: _switch(name, value) for name, value in values.items()}


def _switch(name: str, value: str) -> str:
    if name in BOOLEANS and value.lower() in (*YES, *NO):
        return "1" if value.lower() in YES else "0"
    return value


def check(values: dict[str, str], usage: str, status: int = 255) -> None:
    """Refuse values that the schema does not take, all at once."""
    refuse({name: fault for name, value in values.items() if (fault := _fault(name, value))}, usage, status)


def refuse(faults: dict[str, str], usage: str, status: int = 255) -> None:
    lines = "".join(f"{name}: {fault}\n" for name, fault in sorted(faults.items()))
    if faults:
        raise Refused(f"400 Parameter verification failed.\n{lines}{usage}\n", status)


def _fault(name: str, value: str) -> str:
    if name in ENUMS and value not in ENUMS[name]:
        return f"value '{value}' does not have a value in the enumeration '{', '.join(ENUMS[name])}'"
    if name in BOOLEANS and value not in ("0", "1"):
        return f"type check ('boolean') failed - got '{value}'"
    if name in NUMBERS and not value.isdigit():
        return f"type check ('integer') failed - got '{value}'"
    if len(value) > LONGEST.get(name, len(value)):
        return f"value may only be {LONGEST[name]} characters long"
    if name in ("vmid", "exclude"):
        wrong = next((word for word in words(value) if not re.fullmatch(r"[1-9]\d{2,8}", word)), "")
        return f"invalid format - value '{wrong}' does not look like a valid VM ID" if wrong else ""
    if name == "schedule" and not (_NAMED.fullmatch(value) or (value and _WHEN.fullmatch(value.lower()))):
        return f"invalid format - invalid calendar event '{value}' - unable to parse calendar event"
    if name == "prune-backups":
        wrong = next((part for part in words(value) if not _is_keep(part)), "")
        return f"invalid format - format error\n{wrong}: property is not defined in schema" if wrong else ""
    return ""


def _is_keep(part: str) -> bool:
    name, _, count = part.partition("=")
    return (name == "keep-all" and count in ("0", "1")) or (
        name.removeprefix("keep-") in KEEPS and name.startswith("keep-") and count.isdigit()
    )


def conflicts(values: dict[str, str], usage: str) -> None:
    """Refuse what excludes each other; a selection of guests there must be."""
    chosen = [name for name in ("vmid", "all", "pool") if values.get(name, "0") != "0"]
    if len(chosen) > 1:
        refuse({chosen[1]: f"option conflicts with option '{chosen[0]}'"}, usage)
    if "exclude" in values and "vmid" in values:
        refuse({"exclude": "option conflicts with option 'vmid'"}, usage)
    if not chosen and "exclude" not in values:
        refuse({"vmid": "property is missing"}, usage)


def words(value: str) -> list[str]:
    return [word for word in re.split(r"[,;\s]+", value) if word]


def say(text: str) -> None:
    print(text.removesuffix("\n"), file=sys.stderr)
