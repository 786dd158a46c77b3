"""Packages: installed, of the declared version, held."""

import pytest

from phoenix_hypervisor.dialects import dpkg
from phoenix_hypervisor.resource import made

# One answer for all packages of a host.
LIST = f"dpkg-query -W -f '{dpkg.FORMAT}'"
NOTES = f"grep -sH '' {made('apt_package', '*')} || :"
CUT_OFF = "find /var/lib/dpkg -maxdepth 2 -path '*/updates/[0-9]*'"


def test_present(host, apt_package):
    assert (apt_package.name in _installed(host)) == apt_package.present


@pytest.mark.precondition
def test_dpkg_was_not_interrupted(host, apt_package):
    """What dpkg leaves when it is cut off; APT does nothing then, and a person should look."""
    found = host.run_expect([0], CUT_OFF).stdout.split()
    assert {"dpkg": "interrupted" if found else "ready"} == {"dpkg": "ready"}


def test_version(host, apt_package):
    actual = _installed(host)[apt_package.name].version
    assert {"version": actual} == {"version": apt_package.version or actual}


def test_hold(host, apt_package):
    """A hold of somebody else's is left; one of ours goes when it is declared no longer."""
    held = _installed(host)[apt_package.name].held
    desired = apt_package.state == "held"
    ours = "held" in _notes(host).get(apt_package.name, [])
    assert {"hold": held if desired or ours else False} == {"hold": desired}


def seen(host, apt_package):
    """Whether we installed it."""
    return "installed" in _notes(host).get(apt_package.name, [])


def owned(host):
    """Packages that we installed or held and that are still there."""
    noted = _notes(host)
    return noted.keys() & _installed(host).keys() if noted else set()


def _installed(host):
    return dpkg.installed(host.run_expect([0], LIST).stdout)


def _notes(host):
    """Our notes: name → what of it we did."""
    found = {}
    for line in host.run_expect([0], NOTES).stdout.splitlines():
        path, _, what = line.partition(":")
        found.setdefault(path.rpartition("/")[2], []).append(what)
    return found
