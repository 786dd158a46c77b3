"""Units of systemd: there, ours, as declared, read by systemd, enabled and running or not; they answer."""

import shlex

import pytest

from phoenix_hypervisor import units
from phoenix_hypervisor.dialects import rdp

# How often it is asked is limited by time alone; an empty line now and then, so that nobody takes the host
# for dead. What does not run any more is not waited for.
UNTIL = """\
unit=%s said=
end=$(($(date +%%s) + %d))
while :; do
%s
    systemctl is-active -q "$unit" || break
    [ "$(date +%%s)" -lt "$end" ] || break
    echo
    sleep 1
done
printf '%%s\\n' "$said"
"""
PAGE = """\
    said=$(curl -s -m 5 -w '\\n%%{http_code}' %s) || [ $? -lt 126 ] || exit 127
    [ "${said##*[!0-9]}" != 200 ] || break
"""
# Only a port on which somebody listens is talked to; one answer of a client's first message is one read.
DESKTOP = """\
    command -v bash >/dev/null || exit 127
    open=$(ss -Hltn) || exit 127
    if printf '%%s\\n' "$open" | grep -q ':%d '; then
        talk='exec 3<>"/dev/tcp/127.0.0.1/$0" && printf "$1" >&3 && dd bs=64 count=1 <&3'
        said=$(timeout 5 bash -c "$talk" %d %s 2>/dev/null | od -An -v -tx1 | tr -d ' \\n')
        [ -z "$said" ] || break
    fi
"""


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


@pytest.mark.probe
def test_answers(host, systemd_unit):
    """What is asked for over the network answers as it should."""
    wanted, unit = systemd_unit.answers, systemd_unit.unit
    if wanted is None:
        pytest.skip("nothing is declared that would answer")
    if systemd_unit.running is False:
        pytest.skip("it should not run")
    if wanted.http:
        said = _said(host, systemd_unit, PAGE % shlex.quote(wanted.http))
        body, _, code = said.rpartition("\n")
        found = {"answers": code if code.strip("0") else f"nothing: {unit.last_words(host)}"}
        found |= {"says": wanted.says in body} if wanted.says and code == "200" else {}
        assert found == {"answers": "200", **({"says": True} if wanted.says else {})}
    else:
        request = "".join(f"\\{byte:03o}" for byte in rdp.REQUEST)
        said = _said(host, systemd_unit, DESKTOP % (wanted.rdp, wanted.rdp, shlex.quote(request)))
        found = rdp.offered(bytes.fromhex(said)) if said else f"nothing: {unit.last_words(host)}"
        assert {"answers": found} == {"answers": rdp.TLS}


def _said(host, systemd_unit, asked):
    """What was answered in the end; empty for nothing."""
    unit, seconds = shlex.quote(systemd_unit.name), systemd_unit.answers.seconds
    return host.run_expect([0], UNTIL % (unit, seconds, asked)).stdout.strip()


def seen(host, systemd_unit):
    """Whether it is ours: what we did not make is not removed."""
    return systemd_unit.unit.look(host)


def owned(host):
    """Units we noted as made by us whose file is still there."""
    return units.owned(host, "systemd_unit")
