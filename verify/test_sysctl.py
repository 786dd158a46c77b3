"""Kernel parameters: in the running kernel, and for the next boot."""

from phoenix_hypervisor.dialects import sysctl as written

OURS = "/etc/sysctl.d/zz-phoenix-"
FILES = "grep -sH '' " + " ".join(f"{folder}/*.conf" for folder in written.FOLDERS)
# The values of all parameters that have a file of ours, in one answer.
RUNNING = """\
set -e
set -- $(find /etc/sysctl.d -name 'zz-phoenix-*.conf' -exec sed -n 's/^\\([^#= ]*\\) *=.*/\\1/p' {} +)
[ $# -eq 0 ] || sysctl -e "$@"
"""


def test_present(host, sysctl):
    assert bool(_own(host, sysctl.file)) == sysctl.present


def test_running(host, sysctl):
    actual = written.parse(host.run_expect([0], RUNNING).stdout).get(sysctl.name)
    assert {"running": actual} == {"running": sysctl.value}


def test_boot(host, sysctl):
    """What our file says."""
    assert {"boot": dict(written.parse(_own(host, sysctl.file)))} == {"boot": {sysctl.name: sysctl.value}}


def test_all_files(host, sysctl):
    """What the next boot sets, all files taken together."""
    actual = written.merged("\n".join(_lines(host))).get(sysctl.name)
    assert {"all_files": actual} == {"all_files": sysctl.value}


def owned(host):
    """Parameters in files of our own."""
    files = {line.partition(":")[0] for line in _lines(host) if line.startswith(OURS)}
    return {file.removeprefix(OURS).removesuffix(".conf").replace("%", "/") for file in files}


def _lines(host):
    return host.run_expect([0, 1, 2], FILES).stdout.splitlines()


def _own(host, file):
    return "\n".join(line.partition(":")[2] for line in _lines(host) if line.startswith(f"{file}:"))
