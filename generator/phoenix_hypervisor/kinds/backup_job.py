"""Scheduled backups of guests."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from ..dialects import calendar_event
from ..resource import Artifact, Change, Kind, Offer, Samples, Step, Want, made, run, script

SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DISK = re.compile(r"(ide|sata|scsi|virtio)[0-9]+|efidisk0|tpmstate0")
SELECTIONS = ("vmid", "all", "exclude", "pool")
"""Options that say which guests a job is about."""


def _calendar_event(text: str) -> str:
    calendar_event.parse(text)
    return " ".join(text.split())


def _one_line(text: str) -> str:
    if "\n" in text or text != text.strip() or not text:
        raise ValueError("must be one line, without blanks around it")
    return text


def _not_escaped(text: str) -> str:
    # Proxmox decodes %XX when it reads the file, and does not encode `%` when it writes it
    if "%" in text:
        raise ValueError("must not hold `%`, which Proxmox would read as the beginning of a code")
    return text


def _left(text: str) -> str:
    if not text.startswith("/") and not _DISK.fullmatch(text):
        raise ValueError("must be a container's path, or a machine's disk: `/data`, `scsi1`")
    return text


GuestName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
Schedule = Annotated[str, Field(max_length=128), AfterValidator(_calendar_event)]
Count = Annotated[int, Field(ge=1)] | None
Line = Annotated[str, AfterValidator(_one_line)]


class Retention(BaseModel):
    """How many backups of a guest stay: the last ones, and one for each of that many hours, days …"""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    keep_all: Literal[True] | None = None
    keep_last: Count = None
    keep_hourly: Count = None
    keep_daily: Count = None
    keep_weekly: Count = None
    keep_monthly: Count = None
    keep_yearly: Count = None

    @model_validator(mode="after")
    def _all_or_some(self) -> "Retention":
        said = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if not said:
            raise ValueError("says nothing: `keep_last: 3`, or `keep_all: true`")
        if self.keep_all and len(said) > 1:
            raise ValueError("`keep_all` keeps everything: nothing else can be said beside it")
        return self

    @property
    def words(self) -> str:
        """As Proxmox has it: `keep-daily=7,keep-last=3`."""
        found = {name.replace("_", "-"): getattr(self, name) for name in type(self).model_fields}
        return ",".join(f"{name}={int(found[name])}" for name in sorted(found) if found[name] is not None)


class Mail(BaseModel):
    """Who is written to, and when."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    to: Annotated[frozenset[Annotated[str, Field(pattern=r"^[^\s,;]+$")]], Field(min_length=1)]
    when: Literal["always", "failure"] = "always"


