"""Where the clock gets its time from: our file, the service and what it knows, whether the clock is right."""

import pytest

from phoenix_hypervisor.resource import PENDING_FOLDER

CHRONY = "/etc/chrony/sources.d/phoenix.sources"
TIMESYNCD = "/etc/systemd/timesyncd.conf.d/zz-phoenix.conf"
FILES = f"grep -sH '' {CHRONY} {TIMESYNCD}"
# A service that does not run knows nothing, and cannot be asked.
RUNS = "systemctl is-active -q %s; case $? in 0) ;; 3 | 4) exit 0 ;; *) exit 9 ;; esac; "
SOURCES = {
    # with those whose name is not resolved yet
    "chrony": "chronyc -c -N sources -a",
    "systemd-timesyncd": "timedatectl show-timesync -p SystemNTPServers --value",
}
SYNCHRONISED = {
    "chrony": "chronyc waitsync 12 0 0 5",
    "systemd-timesyncd": "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do "
    "case $(timedatectl show -p NTPSynchronized --value) in yes) exit 0 ;; no) sleep 5 ;; *) exit 9 ;; esac; "
    "done; exit 1",
}


def test_present(host, ntp):
    assert bool(_files(host)) == ntp.present


def test_lines(host, ntp):
    actual = [line for line in _files(host).get(ntp.file, []) if not line.startswith("#")]
    assert {"lines": actual} == {"lines": list(ntp.lines)}


def test_leftover(host, ntp):
    """The file for the other service is gone."""
    assert {"leftover": sorted(_files(host).keys() - {ntp.file})} == {"leftover": []}


def test_service(host, ntp):
    said = host.run_expect([0], f"systemctl show -p ActiveState,UnitFileState {ntp.service}").stdout
    found = dict(line.split("=", 1) for line in said.splitlines())
    actual = {"active": found["ActiveState"], "enabled": found["UnitFileState"]}
    assert actual == {"active": "active", "enabled": "enabled"}


def test_sources(host, ntp):
    """The running service knows them."""
    said = host.run_expect([0], RUNS % ntp.service + SOURCES[ntp.service]).stdout
    if ntp.service == "chrony":
        known = {line.split(",")[2] for line in said.splitlines() if line.count(",") > 1}
    else:
        known = set(said.split())
    assert {"sources": sorted(known & set(ntp.sources))} == {"sources": list(ntp.sources)}


def test_waiting(host, ntp):
    """No change of our file still waits for the service to read it."""
    waiting = host.run_expect([0, 1], f"test -e {PENDING_FOLDER}/{ntp.service}").rc == 0
    assert {"waiting": waiting} == {"waiting": False}


@pytest.mark.probe
def test_synchronised(host, ntp):
    """The clock follows a server, within a minute."""
    assert host.run_expect([0, 1], SYNCHRONISED[ntp.service]).rc == 0


def owned(host):
    """The host's, if there is a file of ours. There is one for each host, whatever it is called."""
    return {"servers"} if _files(host) else set()


def _files(host):
    found = {}
    for line in host.run_expect([0, 1, 2], FILES).stdout.splitlines():
        path, _, content = line.partition(":")
        found.setdefault(path, []).append(content)
    return found
