"""Senders of journals: our drop-in is there and read, the unit runs, and a line arrives."""

import shlex

import pytest

from phoenix_hypervisor import units
from phoenix_hypervisor.dialects.journal import SENDER, STATE

# The sender notes how far it has come when the receiver has said that it took everything up to there.
# Both places are cursors: the `t` in them is the time of the entry, in microseconds. A sender that was
# started again and again meanwhile finds nobody, and will not while we wait.
ARRIVES = """\
command -v logger >/dev/null || exit 127
set -- %s
unit=$3
read -r mark </proc/sys/kernel/random/uuid
starts() { systemctl show -p NRestarts --value "$unit"; }
before=$(starts)
logger -t phoenix "does this line arrive where journals are received? $mark"
begun=$(date +%%s)
line='' sent='' late=''
while :; do
    [ -n "$line" ] || line=$(journalctl -q --no-pager -t phoenix -n 20 -o json | grep -F "$mark" |
        sed -n 's/.*"__CURSOR" *: *"[^"]*;t=\\([0-9a-f]*\\);.*/\\1/p' | tail -n 1)
    sent=$(sed -n 's/^LAST_CURSOR=.*;t=\\([0-9a-f]*\\);.*/\\1/p' "$2" 2>/dev/null) || :
    [ -z "$line" ] || [ "$((0x${sent:-0}))" -lt "$((0x$line))" ] || break
    waited=$(($(date +%%s) - begun))
    [ "$waited" -lt 10 ] || [ "$(starts)" -lt "$((before + 2))" ] || late=yes
    if [ -n "$late" ] || [ "$waited" -ge "$1" ]; then
        printf 'not after %%s s: ' "$waited"
        [ -n "$line" ] || { echo 'the journal here does not have it'; exit 0; }
        journalctl -u "$unit" -n 20 -o cat --no-pager -q | grep -F 'Upload to' | tail -n 1
        exit 0
    fi
    sleep 0.2
done
echo arrived
"""


def test_present(host, journal_sender):
    assert (journal_sender.unit.look(host).sort != "missing") == journal_sender.present


def test_foreign(host, journal_sender):
    unit = journal_sender.unit
    assert {"foreign": unit.foreign(unit.look(host))} == {"foreign": ""}


def test_settings(host, journal_sender):
    unit = journal_sender.unit
    actual, desired = unit.look(host).differing(unit.text)
    assert actual == desired


def test_read(host, journal_sender):
    """systemd knows the file as it is now."""
    actual = journal_sender.unit.state(host)["NeedDaemonReload"]
    assert {"daemon_reload": actual} == {"daemon_reload": "no"}


def test_told(host, journal_sender):
    """No change of the file still waits for what runs to be told."""
    assert {"waiting": journal_sender.unit.look(host).waiting} == {"waiting": False}


def test_service(host, journal_sender):
    """Or it waits to try again, which is no more than that nobody receives: the probe says so."""
    found = journal_sender.unit.state(host)
    waits = found["SubState"] == "auto-restart"
    actual = {
        "active": "active" if waits else journal_sender.unit.active(host),
        "enabled": found["UnitFileState"],
    }
    assert actual == {"active": "active", "enabled": "enabled"}


@pytest.mark.probe
def test_a_line_arrives(host, journal_sender):
    """What is logged here now is soon where journals are received, and taken there."""
    words = shlex.join([str(journal_sender.probe_seconds), STATE, SENDER])
    said = host.run_expect([0], ARRIVES % words).stdout.strip()
    assert {f"a line to {journal_sender.url}": said} == {f"a line to {journal_sender.url}": "arrived"}


def owned(host):
    """The sender, if our drop-in is there. There is one for each host, whatever it is called."""
    return units.owned(host, "journal_sender")