class BackupJob(Kind):
    """A job of vzdump in /etc/pve/jobs.cfg, made and changed with `pvesh`: which guests, when, where to.

    `guests` are named; `guests: all` takes all there are but those of `exclude`. What is not declared of
    `retention`, `mail`, `notes`, `comment`, `node` and `repeat_missed` is left alone, and so are further
    settings of the job and other jobs. `verify` says when a guest's last backup failed or is too old:
    older than `max_age`, or, without it, than the schedule's last turn but for six hours that it may take.
    No apply makes a backup. `left_out` are paths, and disks of machines, that are knowingly in no backup:
    nothing is told of them. Backups that were made are never touched. In a cluster, declare it on one node.
    """

    manners = frozenset({"max_age", "left_out"})

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]+$", max_length=50)]
    schedule: Schedule
    storage: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9]$")]
    guests: Literal["all"] | Annotated[frozenset[GuestName], Field(min_length=1)]
    exclude: frozenset[GuestName] = frozenset()
    mode: Literal["snapshot", "suspend", "stop"] = "snapshot"
    compress: Literal["zstd", "gzip", "lzo", "0"] = "zstd"
    enabled: bool = True
    retention: Retention | None = None
    notes: Annotated[Line, Field(max_length=1024)] | None = None
    comment: Annotated[Line, Field(max_length=512), AfterValidator(_not_escaped)] | None = None
    mail: Mail | None = None
    node: Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$")] | None = None
    repeat_missed: bool | None = None
    max_age: Annotated[str, Field(pattern=r"^[1-9][0-9]*[mhdw]$")] | None = None
    left_out: dict[GuestName, tuple[Annotated[str, AfterValidator(_left)], ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _which_guests(self) -> "BackupJob":
        if self.exclude and not self.all:
            raise ValueError("`exclude` goes with `guests: all`: those that are named are all there are")
        return self

    @property
    def all(self) -> bool:
        """Whether it takes all guests there are, but for those it excludes."""
        return self.guests == "all"

    @property
    def options(self) -> dict[str, str]:
        """What is declared, in the spelling of jobs.cfg; empty for what should not be there."""
        found = {
            "schedule": self.schedule,
            "storage": self.storage,
            "mode": self.mode,
            "compress": self.compress,
            "enabled": str(int(self.enabled)),
            "vmid": self._vmids(self._named),
            "all": "1" if self.all else "",
            "exclude": self._vmids(self.exclude),
            "pool": "",
        }
        if self.retention is not None:
            found["prune-backups"] = self.retention.words
        if self.notes is not None:
            found["notes-template"] = self.notes
        if self.mail is not None:
            found |= {"mailto": ",".join(sorted(self.mail.to)), "mailnotification": self.mail.when}
        if self.repeat_missed is not None:
            found["repeat-missed"] = "1" if self.repeat_missed else ""
        return found | {n: v for n, v in (("comment", self.comment), ("node", self.node)) if v is not None}

    @property
    def _named(self) -> frozenset[str]:
        return frozenset() if isinstance(self.guests, str) else self.guests

    @property
    def names(self) -> Mapping[str, str]:
        """The guests that are named, by VMID."""
        return {given.value.vmid: given.key for given in self.given("guest")}

    @property
    def most_seconds(self) -> int | None:
        """How old a guest's last backup may be, as far as that is declared."""
        return int(self.max_age[:-1]) * SECONDS[self.max_age[-1]] if self.max_age else None

    @property
    def path(self) -> str:
        """The job's path in Proxmox's API."""
        return f"/cluster/backup/{self.name}"

    @property
    def create_argv(self) -> tuple[str, ...]:
        """The command that makes the job."""
        given = [(name, value) for name, value in self.options.items() if value]
        words = [word for name, value in given for word in (f"--{name}", value)]
        return ("pvesh", "create", "/cluster/backup", "--id", self.name, *words)

    @property
    def note(self) -> str:
        """The path of our note that we made it."""
        return made(self.kind, self.name)

    def _vmids(self, guests: Iterable[str]) -> str:
        known = {given.key: given.value.vmid for given in self.given("guest")}
        return ",".join(sorted(known[name] for name in guests if name in known))

    def provides(self) -> Iterable[Offer]:
        yield Offer("backup_job", self.name)

    def consumes(self) -> Iterable[Want]:
        # whether it takes backups is the rules' matter; Proxmox's own need not be declared
        yield Want("storage", self.storage, "storage", "", exact=True, required=False)
        for field, names in (("guests", self._named), ("exclude", self.exclude)):
            for name in sorted(names):
                missing = f"there is no guest `{name}` on this node"
                yield Want("guest", name, field, missing, "V-27", exact=True)

    def artifacts(self) -> Iterable[Artifact]:
        yield script(self.kind, f"add-{self.name}", "add.sh.j2")

    def converge(self, change: Change) -> Iterator[Step]:
        if change.removes:
            yield from self.remove(self.name)
        elif change.creates:
            import shlex

            yield Step(shlex.join(self.create_argv), execute=next(iter(self.artifacts())))
        else:
            yield from self._set({name: value for name, value in self.options.items() if name in change})

    def _set(self, changed: Mapping[str, str]) -> Iterator[Step]:
        # a switch is said to be off; what else should not be there is deleted
        given = {name: value or "0" for name, value in changed.items() if value or name == "repeat-missed"}
        words = [word for name, value in given.items() for word in (f"--{name}", value)]
        gone = ",".join(name for name in changed if name not in given)
        if words or gone:
            yield run("pvesh", "set", self.path, *words, *(["--delete", gone] if gone else []))

    @classmethod
    def remove(cls, name: str) -> Iterator[Step]:
        yield run("pvesh", "delete", f"/cluster/backup/{name}")
        yield run("rm", "-f", made(cls.kind, name))

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        around = {
            "zfs_pool": {
                "tank": {"vdevs": [{"type": "mirror", "disks": ["nvme-SAMPLE_1", "nvme-SAMPLE_2"]}]}
            },
            "zfs_dataset": {f"tank/{name}": {} for name in ("one", "two", "disks")},
            "pve_storage": {
                "tank-one": {"type": "dir", "path": "/tank/one", "content": ["backup", "vztmpl"]},
                "tank-two": {"type": "dir", "path": "/tank/two", "content": ["backup"]},
                "tank-disks": {"type": "zfspool", "pool": "tank/disks", "content": ["rootdir"]},
            },
        }
        absent = {"lxc": {"state": "absent"}}
        yield Samples("nightly", *_BOTH, {**around, "guests": {"101-sample": absent, "102-other": absent}})
        template = {"storage": "tank-one", "file": "ubuntu-24.04-standard_24.04-2_amd64.tar.zst"}
        volume = {"storage": "tank-disks", "size": "1G"}
        sample = {"template": "base", "rootfs": volume, "mounts": {"/data": volume}, "state": "stopped"}
        guests = {"101-sample": {"lxc": sample}, "102-other": absent, "103-more": absent}
        every = {
            "schedule": "daily",
            "storage": "tank-one",
            "guests": "all",
            "left_out": {"sample": ["/data"]},
        }
        made_of = {**around, "ct_template": {"base": template}}
        yield Samples("some", every, {**every, "guests": ["sample"]}, {**made_of, "guests": guests})
        guests = dict.fromkeys(guests, absent)
        yield Samples(
            "every",
            {**every, "exclude": ["other"]},
            {**every, "exclude": ["more"]},
            {**around, "guests": guests},
        )


_BOTH: tuple[dict[str, Any], dict[str, Any]] = (
    {
        "schedule": "mon..fri 02:30",
        "storage": "tank-one",
        "guests": ["sample"],
        "mode": "snapshot",
        "compress": "zstd",
        "enabled": True,
        "retention": {"keep_last": 3, "keep_daily": 7},
        "notes": "{{guestname}} on {{node}}",
        "comment": "nightly: all that matters",
        "mail": {"to": ["root@example.org"], "when": "failure"},
        "node": "pve1",
        "repeat_missed": True,
        "max_age": "26h",
    },
    {
        "schedule": "sun 4:00",
        "storage": "tank-two",
        "guests": ["sample", "other"],
        "mode": "stop",
        "compress": "gzip",
        "enabled": False,
        "retention": {"keep_all": True},
        "notes": "{{vmid}}",
        "comment": "weekly",
        "mail": {"to": ["root@example.org", "ops@example.org"], "when": "always"},
        "node": "pve2",
        "repeat_missed": False,
        "left_out": {"sample": ["/data"]},
    },
)
"""Declarations that differ in all that can be changed."""
