"""Units of systemd: there, ours, as declared, read by systemd, enabled and running or not."""

import pytest

from phoenix_hypervisor import units


def test_present(host, systemd_unit):
    assert (systemd_unit.unit.look(host).sort != "missing") == systemd_unit.present


def test_foreign(host, systemd_unit):
    """Somebody else's unit is not ours to change."""
    unit = systemd_unit.unit
    assert {"foreign": unit.foreign(unit.look(host))} == {"foreign": ""}


def test_settings(host, systemd_unit):
    """By `Section.Key`, whatever the order of lines and the comments between them."""
    actual, desired = systemd_unit.unit.look(host).differing(systemd_unit.text)
    assert actual == desired


def test_read(host, systemd_unit):
    """systemd knows the file as it is now."""
    assert {"daemon_reload": systemd_unit.unit.state(host)["NeedDaemonReload"]} == {"daemon_reload": "no"}


def test_told(host, systemd_unit):
    """No change of the file still waits for what runs to be told."""
    assert {"waiting": systemd_unit.unit.look(host).waiting} == {"waiting": False}


def test_enabled(host, systemd_unit):
    if systemd_unit.starts is None:
        pytest.skip("whether it is started with the host is left as it is")
    actual = systemd_unit.unit.state(host)["UnitFileState"]
    assert {"enabled": actual} == {"enabled": "enabled" if systemd_unit.starts else "disabled"}


def test_active(host, systemd_unit):
    if systemd_unit.running is None:
        pytest.skip("whether it runs is left as it is")
    unit = systemd_unit.unit
    if systemd_unit.running:
        assert {"active": unit.active(host)} == {"active": "active"}
    else:
        stopped = unit.state(host)["ActiveState"] in ("inactive", "failed")
        assert {"active": not stopped} == {"active": False}


def seen(host, systemd_unit):
    """Whether it is ours: what we did not make is not removed."""
    return systemd_unit.unit.look(host)


def owned(host):
    """Units we noted as made by us whose file is still there."""
    return units.owned(host, "systemd_unit")
