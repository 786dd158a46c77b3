"""Appliance templates: there, and with the declared checksum."""

import shlex
from typing import NamedTuple

from phoenix_hypervisor.dialects import storage_cfg
from phoenix_hypervisor.resource import made

# As the storages' own checks ask it: one answer for all.
CONFIG = "test -d /etc/pve && { test ! -e /etc/pve/storage.cfg || cat /etc/pve/storage.cfg; }"
NOTES = f"grep -sH '' {made('ct_template', '*')} || :"


class Archive(NamedTuple):
    """One of our notes' lines: how we came by it, what it is, where it came from."""

    how: str
    volume: str
    url: str


def test_present(host, ct_template):
    assert (_actual(host, ct_template) is not None) == ct_template.present


def test_foreign(host, ct_template):
    """Somebody else's archive is not replaced."""
    actual = _actual(host, ct_template)
    wrong = _checksums(host, ct_template, actual.volume) != ct_template.checksums
    assert {"foreign": actual.volume if wrong and actual.how != "fetched" else ""} == {"foreign": ""}


def test_place(host, ct_template):
    storage, _, file = _actual(host, ct_template).volume.partition(":vztmpl/")
    assert {"storage": storage, "file": file} == {"storage": ct_template.storage, "file": ct_template.file}


def test_checksum(host, ct_template):
    assert _checksums(host, ct_template, _actual(host, ct_template).volume) == ct_template.checksums


def test_source(host, ct_template):
    """Where we fetched it from; of somebody else's archive we do not know that."""
    actual, declared = _actual(host, ct_template), ct_template.url or ""
    assert {"url": actual.url if actual.how == "fetched" else declared} == {"url": declared}


def owned(host):
    """Templates of which an archive that we fetched is there."""
    noted = {name: [one for one in lines if one.how == "fetched"] for name, lines in _notes(host).items()}
    return {name for name, lines in noted.items() if any(_there(host, one.volume) for one in lines)}


def _actual(host, ct_template):
    """The archive of our last note, if it is there; otherwise one of that name, whoever put it there."""
    noted = _notes(host).get(ct_template.name, [])
    for one in [*noted[-1:], Archive("found", ct_template.volume, "")]:
        if _there(host, one.volume):
            return one
    return None


def _notes(host):
    found = {}
    for line in host.run_expect([0], NOTES).stdout.splitlines():
        path, _, said = line.partition(":")
        found.setdefault(path.rpartition("/")[2], []).append(Archive(*said.split("\t")))
    return found


def _path(host, volume):
    storage, _, file = volume.partition(":vztmpl/")
    folder = storage_cfg.template_folder(storage_cfg.parse(host.run_expect([0], CONFIG).stdout), storage)
    return shlex.quote(f"{folder}/{file}") if folder else ""


def _there(host, volume):
    path = _path(host, volume)
    return bool(path) and host.run_expect([0, 1], f"test -f {path}").rc == 0


def _checksums(host, ct_template, volume):
    path = _path(host, volume)
    asked = {name: f"set -e; {name}sum <{path}" for name in ct_template.checksums}
    return {name: host.run_expect([0], command).stdout.split()[0] for name, command in asked.items()}
