"""An inspection in the middle of an apply leaves alone what other threads do meanwhile."""

import sys
from types import SimpleNamespace

import pytest
from tests.unit.site_files import make

from phoenix_hypervisor.inspect import session
from phoenix_hypervisor.inspect.opening import open_site
from phoenix_hypervisor.inspect.speculation import Call, Speculation


def test_progress_told_on_stderr_meanwhile_is_not_swallowed(tmp_path, monkeypatch, capsys):
    def meanwhile(*_, **__):
        print("drawn by pytest")  # noqa: T201
        print("  ✓ another host: zpool create", file=sys.stderr)  # noqa: T201
        return pytest.ExitCode.OK

    opened = open_site(str(make(tmp_path)))
    monkeypatch.setattr(session.pytest, "main", meanwhile)
    session.inspect(opened, list(opened.site.resources), probes=True)
    assert capsys.readouterr() == ("", "  ✓ another host: zpool create\n")


@pytest.mark.parametrize("end", [pytest.skip, pytest.fail])
def test_a_check_that_skips_or_fails_itself_ends_no_other(end):
    fleet = SimpleNamespace(is_lost=lambda host: None)
    calls = [Call("pve", "first", lambda: end("not here")), Call("pve", "second", lambda: None)]
    assert Speculation(fleet, ["pve"]).run(calls) == {"second"}
