"""Files: there, ours, with the declared content, owner and mode, and read by who reads them."""

import shlex
from typing import NamedTuple

from phoenix_hypervisor.resource import made
from phoenix_hypervisor.secrets import RUN_KEY

# What is behind a link is not looked at. `cat` is asked twice, for a pipe ends as its last part does.
FILE = f"""\
set -e
path=%s
if [ -e %s ]; then echo noted; else echo foreign; fi
if [ -h "$path" ]; then echo link
elif [ ! -e "$path" ]; then echo missing
elif [ ! -f "$path" ]; then echo other
else
    echo file
    stat -c '%%U %%G %%a' "$path"
    cat "$path" >/dev/null
    {{ printf '%%s:' {RUN_KEY}; cat "$path"; }} | sha256sum | cut -c1-64
fi
"""
# What a clone took over from its layer is the layer's: a note says on which host it was written.
OURS = f"""\
for note in {made("host_file", "*")}; do
    [ -e "$note" ] || continue
    {{ read -r path && read -r unit && read -r maker; }} <"$note"
    [ "$maker" = "$(uname -n)" ] || continue
    if [ -e "$path" ] || [ -h "$path" ]; then printf '%s\\n' "$path"; fi
done
"""


class Found(NamedTuple):
    """What lies at a path: `file`, `link`, `other` or `missing`, and whether we noted that it is ours."""

    sort: str
    noted: bool
    access: dict[str, str]
    digest: str


def test_present(host, host_file):
    assert (_found(host, host_file).sort != "missing") == host_file.present


def test_foreign(host, host_file):
    """Somebody else's file is not ours to change, and what is no file never is."""
    assert {"foreign": _foreign(_found(host, host_file), host_file)} == {"foreign": ""}


def test_content(host, host_file):
    same = _found(host, host_file).digest == host_file.text.keyed_digest()
    assert ("as declared" if same else "another one") == "as declared"


def test_access(host, host_file):
    actual = _found(host, host_file).access
    assert {name: actual.get(name, "") for name in host_file.access} == host_file.access


def test_loaded(host, host_file):
    """No change of the file still waits for the unit to be told."""
    waits = bool(host_file.waiting) and host.run_expect([0, 1], "test -e %s", host_file.waiting).rc == 0
    assert waits == False  # noqa: E712  (one comparison, both sides to be shown)


def seen(host, host_file):
    """Whether it is ours: what we did not make is not removed without being asked twice."""
    return _found(host, host_file)


def owned(host):
    """Files we noted as made by us that are still there."""
    return set(host.run_expect([0], OURS).stdout.splitlines())


def _foreign(found, host_file):
    right = found.digest == host_file.text.keyed_digest() and found.access == host_file.access
    if found.sort == "other":
        return "not a file"
    if found.noted or host_file.overwrite or right:
        return ""
    return "somebody else's link" if found.sort == "link" else "somebody else's file"


def _found(host, host_file):
    path, note = shlex.quote(host_file.name), shlex.quote(host_file.note)
    mark, sort, *rest = host.run_expect([0], FILE % (path, note)).stdout.splitlines()
    owner, group, mode = rest[0].split() if rest else ("", "", "")
    access = {"owner": owner, "group": group, "mode": mode} if rest else {}
    return Found(sort, mark == "noted", access, rest[1] if rest else "")
