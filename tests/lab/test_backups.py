"""Backups on a lab node: the job as declared, what verify says of its runs, a guest made from one."""

import re
from datetime import datetime, timedelta

import pytest
from tests.lab.running import NODE, NODE_FILE, LabSite, entry, steps

from phoenix_hypervisor.config import load
from phoenix_hypervisor.errors import PhoenixError
from phoenix_hypervisor.inspect.fleet import Fleet
from phoenix_hypervisor.inspect.looks import Status
from phoenix_hypervisor.inspect.opening import OpenSite
from phoenix_hypervisor.inspect.session import inspect
from phoenix_hypervisor.lab.faults import Sort
from phoenix_hypervisor.resource import Ref

JOB = """\
  nightly:
    schedule: "02:30"
    storage: tank-backups
    guests: [chat, files]
    retention: {keep_last: 2, keep_daily: 7}
    notes: "{{guestname}} on {{node}}"
    comment: "nightly: all"
    mail: {to: [ops@example.org], when: failure}
    repeat_missed: true
"""
NODE_TEXT = """\
hardware:
  disks:
    a: {id: d1, size: 20G}
    b: {id: d2, size: 20G}
zfs_pool:
  tank: {vdevs: [{type: mirror, disks: [d1, d2]}]}
zfs_dataset:
  tank/disks: {}
  tank/archives: {}
  tank/backups: {}
  tank/models: {}
pve_storage:
  tank-disks: {type: zfspool, pool: tank/disks, content: [rootdir, images]}
  tank-archives: {type: dir, path: /tank/archives, content: [vztmpl]}
  tank-backups: {type: dir, path: /tank/backups, content: [backup]}
ct_template:
  base: {storage: tank-archives, file: ubuntu-24.04-standard_24.04-2_amd64.tar.zst}
backup_job:
"""
CHAT = """\
lxc:
  template: base
  rootfs: {storage: tank-disks, size: 1G}
  net: {eth0: {bridge: vmbr0, ip: 10.0.0.50/24, gw: 10.0.0.1}}
  devices: {/dev/null: {mode: "0666"}}
  raw: {lxc.mount.entry: "/tank/models mnt/raw none bind,create=dir 0 0", lxc.cap.drop: mac_admin}
  protection: true
  onboot: true
  mounts:
    /data: {storage: tank-disks, size: 1G, backup: true}
    /cache: {storage: tank-disks, size: 1G}
    /models: {source: /tank/models}
"""
FILES = """\
lxc: {template: base, rootfs: {storage: tank-disks, size: 1G}, state: stopped}
"""
SITE = {
    "configs/site.yaml": "name: backups\n",
    NODE_FILE: NODE_TEXT + JOB,
    "configs/guests/950-chat.yaml": CHAT,
    "configs/guests/951-files.yaml": FILES,
    "inventory/hosts.yaml": f"{NODE}: {{data: {{transport: lab}}}}\n",
}
DUMP = "/tank/backups/dump"
REF = Ref(NODE, "backup_job", "nightly")
CFG = "/etc/pve/jobs.cfg"
FOREIGN = (
    "vzdump: theirs\n\tschedule sat 5:00\n\tall 1\n\tenabled 0\n\tstorage local\n\n"
    "realm-sync: ldap\n\tschedule daily\n"
)


@pytest.fixture(scope="session")
def _with_job(tmp_path_factory):
    folder = tmp_path_factory.mktemp("backups") / "site"
    for name, text in SITE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    site = LabSite(folder)
    site.run("lab", "up")
    try:
        site.on_node(f"printf '{FOREIGN}' >{CFG}")
    except PhoenixError as error:
        pytest.skip(f"this machine does not let us make a lab: {error}")
    ran = site.run("apply", "--yes")
    assert ran.status == 0, ran
    site.on_node(
        "pct exec 950 -- sh -c 'echo precious >/root/file; echo kept >/data/file; echo x >/cache/file'"
    )
    return site


@pytest.fixture
def site(_with_job, tmp_path):
    """A converged node with a job for two guests; no backup was made yet."""
    return _with_job.copy(tmp_path / "site")


