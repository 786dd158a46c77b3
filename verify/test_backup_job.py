"""Backup jobs: as declared, and their guests' last backups made and young enough."""

from datetime import timedelta

import pytest

from phoenix_hypervisor.dialects import (
    calendar_event,
    jobs_cfg,
    lxc_conf,
    property_string,
    qemu_conf,
    qemu_properties,
    storage_cfg,
    vzdump,
)
from phoenix_hypervisor.resource import made

NOTES = f"ls {made('backup_job', '')} 2>/dev/null || :"
STORAGES = "test ! -e /etc/pve/storage.cfg || cat /etc/pve/storage.cfg"
SAVED = "saved"
PATIENCE = timedelta(hours=6)
"""How long after its turn a job may be busy until a guest's backup is begun."""


def test_present(host, backup_job):
    assert (backup_job.name in _jobs(host)) == backup_job.present


def test_options(host, backup_job):
    actual = _jobs(host)[backup_job.name]
    found = {name: actual.get(name, "") for name in backup_job.options}
    if calendar_event.same(found["schedule"], backup_job.schedule):
        found["schedule"] = backup_job.schedule  # another spelling of the same
    assert found == backup_job.options


@pytest.mark.notice
def test_left_out(host, backup_job):
    """In no backup."""
    agreed = backup_job.left_out
    found = {
        called: ", ".join(path for path in paths if path not in agreed.get(called.partition(" ")[2], ()))
        for called, paths in _left_out(host, backup_job).items()
    }
    assert found == dict.fromkeys(found, "")


@pytest.mark.probe
def test_last_backup(host, backup_job):
    """Each guest's last backup went well, and is not older than it should be."""
    if not backup_job.enabled:
        pytest.skip("the job is declared off")
    folder = storage_cfg.backup_folder(_storages(host), backup_job.storage)
    names, clock, runs = _left_behind(host, folder)
    left, guests = vzdump.leftovers(names.split("\n")), _guests(host, backup_job)
    now, changed = _clock(clock)
    due = _due(backup_job, now)
    found = dict.fromkeys(guests.values(), SAVED)
    for vmid, called in guests.items():
        one = left.get(vmid, vzdump.NOTHING)
        if one.log:
            log = host.run_expect([0], f"tail -n 50 '{folder}/{one.log}'").stdout
            found[called] = f"failed at {one.failed}: {vzdump.last_words(log)}"
        elif due is not None and max(one.archive or changed, changed) < due:
            last = f"the last is of {one.archive}" if one.archive else "there is none"
            found[called] = f"no backup since {due}; {last}"
    run = vzdump.runs(runs).get(backup_job.name)
    if run and run.error and not _made_since(run.began, left, guests) and set(found.values()) <= {SAVED}:
        found["the job"] = f"failed at {run.began}: {run.error}"
    assert found == dict.fromkeys(found, SAVED)


def owned(host):
    """Jobs we noted as made by us that are still there."""
    return set(host.run_expect([0], NOTES).stdout.split()) & set(_jobs(host))


def _left_behind(host, folder):
    """The names in a folder of backups, what time it is, what the scheduler knows: asked in one go."""
    names = f"[ ! -d '{folder}' ] || ls -1 '{folder}'"
    both = f"{{ {names}; }} && printf '\\036' && {{ {vzdump.CLOCK}; }} && printf '\\036'"
    asked = f"{both} || exit\n{vzdump.STATES}"
    return host.run_expect([0], asked).stdout.split("\036")


def _made_since(began, left, guests):
    """Whether every guest has a backup that was made since: by hand, after the job had failed."""
    return all((left.get(vmid, vzdump.NOTHING).archive or vzdump.NEVER) >= began for vmid in guests)


def _due(job, now):
    """Since when there should be a backup of each guest."""
    if job.most_seconds is not None:
        return now - timedelta(seconds=job.most_seconds)
    return calendar_event.last(calendar_event.parse(job.schedule), now - PATIENCE)


def _clock(said):
    """What time it is on the node, and since when its jobs are what they are: nothing was due before."""
    now, *changed = said.splitlines()
    return vzdump.moment(now), vzdump.moment(changed[0])


def _guests(host, job):
    """The guests of this node that a job is about, by VMID, with their names where we know them."""
    names = {vmid: lxc_conf.parse(text).keys.get("hostname", "") for vmid, text in _confs(host).items()}
    names |= {vmid: keys.get("name", "") for vmid, keys in _machines(host).items()}
    excluded = job.options["exclude"].split(",")
    wanted = names.keys() - set(excluded) if job.all else names.keys() & set(job.options["vmid"].split(","))
    return {vmid: f"{vmid} {job.names.get(vmid) or names[vmid]}".strip() for vmid in sorted(wanted, key=int)}


def _left_out(host, job):
    """What each guest has that is not saved with it: only mounts that say so are, and disks that do not."""
    found = {}
    confs, machines = _confs(host), _machines(host)
    for vmid, called in _guests(host, job).items():
        keys = lxc_conf.parse(confs[vmid]).keys if vmid in confs else {}
        mounts = [property_string.meaning(keys[key], key) for key in keys if _is_mount(key)]
        found[called] = sorted(
            mount["mp"] for mount in mounts if mount["volume"].startswith("/") or mount.get("backup") != "1"
        ) + _unsaved_disks(machines.get(vmid, {}))
    return found


def _unsaved_disks(keys):
    """Disks of a machine that say so."""
    disks = {
        key: qemu_properties.meaning(key, keys[key]) for key in sorted(keys) if qemu_properties.is_disk(key)
    }
    return [key for key, disk in disks.items() if disk.get("backup") == "0"]


def _is_mount(key):
    return key.startswith("mp") and key[2:].isdecimal()


def _confs(host):
    return lxc_conf.split_all(host.run_expect([0], lxc_conf.QUESTION).stdout)


def _machines(host):
    confs = qemu_conf.split_all(host.run_expect([0], qemu_conf.QUESTION).stdout)
    return {vmid: qemu_conf.parse(text).keys for vmid, text in confs.items()}


def _jobs(host):
    return jobs_cfg.backups(host.run_expect([0], jobs_cfg.QUESTION).stdout)


def _storages(host):
    return storage_cfg.parse(host.run_expect([0], STORAGES).stdout)
