"""No secret leaves its place: a known password is looked for in everything a run says, writes and starts."""

import base64
import contextlib
import os
import threading
from collections import Counter
from pathlib import Path

import pytest
from tests.lab.running import PASSWORD, Sort

from phoenix_hypervisor.dialects.samba import nt_hash

PASSDB = "var/lib/phoenix-lab/model.json"
"""The lab's own passdb: it holds the hash, as the real one does, and never the value."""
ZVOLS = "var/lib/phoenix-lab/zvols/quickOS/vm-disks"
"""What is on machines' disks."""


def forms():
    """The password as it could be met: itself, encoded with what surrounds it on a stdin, and its hash."""
    value = PASSWORD.encode()
    twice = base64.b64encode(value + b"\n" + value + b"\n")
    return {
        "the value": value,
        "the value, encoded": base64.b64encode(value).rstrip(b"=")[:-2],
        "the stdin, encoded": twice[:16],
        "the hash": nt_hash(value).encode(),
        "the hash in small letters": nt_hash(value).lower().encode(),
    }


def seen_in(data: bytes):
    return [name for name, form in forms().items() if form in data]


OFTEN = 10
"""Looks; and that many rounds lie between two of those that come later."""


class Watch(threading.Thread):
    """Reads the arguments and the environment of all processes, again and again."""

    def __init__(self):
        super().__init__(daemon=True)
        self.done = threading.Event()
        self.texts = set()

    def run(self):
        # Most processes live for milliseconds. So what was seen often is looked at less often.
        seen, round_ = Counter(), 0
        while not self.done.wait(0.001):
            round_ += 1
            for name in os.listdir("/proc"):
                if name.isdecimal() and (seen[name] < OFTEN or round_ % OFTEN == 0):
                    seen[name] += 1
                    self.look_at(name)

    def look_at(self, name):
        for file in ("cmdline", "environ"):
            with contextlib.suppress(OSError):
                self.texts.add(Path("/proc", name, file).read_bytes())

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()


def files(site):
    """Every file below the site's folder and the node, but the disks, which nothing reads as files."""
    for folder, folders, names in os.walk(site.folder):
        if Path(folder) == site.node.folder:
            folders.remove("disks")
        yield from (
            path for name in names if (path := Path(folder, name)).is_file() and not path.is_symlink()
        )


def look_for_it(site, *runs, allowed=()):
    for ran in runs:
        assert seen_in(ran.out.encode() + ran.err.encode()) == [], ran
    found = {str(path): seen_in(path.read_bytes()) for path in files(site) if path not in allowed}
    passdb = found.pop(str(site.node.root / PASSDB))
    assert {path: forms for path, forms in found.items() if forms} == {}
    assert set(passdb) <= {"the hash"}


def test_from_a_fresh_node_to_the_health_check_it_is_nowhere(fresh):
    rendered = fresh.run("render")
    planned = fresh.run("plan", "--json")
    with Watch() as watch:
        applied = fresh.run("apply", "--json")
    again = fresh.run("-v", "apply", "--yes")
    checked = fresh.pytest("-v", "-k", "samba", "-l", "--tb=long", "--junitxml=report.xml")
    assert [ran.status for ran in (rendered, planned, applied, again, checked)] == [0, 2, 0, 0, 0]
    look_for_it(fresh, rendered, planned, applied, again, checked)
    assert "<secret samba/heads>" in planned.out
    processes = {name for text in watch.texts for name in seen_in(text)}
    assert processes == set()
    assert any(b"smbpasswd" in text for text in watch.texts)  # it was looked at the right time
    assert "the hash" in seen_in((fresh.node.root / PASSDB).read_bytes())  # and for the right thing


@pytest.mark.parametrize(
    "tool",
    ["exit 1", "cat >&2; exit 1", "cat; exit 1", "kill -9 $PPID"],
    ids=["fails", "repeats its input on stderr", "repeats its input on stdout", "kills who called it"],
)
def test_a_tool_that_fails_with_the_password_in_its_hands_tells_nobody(converged, tool):
    converged.drift("samba-password")
    for name in ("smbpasswd", "smbclient"):
        converged.on_node(f"printf '#!/bin/sh\\n{tool}\\n' > /usr/local/sbin/{name}")
    applied = converged.run("apply", "--json")
    said = converged.run("apply", "--yes", "-v")
    assert (applied.status, said.status) == (1, 1)
    look_for_it(converged, applied, said)


def test_a_health_check_that_fails_everywhere_tells_nobody(converged):
    """The login fails because the tool repeats what it reads; the longest report with all variables."""
    converged.on_node("printf '#!/bin/sh\\ncat; exit 1\\n' > /usr/local/sbin/smbclient")
    ran = converged.pytest("-v", "-k", "samba", "-l", "--tb=long", "--junitxml=report.xml", "-rA")
    assert ran.status == 1
    assert "test_login" in ran.out
    look_for_it(converged, ran)


def test_a_connection_that_breaks_with_the_password_under_way_tells_nobody(converged):
    converged.drift("samba-password")
    converged.fault(Sort.DROP, 2)
    ran = converged.run("apply", "--yes", "-v")
    assert ran.status == 3
    look_for_it(converged, ran)


def test_a_secret_inside_a_guest_is_in_its_file_and_nowhere_else(whole_converged):
    guest = whole_converged.folder / "configs/guests/953-gateway.yaml"
    secret = "/etc/gateway.key: { content: 'key = @KEY@', values: { KEY: !secret samba/heads } }"
    text = guest.read_text()
    section = "host_file:\n"
    assert section not in text
    guest.write_text(f"{text}\n{section}  {secret}\n")
    rendered = whole_converged.run("render")
    planned = whole_converged.run("plan", "--json")
    with Watch() as watch:
        applied = whole_converged.run("apply", "--json")
    again = whole_converged.run("-v", "apply", "--yes")
    checked = whole_converged.pytest("-v", "-k", "host_file", "-l", "--tb=long", "--junitxml=report.xml")
    assert [ran.status for ran in (rendered, planned, applied, again, checked)] == [0, 2, 0, 0, 0]
    (kept,) = whole_converged.node.root.glob("quickOS/lxc-disks/subvol-953-disk-0/etc/gateway.key")
    assert (kept.read_bytes(), kept.stat().st_mode & 0o777) == (b"key = " + PASSWORD.encode(), 0o600)
    # the desktop's own secret, which has the same value here
    (token,) = whole_converged.node.root.glob(
        f"{ZVOLS}/vm-8001-disk-0/etc/jupyter/jupyter_server_config.json"
    )
    assert (seen_in(token.read_bytes()), token.stat().st_mode & 0o777) == (["the value"], 0o600)
    look_for_it(whole_converged, rendered, planned, applied, again, checked, allowed={kept, token})
    assert {name for text in watch.texts for name in seen_in(text)} == set()
    assert any(b"lxc-attach" in text for text in watch.texts)  # it was looked at the right time