def declare(site, job):
    (site.folder / NODE_FILE).write_text(NODE_TEXT + job)


def told(site):
    """What checks and probes of the job find wrong; empty when nothing is."""
    declared = load(site.folder)
    opened = OpenSite(declared, Fleet(declared.inventory, site.folder, guests=declared.guests.values()))
    try:
        look = inspect(opened, [REF], probes=True).looks()[REF]
    finally:
        opened.fleet.close()
    assert (look.status is Status.OK) == (not look.reasons), look
    return " ".join(look.reasons)


def names(site):
    return sorted(site.on_node(f"ls {DUMP} 2>/dev/null || :").split())


def age(site, hours):
    """Let all that is in the backups' storage, and the job itself, be older."""
    for name in names(site):
        stem = re.search(r"\d{4}_\d\d_\d\d-\d\d_\d\d_\d\d", name)[0]
        began = datetime.strptime(stem, "%Y_%m_%d-%H_%M_%S") - timedelta(hours=hours)
        other = name.replace(stem, began.strftime("%Y_%m_%d-%H_%M_%S"))
        site.on_node(f"mv {DUMP}/{name} {DUMP}/{other}")
    site.on_node(f"touch -d '{hours} hours ago' {CFG}")


def test_the_job_is_made_beside_those_of_others_and_never_again(site) -> None:
    text = site.on_node(f"cat {CFG}")
    own = {line.strip() for line in text.split("vzdump: nightly\n")[1].split("\n\n")[0].splitlines()}
    assert own == {
        "comment nightly%3A all",
        "schedule 02:30",
        "compress zstd",
        "enabled 1",
        "mailnotification failure",
        "mailto ops@example.org",
        "mode snapshot",
        "notes-template {{guestname}} on {{node}}",
        "prune-backups keep-daily=7,keep-last=2",
        "repeat-missed 1",
        "storage tank-backups",
        "vmid 950,951",
    }
    assert text.startswith("vzdump: theirs\n\tschedule sat 5:00\n")
    assert "realm-sync: ldap\n\tschedule daily\n" in text
    with site.nothing_done():
        ran = site.run("apply", "--yes")
    assert ran.status == 0, ran


OTHERWISE = {
    "schedule": ("02:30", "sat 6:00", "--schedule 02:30"),
    "storage": ("tank-backups", "local", "--storage tank-backups"),
    "mode": ("snapshot", "stop", "--mode snapshot"),
    "compress": ("zstd", "gzip", "--compress zstd"),
    "enabled": ("1", "0", "--enabled 1"),
    "vmid": ("950,951", "951", "--vmid 950,951"),
    "prune-backups": ("keep-daily=7,keep-last=2", "keep-all=1", "--prune-backups keep-daily=7,keep-last=2"),
    "notes-template": ("{{guestname}} on {{node}}", "x", "--notes-template '{{guestname}} on {{node}}'"),
    "comment": ("nightly: all", "x", "--comment 'nightly: all'"),
    "mailto": ("ops@example.org", "me", "--mailto ops@example.org"),
    "mailnotification": ("failure", "always", "--mailnotification failure"),
    "repeat-missed": ("1", "", "--repeat-missed 1"),
}


def test_what_was_changed_by_others_is_put_right_in_one_call_and_their_settings_stay(site) -> None:
    words = " ".join(f"--{name} '{other}'" for name, (_, other, _) in OTHERWISE.items() if other)
    site.on_node(
        f"pvesh set /cluster/backup/nightly {words} --delete repeat-missed --bwlimit 1000 --ionice 8"
    )
    plan = site.plan()
    one = entry(plan, "backup_job:nightly")
    assert {c["attribute"]: (c["desired"], c["actual"]) for c in one["changes"]} == {
        name: sides[:2] for name, sides in OTHERWISE.items()
    }
    (step,) = steps(plan)
    assert step.startswith("pvesh set /cluster/backup/nightly --")
    assert [words for *_, words in OTHERWISE.values() if words not in step] == []
    assert site.run("apply", "--yes").status == 0
    own = site.on_node(f"cat {CFG}").split("vzdump: nightly\n")[1]
    assert "\tbwlimit 1000\n" in own
    assert "\tionice 8\n" in own
    assert site.run("plan").status == 0


