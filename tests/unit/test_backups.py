"""Backups: calendar events, jobs.cfg, what vzdump leaves behind, what is refused in the files."""

import sys
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.site_files import NODE, SITE, loaded, problems

from phoenix_hypervisor.dialects import calendar_event, jobs_cfg, vzdump
from phoenix_hypervisor.errors import PhoenixError, UsageError
from phoenix_hypervisor.guestverbs import Sight
from phoenix_hypervisor.operate import guests, patience, restoring
from phoenix_hypervisor.resource import Effect
from phoenix_hypervisor.transport import Answer

STANDINS = Path(__file__).parents[2] / "generator/phoenix_hypervisor/lab/standins"
NOW = datetime(2026, 11, 22, 16, 7, 5)
"""A Sunday."""

# --- calendar events --------------------------------------------------------------------------------------

LAST = {
    "daily": "2026-11-22 00:00:00",
    "02:30": "2026-11-22 02:30:00",
    "21:00": "2026-11-21 21:00:00",
    "sun 02:30": "2026-11-22 02:30:00",
    "sat 18:15": "2026-11-21 18:15:00",
    "mon..fri 8..17,22:0/15": "2026-11-20 22:45:00",
    "fri..mon 6:00": "2026-11-22 06:00:00",
    "monday,wed 5:0": "2026-11-18 05:00:00",
    "*/5": "2026-11-22 16:05:00",
    "30": "2026-11-22 15:30:00",
    "mon": "2026-11-16 00:00:00",
    "*-1 3:00": "2026-11-01 03:00:00",
    "*-*-15": "2026-11-15 00:00:00",
    "2025-12-24 18:00": "2025-12-24 18:00:00",
    "hourly": "2026-11-22 16:00:00",
    "weekly": "2026-11-16 00:00:00",
    "monthly": "2026-11-01 00:00:00",
    "yearly": "2026-01-01 00:00:00",
    "02-29 4:00": "2024-02-29 04:00:00",
    "2030-1-1": None,
}


@pytest.mark.parametrize("event", LAST)
def test_when_a_job_was_due_the_last_time(event: str) -> None:
    found = calendar_event.last(calendar_event.parse(event), NOW)
    assert (str(found) if found else None) == LAST[event]


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "  ",
        "x",
        "25:00",
        "mon..xyz 2:00",
        "2:60",
        "2:00 mon",
        "1:2:3:4",
        "*-32",
        "5..3:00",
        "*/0",
        "1-2-3-4",
    ],
)
def test_what_is_no_calendar_event_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"`|empty"):
        calendar_event.parse(wrong)


def test_two_spellings_of_the_same_are_the_same() -> None:
    assert calendar_event.same("MON..SUN 2:0", "02:00:00")
    assert calendar_event.same("hourly", "*:00")
    assert not calendar_event.same("02:00", "02:01")
    assert not calendar_event.same("nonsense", "02:00")
    assert calendar_event.same("nonsense", "nonsense")


@given(
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    days=st.sets(st.sampled_from(calendar_event.DAYS), min_size=1),
)
def test_the_last_turn_is_one_that_is_meant_and_there_is_none_between(hour, minute, days) -> None:
    event = calendar_event.parse(f"{','.join(sorted(days))} {hour}:{minute:02}")
    found = calendar_event.last(event, NOW)
    assert found is not None
    assert (found.hour, found.minute, calendar_event.DAYS[found.weekday()] in days) == (hour, minute, True)
    later = found + timedelta(days=1)
    assert later > NOW or calendar_event.DAYS[later.weekday()] not in days
    assert calendar_event.last(event, found) == found


# --- jobs.cfg ---------------------------------------------------------------------------------------------

