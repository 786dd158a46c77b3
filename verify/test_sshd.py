"""sshd: our file is there and read, and what sshd makes of all its files is as declared."""

from typing import Any, NamedTuple

from phoenix_hypervisor.dialects import accounts
from phoenix_hypervisor.dialects.sshd import EFFECTIVE, effective
from phoenix_hypervisor.kinds.sshd import FILE, KEYWORDS, WAITING

CONTENT = f"if [ -e {FILE} ]; then echo there; cat {FILE}; fi"


class Seen(NamedTuple):
    """What sshd has now, and as whom we are logged in by it, with all groups; empty if another way."""

    settings: Any
    user: str
    groups: frozenset[str]


def test_present(host, sshd):
    assert bool(_content(host)) == sshd.present


def test_content(host, sshd):
    same = _content(host) == f"there\n{sshd.text}"
    assert ("as declared" if same else "another one") == "as declared"


def test_settings(host, sshd):
    actual = _settings(host)
    found = {name: actual.get(KEYWORDS[name].lower(), frozenset()) for name in sshd.wanted}
    assert found == sshd.wanted


def test_loaded(host, sshd):
    """No change of the file still waits for sshd to be told."""
    waits = host.run_expect([0, 1], "test -e %s", WAITING).rc == 0
    assert waits == False  # noqa: E712  (one comparison, both sides to be shown)


def seen(host, sshd):
    """What sshd has now, and who we are to it: what would shut us out is refused."""
    there = accounts.parse(host.run_expect([0], accounts.QUESTION).stdout)
    own = there.found.get(there.me)
    return Seen(_settings(host), there.me, own.groups | {own.group} if own else frozenset())


def owned(host):
    """Our file, if it is there. There is one on a host."""
    return {"sshd"} if _content(host) else set()


def _content(host):
    return host.run_expect([0], CONTENT).stdout


def _settings(host):
    return effective(host.run_expect([0], EFFECTIVE).stdout)