def test_another_spelling_of_the_same_is_no_difference(site) -> None:
    site.on_node(
        f"sed -i 's/schedule 02:30/schedule 2:30:00/; s/950,951/951 950/; s/enabled 1/enabled yes/' {CFG}"
    )
    with site.nothing_done():
        assert site.run("plan").status == 0


def test_a_selection_turns_round_and_back(site) -> None:
    every = JOB.replace("[chat, files]", "all\n    exclude: [files]")
    declare(site, every)
    assert steps(site.apply()) == ["pvesh set /cluster/backup/nightly --all 1 --exclude 951 --delete vmid"]
    declare(site, JOB)
    (step,) = steps(site.plan())
    assert step == "pvesh set /cluster/backup/nightly --vmid 950,951 --delete all,exclude"


def test_what_of_a_guest_is_in_no_backup_is_told_until_it_is_agreed_to(site) -> None:
    told = f"notice: {NODE}/backup_job:nightly: in no backup (950 chat: /cache, /models)"
    assert told in site.run("plan").out
    declare(site, JOB + "    left_out: {chat: [/models, /cache]}\n")
    assert "in no backup" not in site.run("plan").out


def test_runs_that_went_well_failed_or_did_not_come(site) -> None:
    assert told(site) == "", "nothing was due yet"
    age(site, 40)
    said = told(site)
    assert "950 chat: 'no backup since " in said
    assert "951 files: 'no backup since " in said
    assert "there is none" in said
    declare(site, JOB + "    max_age: 2d\n")
    assert told(site) == ""
    declare(site, JOB)
    site.on_node("lab-job nightly")
    assert told(site) == ""
    assert [re.sub(r"-\d{4}_.*?\.", "-TIME.", name) for name in names(site)] == [
        f"vzdump-lxc-{vmid}-TIME.{ending}"
        for vmid in (950, 951)
        for ending in ("log", "tar.zst", "tar.zst.notes")
    ]
    assert site.on_node(f"cat {DUMP}/vzdump-lxc-950-*.notes") == f"chat on {NODE}"
    assert site.on_node("cut -d' ' -f3- /var/log/pve/tasks/index") == "OK\n"
    age(site, 1)
    locked = "cd /etc/pve/lxc; sed -i '1i lock: migrate' 951.conf; lab-job nightly || :; sed -i 1d 951.conf"
    site.on_node(locked)
    said = told(site)
    failed = r"951 files: 'failed at [0-9: -]+: Backup of VM 951 failed - CT is locked \(migrate\)'"
    assert re.search(failed, said), said
    assert "950" not in said
    # Neither plan nor apply makes one, and a monitor sees it.
    before = names(site)
    ran = site.run("apply", "--yes")
    assert (ran.status, names(site)) == (1, before)
    assert "951 files: 'failed at " in ran.out + ran.err
    assert site.run("verify", "--target", "backup_job:nightly").status == 1
    # One by hand is as good.
    ran = site.run("backup", "files")
    assert (ran.status, ran.out) == (0, "✓ 951 files is saved\n"), ran
    assert told(site) == ""
    age(site, 31)
    said = told(site)
    assert "950 chat: 'no backup since " in said
    assert "951 files: 'no backup since " in said


def test_a_run_that_never_got_to_a_guest_is_told_of_the_job(site) -> None:
    site.on_node("pvesm set tank-backups --disable 1; lab-job nightly || :")
    site.on_node("pvesm set tank-backups --disable 0")
    assert re.search(r"the job: .failed at [0-9: -]+: could not .*storage 'tank-backups' is dis", told(site))
    site.on_node("vzdump 950 951 --storage tank-backups")
    assert told(site) == "", "made by hand since"
    gone = JOB.replace("[chat, files]", "[chat, files, gone]")
    declare(site, gone)
    (site.folder / "configs/guests/952-gone.yaml").write_text("lxc: {state: absent}\n")
    assert site.run("apply", "--yes").status == 0
    site.on_node("lab-job nightly || :")
    assert "the job: 'failed at " not in told(site)


