"""Prometheus: its files are there and read, it runs by them, and each of its targets is up."""

import json
import shlex

import pytest

from phoenix_hypervisor import units
from phoenix_hypervisor.dialects import prometheus
from phoenix_hypervisor.kinds.prometheus_server import CONFIG, RULES, TOLD

FILES = f"""\
for file in {CONFIG} {RULES}; do
    printf '\\036'
    [ ! -f "$file" ] || cat "$file"
done
"""
HEAD = "# Written by phoenix: "
# Right after its start it knows no targets, and for a while not how they are: each is asked in its turn.
# One that is down is believed once all were asked since we came, for what was repaired is down until then.
ASK = """\
command -v curl >/dev/null || exit 127
set -- %s
export LC_ALL=C
format=+%%Y-%%m-%%dT%%H:%%M:%%S
utc=$(date -u "$format") here=$(date "$format") end=$(($(date +%%s) + $3))
of() { printf '%%s' "$said" | grep -o "$1" || :; }
while :; do
    said=$(curl -sS -m 10 --noproxy '*' "$1/api/v1/targets?state=active" 2>&1) || :
    [ "$(of '"health":"up"' | wc -l)" -lt "$2" ] || break
    looks=$(of '"lastScrape":"[^"]*"' | cut -d '"' -f 4 | sort)
    oldest=$(printf '%%s\\n' "$looks" | head -n 1)
    case $oldest in *Z) since=$utc ;; *) since=$here ;; esac
    if [ "$(printf '%%s\\n' "$looks" | wc -l)" -ge "$2" ]; then
        [ "$(printf '%%s\\n' "$since" "$oldest" | sort | head -n 1)" != "$since" ] || break
    fi
    [ "$(date +%%s)" -lt "$end" ] || break
    sleep 1
done
printf '%%s\\n' "$said"
"""
READY = """\
command -v curl >/dev/null || exit 127
set -- %s
end=$(($(date +%%s) + $2))
until code=$(curl -sS -m 5 --noproxy '*' -o /dev/null -w '%%{http_code}' "$1/-/ready" 2>&1) &&
    [ "$code" = 200 ] || [ "$(date +%%s)" -ge "$end" ]; do
    sleep 1
done
printf '%%s\\n' "$code"
curl -sS -m 5 --noproxy '*' "$1/api/v1/status/runtimeinfo" 2>&1 || :
"""


def test_present(host, prometheus_server):
    assert (prometheus_server.unit.look(host).sort != "missing") == prometheus_server.present


def test_foreign(host, prometheus_server):
    unit = prometheus_server.unit
    assert {"foreign": unit.foreign(unit.look(host))} == {"foreign": ""}


def test_config(host, prometheus_server):
    """What it is told, and each target by itself."""
    desired = prometheus.flat(prometheus_server.config)
    try:
        found = prometheus.flat(_files(host)[0] or "{}")
    except ValueError:
        found = {"config": "somebody else's"}
    gone = dict.fromkeys(found.keys() | desired.keys())
    assert {**gone, **found} == {**gone, **desired}


def test_rules(host, prometheus_server):
    written = "\n".join(line for line in _files(host)[1].splitlines() if not line.startswith(HEAD))
    wanted = (prometheus_server.rules or "").strip()
    other = "others" if written else "none"
    actual = "as declared" if written.strip() == wanted else other
    assert {"rules": actual} == {"rules": "as declared"}


def test_settings(host, prometheus_server):
    unit = prometheus_server.unit
    actual, desired = unit.look(host).differing(unit.text)
    assert actual == desired


def test_read(host, prometheus_server):
    """systemd knows the file as it is now."""
    actual = prometheus_server.unit.state(host)["NeedDaemonReload"]
    assert {"daemon_reload": actual} == {"daemon_reload": "no"}


def test_told(host, prometheus_server):
    """No change of the unit still waits for what runs to be told."""
    assert {"waiting": prometheus_server.unit.look(host).waiting} == {"waiting": False}


def test_loaded(host, prometheus_server):
    """Nor one of its own files."""
    assert {"loaded": host.run_expect([0, 1], f"test -e {TOLD}").rc == 1} == {"loaded": True}


def test_service(host, prometheus_server):
    unit = prometheus_server.unit
    actual = {"active": unit.active(host), "enabled": unit.state(host)["UnitFileState"]}
    assert actual == {"active": "active", "enabled": "enabled"}


@pytest.mark.probe
def test_ready(host, prometheus_server):
    """It answers, and took its files when it read them last."""
    words = shlex.join([prometheus_server.address, str(prometheus_server.probe_seconds)])
    code, _, said = host.run_expect([0], READY % words).stdout.partition("\n")
    try:
        took = bool(json.loads(said)["data"]["reloadConfigSuccess"])
    except (ValueError, KeyError, TypeError):
        took = False
    assert {"ready": code.strip(), "took its files": took} == {"ready": "200", "took its files": True}


@pytest.mark.probe
def test_targets(host, prometheus_server):
    """Each is up; of one that is down the reason is said, as Prometheus has it."""
    targets = prometheus_server.targets
    words = [prometheus_server.address, str(len(targets)), str(prometheus_server.probe_seconds)]
    found = prometheus.health(host.run_expect([0], ASK % shlex.join(words)).stdout)
    actual = {one.label: found.get(one.label, "not asked") for one in targets}
    assert actual == {one.label: prometheus.UP for one in targets}


def owned(host):
    """The server, if our drop-in is there. There is one for each host, whatever it is called."""
    return units.owned(host, "prometheus_server")


def _files(host):
    """What is in its configuration and in its rules; empty where there is no file."""
    _, config, rules = host.run_expect([0], FILES).stdout.split("\036")
    return config, rules
