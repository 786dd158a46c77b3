"""How a file gets onto a host, run for real in a folder with every shell there is here."""

import shutil
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phoenix_hypervisor.converge import steps
from phoenix_hypervisor.converge.steps import Act, acts, carry_out, push
from phoenix_hypervisor.errors import GuestError
from phoenix_hypervisor.process import Ended, run
from phoenix_hypervisor.resource import Artifact, Confirm, Ref, Step
from phoenix_hypervisor.resource import run as step_of
from phoenix_hypervisor.secrets import Secret, Text
from phoenix_hypervisor.transport import Answer

SHELLS = [name for name in ("sh", "dash", "bash") if shutil.which(name)]


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    return request.param


def pushed(shell: str, artifact: Artifact, text: str, stdin: str | None = None, **options: str) -> Ended:
    act = push(artifact, text, **options)
    return run([shell, "-c", act.command], act.stdin if stdin is None else Text(stdin))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_comes_with_its_text_its_mode_and_its_folders(tmp_path: Path, shell: str) -> None:
    path = tmp_path / "a b" / "it's" / "file.conf"
    assert pushed(shell, Artifact(str(path), "x", 0o640), "text\nmore") == Ended(0, b"", b"")
    assert (path.read_text(), mode(path), mode(path.parent)) == ("text\nmore", 0o640, 0o755)
    assert [found.name for found in path.parent.iterdir()] == ["file.conf"]


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(st.characters(exclude_categories=("Cs",)), max_size=100))
def test_any_text_arrives_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file"
    assert pushed("sh", Artifact(str(path), "x"), text).status == 0
    assert path.read_bytes() == text.encode()


def test_an_unchanged_file_is_not_touched_but_gets_its_mode(tmp_path: Path, shell: str) -> None:
    path = tmp_path / "file"
    path.write_text("text\n")
    path.chmod(0o600)
    before = path.stat()
    assert pushed(shell, Artifact(str(path), "x", 0o644), "text\n").status == 0
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert mode(path) == 0o644


def test_a_changed_file_is_replaced_by_another_one(tmp_path: Path, shell: str) -> None:
    path = tmp_path / "file"
    path.write_text("old\n")
    with path.open() as still_open:
        assert pushed(shell, Artifact(str(path), "x", 0o755), "new\n").status == 0
        assert still_open.read() == "old\n"
    assert (path.read_text(), mode(path)) == ("new\n", 0o755)


@pytest.mark.parametrize("came", ["", "tex", "text\nx"])
def test_a_text_that_came_only_in_part_is_refused(tmp_path: Path, shell: str, came: str) -> None:
    path = tmp_path / "file"
    path.write_text("old\n")
    ended = pushed(shell, Artifact(str(path), "x"), "text\n", stdin=came)
    assert ended == Ended(1, b"", b"the file came only in part\n")
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("file", "old\n")]


def test_a_check_that_refuses_keeps_the_old_file(tmp_path: Path, shell: str) -> None:
    path = tmp_path / "file"
    path.write_text("old\n")
    check = 'grep -q good "$candidate" || { echo "not good" >&2; exit 3; }'
    ended = pushed(shell, Artifact(str(path), "x"), "bad\n", check=check)
    assert (ended.status, ended.stderr) == (3, b"not good\n")
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("file", "old\n")]
    assert pushed(shell, Artifact(str(path), "x"), "good\n", check=check).status == 0
    assert path.read_text() == "good\n"


def test_while_it_is_checked_nobody_else_can_read_it(tmp_path: Path, shell: str) -> None:
    check = f'stat -c %a "$candidate" >{tmp_path}/seen'
    assert pushed(shell, Artifact(str(tmp_path / "file"), "x"), "text\n", check=check).status == 0
    assert (tmp_path / "seen").read_text() == "600\n"


def test_a_full_disk_keeps_the_old_file(tmp_path: Path, shell: str) -> None:
    """`ulimit` lets no file grow beyond one block: the write fails as on a full disk."""
    path = tmp_path / "file"
    path.write_text("old\n")
    act = push(Artifact(str(path), "x"), "x" * 5000)
    ended = run([shell, "-c", f"trap '' XFSZ; ulimit -f 1; {act.command}"], act.stdin)
    assert ended.status != 0
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("file", "old\n")]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, shell: str) -> None:
    (tmp_path / "file").touch()
    ended = pushed(shell, Artifact(str(tmp_path / "file/below"), "x"), "text\n")
    assert ended.status != 0
    assert b"mkdir" in ended.stderr


def test_a_reload_that_must_follow_is_noted_before_the_file_is_there(
    tmp_path: Path, shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "PENDING_FOLDER", f"{tmp_path}/pending")
    path, note = tmp_path / "conf/file", tmp_path / "pending/smbd"
    assert pushed(shell, Artifact(str(path), "x"), "text\n", check="false", pending="smbd").status == 1
    assert (note.exists(), path.exists()) == (False, False)
    assert pushed(shell, Artifact(str(path), "x"), "text\n", pending="smbd").status == 0
    assert (note.exists(), path.exists()) == (True, True)
    note.unlink()
    assert pushed(shell, Artifact(str(path), "x"), "text\n", pending="smbd").status == 0
    assert note.exists() is False


def test_a_note_that_cannot_be_made_keeps_the_old_file(
    tmp_path: Path, shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pending").touch()
    monkeypatch.setattr(steps, "PENDING_FOLDER", f"{tmp_path}/pending")
    path = tmp_path / "file"
    path.write_text("old\n")
    assert pushed(shell, Artifact(str(path), "x"), "text\n", pending="smbd").status != 0
    assert path.read_text() == "old\n"


def test_what_is_run_for_each_sort_of_step() -> None:
    conf, script = Artifact("/etc/a b", "x"), Artifact("/var/x.sh", "x", 0o700, script=True)
    assert list(acts(step_of("zfs", "set", "a=b c", "tank"), "")) == [Act("zfs set 'a=b c' tank")]
    secret = Text(Secret("s"))
    assert list(acts(Step("t", argv=("cat",), stdin=secret), "")) == [Act("cat", secret)]
    assert list(acts(Step("t", push=conf, check="true", pending="smbd"), "text")) == [
        push(conf, "text", check="true", pending="smbd")
    ]
    assert list(acts(Step("t", execute=script, stdin=secret), "text")) == [
        push(script, "text"),
        Act("sh /var/x.sh", secret),
    ]
    confirm = Confirm(("arm", "it"), ("disarm",))
    assert list(acts(Step("t", execute=script, arguments=("a b",), confirm=confirm), "text")) == [
        push(script, "text"),
        Act("arm it"),
        Act("sh /var/x.sh 'a b'"),
        Act("disarm", afresh=True),
    ]


def test_a_guest_that_cannot_be_entered_fails_the_step_and_nothing_else() -> None:
    def broken(_: Act) -> Answer:
        raise GuestError("guest `web` cannot be entered: no such namespace")

    ran = carry_out(broken, Ref("web", "host_file", "/etc/x"), step_of("true"), "")
    assert ran.failure == "`true` ended with 1: guest `web` cannot be entered: no such namespace"
