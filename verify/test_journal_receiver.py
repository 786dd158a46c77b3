"""Receivers of journals: their files are there and read, the unit runs, and it answers."""

import pytest

from phoenix_hypervisor import units
from phoenix_hypervisor.dialects import systemd
from phoenix_hypervisor.kinds.journal_receiver import CLEANED, CONFIG, SINCE

FILES = f"""\
for file in {CONFIG} {CLEANED}; do
    printf '\\036'
    [ ! -f "$file" ] || cat "$file"
done
"""
# what is asked is nothing that it does: it says so, and keeps no line of ours
ASK = """\
command -v curl >/dev/null || exit 127
curl -sS -m 20 --noproxy '*' -o /dev/null -w '%%{http_code}' %s 2>&1 || :
"""
REFUSED = "406"


def test_present(host, journal_receiver):
    assert (journal_receiver.unit.look(host).sort != "missing") == journal_receiver.present


def test_foreign(host, journal_receiver):
    unit = journal_receiver.unit
    assert {"foreign": unit.foreign(unit.look(host))} == {"foreign": ""}


@pytest.mark.precondition
def test_can_be_limited(host, journal_receiver):
    """The host's systemd is one that keeps the limits which are declared."""
    assert {"limits": _limits(host, journal_receiver)} == {"limits": "kept"}


def test_limits(host, journal_receiver):
    """It still is, or the limits are newer than the receiver."""
    assert {"limits": _limits(host, journal_receiver)} == {"limits": "kept"}


def test_config(host, journal_receiver):
    actual, desired = systemd.parse(_files(host)[0]), systemd.parse(journal_receiver.config)
    gone = dict.fromkeys(actual.keys() | desired.keys(), ())
    assert {**gone, **actual} == {**gone, **desired}


def test_cleaned(host, journal_receiver):
    """How long files are kept into which nothing comes any more."""
    lines = [line for line in _files(host)[1].splitlines() if line and not line.startswith("#")]
    assert {"kept": lines} == {"kept": journal_receiver.cleaned.splitlines()}


def test_settings(host, journal_receiver):
    unit = journal_receiver.unit
    actual, desired = unit.look(host).differing(unit.text)
    assert actual == desired


def test_read(host, journal_receiver):
    """systemd knows the file as it is now."""
    actual = journal_receiver.unit.state(host)["NeedDaemonReload"]
    assert {"daemon_reload": actual} == {"daemon_reload": "no"}


def test_told(host, journal_receiver):
    """No change of its files still waits for what runs to be told."""
    assert {"waiting": journal_receiver.unit.look(host).waiting} == {"waiting": False}


def test_service(host, journal_receiver):
    unit = journal_receiver.unit
    actual = {"active": unit.active(host), "enabled": unit.state(host)["UnitFileState"]}
    assert actual == {"active": "active", "enabled": "enabled"}


@pytest.mark.probe
def test_answers(host, journal_receiver):
    said = host.run_expect([0], ASK, journal_receiver.address).stdout.strip()
    assert {journal_receiver.address: "answers" if said == REFUSED else said} == {
        journal_receiver.address: "answers"
    }


def owned(host):
    """The receiver, if our drop-in is there. There is one for each host, whatever it is called."""
    return units.owned(host, "journal_receiver")


def _limits(host, journal_receiver):
    """What becomes of declared limits: `kept`, or why not."""
    version = host.run_expect([0], "systemctl --version").stdout.split()[1]
    old = journal_receiver.limited and int(version.partition(".")[0]) < SINCE
    return f"systemd {version} keeps none" if old else "kept"


def _files(host):
    """What is in its settings and in what is said of old files; empty where there is no file."""
    _, config, cleaned = host.run_expect([0], FILES).stdout.split("\036")
    return config, cleaned
