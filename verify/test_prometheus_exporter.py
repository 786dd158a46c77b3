"""Exporters: our drop-in is there and read, the unit runs, and metrics come."""

import pytest

from phoenix_hypervisor import units

ASK = """\
command -v curl >/dev/null || exit 127
curl -sS -m 20 --noproxy '*' -o /dev/null -w '%%{http_code} %%{content_type}' %s 2>&1 || :
"""
SILENT = "no metrics"


def test_present(host, prometheus_exporter):
    assert (prometheus_exporter.unit.look(host).sort != "missing") == prometheus_exporter.present


def test_foreign(host, prometheus_exporter):
    unit = prometheus_exporter.unit
    assert {"foreign": unit.foreign(unit.look(host))} == {"foreign": ""}


def test_settings(host, prometheus_exporter):
    unit = prometheus_exporter.unit
    actual, desired = unit.look(host).differing(unit.text)
    assert actual == desired


def test_read(host, prometheus_exporter):
    """systemd knows the file as it is now."""
    actual = prometheus_exporter.unit.state(host)["NeedDaemonReload"]
    assert {"daemon_reload": actual} == {"daemon_reload": "no"}


def test_told(host, prometheus_exporter):
    """No change of the file still waits for what runs to be told."""
    assert {"waiting": prometheus_exporter.unit.look(host).waiting} == {"waiting": False}


def test_service(host, prometheus_exporter):
    unit = prometheus_exporter.unit
    actual = {"active": unit.active(host), "enabled": unit.state(host)["UnitFileState"]}
    assert actual == {"active": "active", "enabled": "enabled"}


@pytest.mark.probe
def test_tells_metrics(host, prometheus_exporter):
    """Asked as Prometheus asks it."""
    said = host.run_expect([0], ASK, prometheus_exporter.url).stdout.strip()
    well = said.startswith("200 text/plain")
    assert {prometheus_exporter.url: "metrics" if well else said or SILENT} == {
        prometheus_exporter.url: "metrics"
    }


def owned(host):
    """Exporters whose drop-in is ours and still there."""
    return units.owned(host, "prometheus_exporter")
