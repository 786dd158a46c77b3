"""Shared folders: there, with the declared owner and mode. That a guest sees them is for its own checks."""

import shlex

from phoenix_hypervisor.resource import made

FOLDER = """\
set -e
path=%s
if [ -d "$path" ]; then stat -c '%%u %%g %%a' "$path"; fi
"""
NOTES = f"""\
for note in {made("shared_volume", "*")}; do
    [ -e "$note" ] || continue
    read -r path <"$note"
    if [ -d "$path" ]; then printf '%s %s\\n' "$(basename "$note")" "$path"; fi
done
"""


def test_present(host, shared_volume):
    # what others put into it stays: declared absent, it is enough that it is no longer ours
    found = _path(host, shared_volume) if shared_volume.present else _noted(host).get(shared_volume.name)
    assert bool(found) == shared_volume.present


def test_path(host, shared_volume):
    assert _path(host, shared_volume) == shared_volume.path


def test_access(host, shared_volume):
    actual = _access(host, _path(host, shared_volume))
    assert {name: actual[name] for name in shared_volume.access} == shared_volume.access


def owned(host):
    """Volumes whose folder we noted as made by us, and that is still there."""
    return set(_noted(host))


def _noted(host):
    """Volume → the folder we made for it, if it is there."""
    return dict(line.split(" ", 1) for line in host.run_expect([0], NOTES).stdout.splitlines())


def _path(host, shared_volume):
    """The folder we made last; otherwise the declared one, if somebody made it; empty if there is none."""
    found = _noted(host).get(shared_volume.name, "")
    return found or (shared_volume.path if _access(host, shared_volume.path) else "")


def _access(host, path):
    said = host.run_expect([0], FOLDER % shlex.quote(path)).stdout.split()
    return dict(zip(("owner", "group", "mode"), said, strict=True)) if said else {}