def test_a_job_keeps_what_it_should_and_a_backup_by_hand_removes_nothing(site) -> None:
    for hours in (100, 50, 1):
        site.on_node("vzdump 951 --storage tank-backups --compress zstd --remove 0")
        age(site, hours)
    assert site.run("backup", "951").status == 0
    declare(site, JOB.replace("keep_last: 2, keep_daily: 7", "keep_last: 2"))
    assert site.run("apply", "--yes").status == 0
    assert len([name for name in names(site) if name.endswith("tar.zst")]) == 4
    site.on_node("lab-job nightly")
    of_files = [name for name in names(site) if "-951-" in name]
    assert [name.partition(".")[2] for name in of_files] == ["log", "tar.zst", "tar.zst.notes"] * 2


def test_a_guest_is_made_from_a_backup_beside_the_one_there_is(site) -> None:
    assert site.run("backup", "chat").status == 0
    age(site, 1)
    site.on_node("pct exec 950 -- sh -c 'echo later >/root/file'")
    assert site.run("backup", "chat").status == 0
    ran = site.run("restore", "chat")
    newest, oldest = [line.split()[-1] for line in ran.out.splitlines()]
    assert newest > oldest
    before = site.on_node("cat /etc/pve/lxc/950.conf")
    ran = site.run("restore", "950", "--archive", oldest, "--as", "999")
    assert ran.status == 0, ran
    assert re.search(r"^✓ 950 chat as it was at .* is 999 now: it does not run, .*plugged out\n$", ran.out)
    conf = site.on_node("cat /etc/pve/lxc/999.conf")
    assert site.on_node("cat /etc/pve/lxc/950.conf") == before
    keys = dict(line.split(": ", 1) for line in conf.splitlines() if ": " in line)
    assert (keys["hostname"], keys["onboot"], keys["protection"], keys["tags"]) == (
        "chat-restored",
        "0",
        "0",
        "restored",
    )
    assert "link_down=1" in keys["net0"]
    assert re.search("hwaddr=(..:){5}..", keys["net0"])[0] not in before
    assert "/tank/models" in before
    assert "/tank/models" not in conf
    assert ("dev0" in before, "dev0" in conf) == (True, False)
    assert keys["lxc.cap.drop"] == "mac_admin"
    assert "999" not in site.on_node("lxc-ls --running -1").split()
    site.on_node("pct start 999")
    look = "pct exec 999 -- sh -c 'cat /root/file /data/file; ls /cache'"
    assert site.on_node(look) == "precious\nkept\n"
    # It is nobody's.
    plan = site.run("plan")
    assert (plan.status, "999" in plan.out) == (0, False), plan
    for number, reason in (("999", "999 is taken on"), ("951", "951 is declared: it is `files`")):
        with site.nothing_done():
            ran = site.run("restore", "chat", "--as", number)
        assert ran.status != 0
        assert reason in ran.err
    ran = site.run("restore", "chat", "--as", "998", "--start")
    assert ran.status == 0, ran
    assert site.on_node("pct exec 998 -- cat /root/file") == "later\n"


def test_of_a_restore_that_failed_it_is_said_what_is_left(site) -> None:
    ran = site.run("restore", "files", "--as", "999")
    assert ran.status == 1
    assert "there is no backup of 951 files" in ran.err
    assert site.run("backup", "files").status == 0
    archive = next(name for name in names(site) if name.endswith("tar.zst"))
    site.on_node(f"truncate -s 100 {DUMP}/{archive}")
    ran = site.run("restore", "files", "--as", "999")
    assert ran.status == 1
    assert "nothing is left of 999" in ran.err
    assert "subvol-999" not in site.on_node("zfs list -Ho name")


def test_a_restore_goes_on_when_the_connection_is_lost_and_nothing_is_taken_twice(site) -> None:
    assert site.run("backup", "files").status == 0
    site.fault(Sort.DROP, 2)
    ran = site.run("restore", "files", "--as", "999")
    assert (ran.status, "connection" in ran.err) == (3, True), ran
    assert "999" in site.on_node("ls /etc/pve/lxc")
    ran = site.run("restore", "files", "--as", "999")
    assert ran.status == 1
    assert "999 is taken on" in ran.err
