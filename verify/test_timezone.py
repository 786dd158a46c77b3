"""The time zone."""

from phoenix_hypervisor.resource import made

# The zone, and whether we set it. /etc/timezone is a second copy that some programs of Debian read.
ZONE = f"""\
if [ -e {made("timezone", "zone")} ]; then echo noted; else echo foreign; fi
readlink /etc/localtime || echo /usr/share/zoneinfo/Etc/UTC
if [ -e /etc/timezone ]; then cat /etc/timezone; fi
"""


def test_present(host, timezone):
    noted, *zones = _found(host)
    right = timezone.present and set(zones) == {timezone.zone}
    assert (noted or right) == timezone.present


def test_zone(host, timezone):
    _, *zones = _found(host)
    assert {"zone": sorted(set(zones))} == {"zone": [timezone.zone]}


def owned(host):
    """The host's own, if we set it. There is one for each host, whatever it is called."""
    return {"zone"} if _found(host)[0] else set()


def _found(host):
    noted, link, *copies = host.run_expect([0], ZONE).stdout.splitlines()
    return (noted == "noted", link.partition("/zoneinfo/")[2], *copies)
