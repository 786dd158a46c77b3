"""Journals between two nodes with a real systemd: sent, received, kept, and sent later if nobody received."""

import pytest

from .hub import until

pytestmark = pytest.mark.real

TO, FROM = "alpha", "beta"
TARGETS = ("--target", f"journal_receiver:{TO}", "--target", f"journal_sender:{FROM}")
KEPT = "/var/log/journal/remote"
AGE = "touch -m -d '40 days ago' {0}/old.journal; touch {0}/new.journal; systemd-tmpfiles --clean; ls {0}"


@pytest.fixture
def journals(fresh):
    """Two nodes; what they should be is written anew by each call, and put back in the end."""
    files = {name: fresh.site.folder / f"configs/nodes/{name}.yaml" for name in (TO, FROM)}
    before = {path: path.read_text() for path in files.values()}

    def declare(receiver, sender):
        for name, kind, settings in ((TO, "journal_receiver", receiver), (FROM, "journal_sender", sender)):
            files[name].write_text(f"{before[files[name]]}{kind}: {settings}\n")

    yield fresh, declare
    for path, text in before.items():
        path.write_text(text)


def test_what_is_logged_here_arrives_there_also_when_nobody_received_for_a_while(journals):
    cluster, declare = journals
    there, here = cluster[TO], cluster[FROM]

    def arrived(text):
        return text in there.try_(f"journalctl -D {KEPT} -q -o cat -t test _HOSTNAME={FROM}")[1]

    def shown(node, unit, name):
        return node.run(f"systemctl show -P {name} systemd-journal-{unit}").strip()

    def converge():
        """The receiver first: nodes do not wait for each other."""
        for targets in (TARGETS[:2], TARGETS):  # the sender's probe waits until a line has arrived
            applied = cluster.apply(*targets)
            assert applied.status == 0, applied.told

    declare("{ max_use: 1G, keep_days: 30 }", "{ retry_seconds: 1 }")
    if there.run("systemctl --version").split()[1] == "252":  # limits came with 253
        refused = cluster.site.run("plan", *TARGETS)
        assert "systemd 252 keeps none: take them out, or upgrade the host" in refused.out, refused
        declare("{ keep_days: 30 }", "{ retry_seconds: 1 }")
    converge()
    assert [shown(there, "remote.service", one) for one in ("ActiveState", "UnitFileState")] == [
        "active",
        "enabled",
    ]
    here.run("logger -t test first")
    until("a line is there", lambda: arrived("first"))

    there.run("systemctl stop systemd-journal-remote.socket systemd-journal-remote.service")
    here.run("logger -t test second")
    until("it tries for ever", lambda: int(shown(here, "upload", "NRestarts")) > 5, 120)
    planned = cluster.site.run("plan", *TARGETS)
    assert planned.status == 2, planned.told
    assert not arrived("second")
    converge()
    until("what waited is there", lambda: arrived("second"))
    again = cluster.apply(*TARGETS, "--json")
    assert (again.status, again.document["steps"]) == (0, [])

    left = there.run(AGE.format(KEPT)).split()
    assert "new.journal" in left
    assert "old.journal" not in left
    assert f"remote-{here.address}.journal" in left
    declare("{ state: absent }", "{ state: absent }")
    gone = cluster.apply(*TARGETS)
    assert gone.status == 0, gone.told
    for node, unit in ((there, "remote.service"), (there, "remote.socket"), (here, "upload")):
        assert shown(node, unit, "ActiveState") == "inactive", unit
        assert shown(node, unit, "DropInPaths") == "", unit
    assert arrived("second")  # it is kept
