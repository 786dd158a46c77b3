"""`phoenix service install` under a real systemd: taken, started, fed, heard, stopped in good order."""

import sys

import pytest

from .hub import until
from .nodes import write

pytestmark = pytest.mark.real

UNIT = "phoenix-watch-here.service"
PHOENIX = """\
#!/bin/sh
export PYTHONPATH=/opt/phoenix/generator:/opt/packages
exec /usr/bin/python3 -B -m phoenix_hypervisor "$@"
"""
FILES = {
    "configs/site.yaml": "name: here\nwatch: { interval_seconds: 1 }\n",
    "configs/nodes/alpha.yaml": 'host_file: { /etc/watched.conf: { content: "a = 1\\n" } }\n',
    "inventory/hosts.yaml": "alpha: { data: { transport: local } }\n",
}


def test_systemd_runs_the_watcher_and_hears_that_it_lives(fresh):
    alpha = fresh["alpha"]
    version = alpha.run("python3 -c 'import sys; print(*sys.version_info[:2])'").split()
    if version != [str(number) for number in sys.version_info[:2]]:
        pytest.skip(f"the nodes have Python {'.'.join(version)}, our packages are of another one")
    write(alpha.root / "usr/local/sbin/phoenix", PHOENIX, 0o755)
    for file, text in FILES.items():
        write(alpha.root / "root/site" / file, text)

    alpha.run("cd /root/site; phoenix service install")

    def shown(name):
        return alpha.run(f"systemctl show -P {name} {UNIT}").strip()

    def journal():
        return alpha.run(f"journalctl --no-pager -o cat -u {UNIT}")

    assert alpha.run(f"systemctl is-active {UNIT}; systemctl is-enabled {UNIT}") == "active\nenabled\n"
    assert alpha.run(f"systemd-analyze --man=no verify /etc/systemd/system/{UNIT} 2>&1") == ""
    assert shown("Type") == "notify"  # so it was started when it had said that it is ready
    said = "drift: alpha/host_file:/etc/watched.conf: is missing"
    until("drift is in the journal", lambda: said in journal(), 300)
    fed = int(shown("WatchdogTimestampMonotonic"))
    until("the watchdog is fed", lambda: int(shown("WatchdogTimestampMonotonic")) > fed > 0, 300)

    alpha.run("cd /root/site; phoenix service remove")

    assert "Traceback" not in journal()
    assert alpha.try_(f"systemctl cat {UNIT}")[0] == 1
    assert alpha.run("pgrep -f '[-]m phoenix_hypervisor' || echo none") == "none\n"
    fresh.let_go()
