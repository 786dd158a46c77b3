"""The stand-ins for pvesh, vzdump, `pct restore` and qmrestore: they say and refuse what Proxmox's own do."""

import pytest
from tests.lab.test_standins_base import Node

USAGE = "vzdump {<vmid>} [OPTIONS]\n"
NO_JOB = "400 Parameter verification failed.\nid: No such job 'job1'\n"
NOWHERE = "storage 'nosuch' does not exist"
SAID = {
    # recorded on Proxmox VE 8.4
    "pvesh get /cluster/backup --output-format json": (True, "[]\n", ""),
    "pvesh get /cluster/backup/job1 --output-format json": (
        False,
        "",
        NO_JOB + "pvesh get <api_path> [OPTIONS] [FORMAT_OPTIONS]\n",
    ),
    "pvesh delete /cluster/backup/job1": (False, "", NO_JOB),
    "vzdump": (False, "", f"400 Parameter verification failed.\nvmid: property is missing\n{USAGE}"),
    "vzdump 102 --storage local --mode bogus": (
        False,
        "",
        (
            "400 Parameter verification failed.\n"
            "mode: value 'bogus' does not have a value in the enumeration "
            f"'snapshot, suspend, stop'\n{USAGE}"
        ),
    ),
    "vzdump 102 --storage nosuch": (
        False,
        "",
        (
            f"could not activate storage 'nosuch': {NOWHERE} "
            f"could not get storage information for 'nosuch': {NOWHERE}\n"
        ),
    ),
    "vzdump 102 --storage files": (
        False,
        "",
        (
            "could not get storage information for 'files': can't use storage 'files' for backups - "
            "wrong content type\n"
        ),
    ),
    "pct restore 140": (False, "", "400 not enough arguments\npct restore <vmid> <ostemplate> [OPTIONS]\n"),
    "pct restore 140 local:backup/nosuch.tar.zst": (
        False,
        "recovering backed-up configuration from 'local:backup/nosuch.tar.zst'\n",
        "unable to restore CT 140 - volume 'local:backup/nosuch.tar.zst' does not exist\n",
    ),
}


@pytest.fixture
def node(tmp_path) -> Node:
    node = Node(tmp_path / "node")
    node.good("pvesm", "add", "dir", "files", "--path", "/srv/files", "--content", "iso")
    return node


@pytest.mark.parametrize("command", SAID)
def test_they_say_what_was_recorded(node, command: str) -> None:
    ended = node.run(*command.split())
    assert (ended.status == 0, ended.out, ended.err) == SAID[command]


QMRESTORE = {
    "": "400 not enough arguments\nqmrestore <archive> <vmid> [OPTIONS]\n",
    "/x.vma 140 more": "400 too many arguments\nqmrestore <archive> <vmid> [OPTIONS]\n",
    "--name x /x.vma 140": "Unknown option: name\n400 unable to parse option\n",
    "/x.vma 5": "400 Parameter verification failed.\nvmid: invalid format",
    "/x.vma 140": "can't find file '/x.vma'\n",
    "local:backup/nosuch.vma.zst 140": "volume 'local:backup/nosuch.vma.zst' does not exist\n",
    "/there.vma 140 --storage files": "storage 'files' does not support vm images\n",
    "/there.vma 141": "unable to restore VM 141 - VM 141 already exists on node",
    "/there.vma 140": "unable to restore VM 140 - ",
    "/there.vma 140 --force 1": "qmrestore: not simulated: --force",
}


def test_a_machine_is_not_restored_from_nothing_nor_over_another(node) -> None:
    (node.root / "there.vma").write_text("no archive\n")
    machines = node.root / "etc/pve/qemu-server"
    (machines / "141.conf").write_text("name: x\n")
    for words, said in QMRESTORE.items():
        ended = node.run("qmrestore", *words.split())
        assert (ended.status != 0, ended.err.startswith(said)) == (True, True), (words, ended)
    assert [path.name for path in machines.iterdir()] == ["141.conf"]


def test_a_backup_of_nobody_is_a_job_with_errors(node) -> None:
    ended = node.run("vzdump", "999", "--storage", "local")
    lines = ended.out.splitlines()
    assert (ended.status, ended.err) == (255, "job errors\n")
    assert lines[:2] == [
        "INFO: starting new backup job: vzdump 999 --storage local",
        "ERROR: Backup of VM 999 failed - unable to find VM '999'",
    ]
    assert lines[2].startswith("INFO: Failed at ")
    assert lines[3:] == ["INFO: Backup job finished with errors"]
    upid, _, status = node.read("/var/log/pve/tasks/index").split(" ", 2)
    start = upid.split(":")[4]
    assert status == "job errors\n"
    log = node.read(f"/var/log/pve/tasks/{start[-1]}/{upid}")
    assert log == ended.out + "TASK ERROR: job errors\n"


CREATE = ("pvesh", "create", "/cluster/backup", "--id", "a", "--schedule", "daily", "--storage", "local")
WRONG = {
    "--vmid 99": "vmid: invalid format - value '99' does not look like a valid VM ID",
    "--vmid 100 --all 1": "all: option conflicts with option 'vmid'",
    "--vmid 100 --exclude 101": "exclude: option conflicts with option 'vmid'",
    "--mode stop": "vmid: property is missing",
    "--vmid 100 --compress best": "compress: value 'best' does not have a value in the enumeration",
    "--vmid 100 --prune-backups keep-bogus=3": "prune-backups: invalid format - format error",
    "--vmid 100 --enabled maybe": "enabled: type check ('boolean') failed - got 'maybe'",
    "--vmid 100 --bogus 1": "Unknown option: bogus",
}


@pytest.mark.parametrize("options", WRONG)
def test_a_job_that_proxmox_would_refuse_is_refused(node, options: str) -> None:
    ended = node.run(*CREATE, *options.split())
    assert ended.status != 0
    assert WRONG[options] in ended.err
    assert not (node.root / "etc/pve/jobs.cfg").exists()


def test_a_job_has_a_schedule_and_a_name_of_its_own(node) -> None:
    wrong = list(CREATE)
    wrong[wrong.index("daily")] = "25 o'clock"
    assert (
        "schedule: invalid format - invalid calendar event '25 o'clock'" in node.run(*wrong, "--all", "1").err
    )
    node.good(*CREATE, "--all", "1")
    assert "already exists" in node.run(*CREATE, "--all", "1").err
    assert '"state": "created"' in node.read("/var/lib/pve-manager/jobs/vzdump-a.json")
    node.good("pvesh", "set", "/cluster/backup/a", "--schedule", "hourly")
    assert '"updated"' in node.read("/var/lib/pve-manager/jobs/vzdump-a.json")
    node.good("pvesh", "delete", "/cluster/backup/a")
    assert not (node.root / "var/lib/pve-manager/jobs/vzdump-a.json").exists()


@pytest.mark.parametrize("path", ["/version", "/cluster/firewall/rules", "/cluster/backup/a/b"])
def test_the_rest_of_the_api_is_not_simulated_and_says_so(node, path: str) -> None:
    ended = node.run("pvesh", "get", path)
    assert (ended.status, ended.err.startswith("pvesh: not simulated: get ")) == (70, True)
