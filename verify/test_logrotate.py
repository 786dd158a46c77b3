"""Rotation of logs: our section, and whether logrotate takes it."""

from phoenix_hypervisor.dialects import logrotate as written

OURS = "/etc/logrotate.d/phoenix-"
FILES = f"grep -sH '' {OURS}*"
# Tried over all files together: a log that two of them name is an error of the second.
VERDICTS = """\
said=$(logrotate -d /etc/logrotate.conf 2>&1) || [ $? -eq 1 ] || { printf '%s\\n' "$said" >&2; exit 9; }
for file in /etc/logrotate.d/phoenix-*; do
    name=${file##*/}
    wrong=$(printf '%s\\n' "$said" | grep -F -e " $name:" -e " file $name, " | grep '^error: ' | tr '\\n' ' ')
    printf '%s %s\\n' "$name" "${wrong:-taken}"
done
"""


def test_present(host, logrotate):
    assert bool(_sections(host).get(logrotate.file)) == logrotate.present


def test_paths(host, logrotate):
    paths = [section.paths for section in _sections(host)[logrotate.file]]
    assert {"paths": paths} == {"paths": [logrotate.paths]}


def test_directives(host, logrotate):
    assert dict(_sections(host)[logrotate.file][0].directives) == logrotate.directives


def test_logrotate_takes_it(host, logrotate):
    lines = host.run_expect([0], VERDICTS).stdout.splitlines()
    verdicts = dict(line.partition(" ")[::2] for line in lines)
    assert {"verdict": verdicts.get(logrotate.file.rpartition("/")[2], "").strip()} == {"verdict": "taken"}


def owned(host):
    """Sections in files of our own."""
    return {path.removeprefix(OURS) for path in _sections(host)}


def _sections(host):
    return written.files(host.run_expect([0, 1, 2], FILES).stdout)