IDS = st.from_regex(r"[a-z][a-z0-9-]{1,10}", fullmatch=True)
VALUES = st.from_regex(r"[a-zA-Z0-9/=,.*]([a-zA-Z0-9/=,.* ]{0,12}[a-zA-Z0-9])?", fullmatch=True)
OPTIONS = st.dictionaries(st.sampled_from(["schedule", "storage", "mode", "script", "bwlimit"]), VALUES)
COMMENTS = st.text(st.characters(exclude_characters="%", exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: text == text.strip()
)


def proxmox_writes(jobs) -> str:
    """The file as PVE::SectionConfig writes it."""
    coded = "".join
    parts = []
    for name, (sort, options, comment) in jobs.items():
        lines = [f"{sort}: {name}"]
        if comment:
            safe = (chr(b) if 0x20 <= b <= 0x7E and b != 0x3A else f"%{b:02X}" for b in comment.encode())
            lines.append(f"\tcomment {coded(safe)}")
        parts.append("\n".join([*lines, *(f"\t{key} {value}" for key, value in options.items())]) + "\n")
    return "\n".join(parts)


@given(
    st.dictionaries(IDS, st.tuples(st.sampled_from(["vzdump", "realm-sync"]), OPTIONS, st.none() | COMMENTS))
)
def test_what_proxmox_writes_reads_back(jobs) -> None:
    read = jobs_cfg.parse(proxmox_writes(jobs))
    assert {name: job.type for name, job in read.items()} == {name: sort for name, (sort, *_) in jobs.items()}
    for name, (_, options, comment) in jobs.items():
        own = {key: value for key, value in read[name].options.items() if key != "enabled"}
        assert own == {**options, **({"comment": comment} if comment else {})}


def test_what_a_job_says_in_any_order_and_spelling_is_the_same() -> None:
    one = jobs_cfg.parse(
        "vzdump: a\n\tenabled 1\n\tvmid 951 950\n\tprune-backups keep-last=1,keep-daily=2\n\tall 0\n"
    )
    other = jobs_cfg.parse(
        "# of others\n\nvzdump:a\n    prune-backups keep-daily=2;keep-last=1\n    vmid 950,951\n    mailto\n"
    )
    assert one["a"].options == {
        "enabled": "1",
        "vmid": "950,951",
        "prune-backups": "keep-daily=2,keep-last=1",
    }
    assert other["a"].options == {**one["a"].options, "mailto": ""}
    several = jobs_cfg.parse("vzdump: a\n\texclude-path /x\n\texclude-path /y\n")
    assert several["a"].options["exclude-path"] == "/x\n/y"
    assert jobs_cfg.backups("realm-sync: ldap\n\tschedule daily\n") == {}


# --- what vzdump leaves behind ----------------------------------------------------------------------------

NAMES = [
    "vzdump-lxc-950-2026_11_20-02_30_01.tar.zst",
    "vzdump-lxc-950-2026_11_20-02_30_01.log",
    "vzdump-lxc-950-2026_11_22-02_30_01.log",
    "vzdump-lxc-950-2026_11_22-02_30_01.tar.zst",
    "vzdump-lxc-950-2026_11_22-02_30_01.tar.zst.notes",
    "vzdump-lxc-951-2026_11_21-02_31_00.tar",
    "vzdump-lxc-951-2026_11_22-02_31_00.log",
    "vzdump-lxc-951-2026_11_22-02_31_00.tar.dat",
    "vzdump-qemu-952-2026_11_22-02_32_00.vma.zst",
    "vzdump-lxc-953-2026_11_22-02_33_00.log",
    "something else",
]


def test_a_log_without_an_archive_is_a_backup_that_failed() -> None:
    found = vzdump.leftovers(NAMES)
    assert {vmid: (str(one.archive), one.log) for vmid, one in found.items()} == {
        "950": ("2026-11-22 02:30:01", ""),
        "951": ("2026-11-21 02:31:00", "vzdump-lxc-951-2026_11_22-02_31_00.log"),
        "952": ("2026-11-22 02:32:00", ""),
        "953": ("None", "vzdump-lxc-953-2026_11_22-02_33_00.log"),
    }


def test_the_last_words_of_a_log_are_its_error() -> None:
    failed = "2026-11-22 02:31:00 ERROR: Backup of VM 951 failed - CT is locked (backup)\n"
    log = failed + "2026-11-22 02:31:01 INFO: Failed at 2026-11-22 02:31:01\n"
    assert vzdump.last_words(log) == "Backup of VM 951 failed - CT is locked (backup)"
    assert (
        vzdump.last_words("2026-11-22 02:31:00 INFO: it was cut\n") == "2026-11-22 02:31:00 INFO: it was cut"
    )
    assert vzdump.last_words("") == ""


RUNS = """\
= fresh
{"state":"created","time":1795328341}
= failed
{"state":"started","upid":"UPID:pve:1:2:6B02925F:vzdump::root@pam:"}
2026-11-22 02:30:00
ERROR: Backup of VM 999 failed - unable to find VM '999'
TASK ERROR: job errors
= going-on
{"state":"started","upid":"UPID:pve:1:2:6B02925F:vzdump::root@pam:"}
2026-11-22 02:30:00
= warned
{"state":"stopped","msg":"WARNINGS: 2","upid":"UPID:pve:1:2:6B02925F:vzdump::root@pam:"}
2026-11-22 02:30:00
TASK WARNINGS: 2
= fine
{"state":"stopped","msg":"OK","upid":"UPID:pve:1:2:6B02925F:vzdump::root@pam:"}
2026-11-22 02:30:00
TASK OK
= never-began
{"state":"stopped","msg":"storage 'x' is disabled","time":1795328341}
2026-11-22 02:30:00
"""


def test_how_the_last_runs_of_jobs_ended() -> None:
    assert {name: run.error for name, run in vzdump.runs(RUNS).items()} == {
        "failed": "Backup of VM 999 failed - unable to find VM '999'",
        "going-on": "",
        "warned": "",
        "fine": "",
        "never-began": "storage 'x' is disabled",
    }
    assert vzdump.runs("") == {}


LIST = """\
Volid                                                   Format  Type         Size VMID
local:backup/vzdump-lxc-110-2026_11_20-07_00_37.tar.zst tar.zst backup    1090446 110
Volid                                                      Format  Type         Size VMID
other:backup/vzdump-lxc-110-2026_11_22-07_00_37.tar.zst    tar.zst backup    2090446 110
other:backup/by-hand.tar.zst                               tar.zst backup    2090446
"""


def test_which_backup_is_meant() -> None:
    found = vzdump.archives(LIST)
    newest, oldest = (archive.volid for archive in found)
    assert newest.startswith("other:")
    one = SimpleNamespace(called="110 hand", name="hand")
    assert restoring.chosen(found, "", one).volid == newest
    assert restoring.chosen(found, "local:", one).volid == oldest
    assert restoring.chosen(found, oldest, one).volid == oldest
    with pytest.raises(UsageError, match="several backups fit `2026` of 110 hand"):
        restoring.chosen(found, "2026", one)
    with pytest.raises(UsageError, match="no backup fits `2025` of 110 hand"):
        restoring.chosen(found, "2025", one)
    with pytest.raises(PhoenixError, match="there is no backup of 110 hand"):
        restoring.chosen([], "", one)


def test_a_long_act_is_asked_after_until_it_has_ended() -> None:
    answers = [Answer(9, b"", b""), Answer(9, b"", b""), Answer(3, b"out", b"err")]
    acts: list[str] = []
    transport = SimpleNamespace(
        act=lambda command: acts.append(command) or Answer(0, b"", b""), ask=lambda _: [answers.pop(0)]
    )
    assert patience.patiently(transport)(SimpleNamespace(command="vzdump 950")) == Answer(3, b"out", b"err")
    assert len(acts) == 1
    assert answers == []
    refusing = SimpleNamespace(act=lambda _: Answer(1, b"", b"no space"))
    assert patience.patiently(refusing)(SimpleNamespace(command="x")) == Answer(1, b"", b"no space")


# --- which backups are kept -------------------------------------------------------------------------------


def kept(keep: str, moments: list[str], folder: Path) -> list[str]:
    """The stand-in's retention on archives of one guest begun at these times."""
    sys.path.insert(0, str(STANDINS))
    try:
        import backup_prune
    finally:
        sys.path.remove(str(STANDINS))
    for moment in moments:
        (folder / f"vzdump-lxc-950-{moment}.tar.zst").touch()
    (folder / "vzdump-lxc-951-2020_01_01-00_00_00.tar.zst").touch()
    gone = {
        name.removeprefix("vzdump-lxc-950-").removesuffix(".tar.zst")
        for name in backup_prune.superfluous(str(folder), "950", keep)
    }
    return [moment for moment in moments if moment not in gone]


def test_the_labs_retention_counts_as_proxmox_documents_it(tmp_path: Path) -> None:
    days = [f"2026_11_{day:02}-{hour}_00_00" for day in range(1, 11) for hour in ("02", "14")]
    assert kept("keep-last=3,keep-daily=2", days, tmp_path) == [
        "2026_11_07-14_00_00",
        "2026_11_08-14_00_00",
        "2026_11_09-14_00_00",
        "2026_11_10-02_00_00",
        "2026_11_10-14_00_00",
    ]


# --- the files --------------------------------------------------------------------------------------------

NODE_TEXT = """\
hardware: {disks: {a: {id: d1, size: 1T}, b: {id: d2, size: 1T}}}
zfs_pool: {tank: {vdevs: [{type: mirror, disks: [d1, d2]}]}}
zfs_dataset: {tank/disks: {}, tank/iso: {}, tank/dump: {}}
pve_storage:
  disks: {type: zfspool, pool: tank/disks, content: [rootdir]}
  iso: {type: dir, path: /tank/iso, content: [iso, vztmpl]}
  dump: {type: dir, path: /tank/dump, content: [backup]}
ct_template: {base: {storage: iso, file: base_1_amd64.tar.zst}}
backup_job:
"""
LXC = "lxc: {template: base, rootfs: {storage: disks, size: 8G}}\n"
FILES = {"configs/guests/900-base.yaml": LXC + "lxc_layer: {}\n"} | {
    f"configs/guests/{vmid}-{name}.yaml": LXC for vmid, name in ((950, "chat"), (951, "data"))
}
JOB = "  nightly: {schedule: daily, storage: dump, guests: [chat]}\n"
PLACE = f"{NODE}:10:"


def wrong(folder: Path, job: str, **site: str) -> str:
    return problems(folder, {**FILES, NODE: NODE_TEXT + job, **({SITE: site["site"]} if site else {})})


WRONG = {
    "  nightly: {schedule: daily, storage: iso, guests: [chat]}": (
        f"{PLACE}30: backup_job:nightly: the storage `iso` does not take `backup` [V-17]\n"
        "  hint: add `backup` to the storage's `content`, or take another one"
    ),
    "  nightly: {schedule: daily, storage: dumb, guests: [chat]}": (
        f"{PLACE}30: backup_job:nightly: `dumb` is not a declared storage [V-17]\n"
        "  hint: did you mean `dump`?"
    ),
    "  nightly: {schedule: daily, storage: dump, guests: [cat]}": (
        f"{PLACE}45: backup_job:nightly: there is no guest `cat` on this node [V-27]\n"
        "  hint: did you mean `chat`?"
    ),
    "  nightly: {schedule: daily, storage: dump, guests: all, left_out: {chap: [/x]}}": (
        f"{PLACE}58: backup_job:nightly: there is no guest `chap` [V-27]\n  hint: did you mean `chat`?"
    ),
}


@pytest.mark.parametrize("job", WRONG)
def test_a_job_that_could_not_work_is_refused_where_it_says_so(job: str, tmp_path: Path) -> None:
    assert wrong(tmp_path, job + "\n") == WRONG[job]


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ("schedule: '25:00', storage: dump, guests: [chat]", "does not lie within 0 to 23"),
        ("schedule: daily, storage: dump, guests: []", "guests"),
        (
            "schedule: daily, storage: dump, guests: [chat], exclude: [data]",
            "`exclude` goes with `guests: all`",
        ),
        ("schedule: daily, storage: dump, guests: all, retention: {}", "says nothing: `keep_last: 3`"),
        (
            "schedule: daily, storage: dump, guests: all, retention: {keep_all: true, keep_last: 1}",
            "keeps everything",
        ),
        ("schedule: daily, storage: dump, guests: all, comment: 100%", "must not hold `%`"),
        ("schedule: daily, storage: dump, guests: all, max_age: 3", "max_age"),
    ],
)
def test_a_job_that_makes_no_sense_is_refused(job: str, said: str, tmp_path: Path) -> None:
    assert said in wrong(tmp_path, f"  nightly: {{{job}}}\n")


def test_a_guest_without_a_backup_is_an_error_only_where_the_site_wants_that(tmp_path: Path) -> None:
    assert wrong(tmp_path / "1", JOB) == ""
    wants = "name: x\nallow: {guests_without_backup: []}\n"
    assert wrong(tmp_path / "2", JOB, site=wants) == (
        "configs/guests/951-data.yaml:1:1: lxc:951: `data` is in no backup job\n"
        "  hint: add it to the `guests` of a `backup_job`, or to `allow: {guests_without_backup: [NAME]}` "
        "in configs/site.yaml"
    )
    assert wrong(tmp_path / "3", JOB, site=wants.replace("[]", "[data]")) == ""
    assert wrong(tmp_path / "4", JOB.replace("[chat]", "all"), site=wants) == ""
    assert "`chat` is in no" in wrong(
        tmp_path / "5", JOB.replace("[chat]", "all, exclude: [chat]"), site=wants
    )
    assert "`chat` is in no" in wrong(
        tmp_path / "6", JOB.replace("daily", "daily, enabled: false"), site=wants
    )
    assert "there is no guest `dada`" in wrong(tmp_path / "7", JOB, site=wants.replace("[]", "[data, dada]"))


def test_by_which_job_a_guest_is_saved(tmp_path: Path) -> None:
    jobs = (
        JOB + "  weekly: {schedule: sat, storage: dump, guests: all, exclude: [data], mode: stop, notes: n}\n"
    )
    site = loaded(tmp_path, {**FILES, NODE: NODE_TEXT + jobs})
    chat, data = guests.named(site, ["chat", "data"])
    assert restoring.job_of(site, chat, "weekly").name == "weekly"
    with pytest.raises(UsageError, match="several jobs save 950 chat"):
        restoring.job_of(site, chat, "")
    with pytest.raises(UsageError, match="the job `monthly` does not save 950 chat"):
        restoring.job_of(site, chat, "monthly")
    with pytest.raises(UsageError, match="no job saves 951 data"):
        restoring.job_of(site, data, "")
    (step,) = restoring.backup(restoring.job_of(site, chat, "weekly"), chat, Sight("pve", running=True))
    assert step.title == "vzdump 950 --storage dump --mode stop --compress zstd --notes-template n --remove 0"
    assert (step.effect, step.interrupts) == (Effect.RESTART, "lxc:950 chat")
    (step,) = restoring.backup(restoring.job_of(site, chat, "nightly"), chat, Sight("pve", running=True))
    assert (step.effect, step.interrupts) == (Effect.HOT, "")
