"""`phoenix secrets`: what goes to stdout and stderr, and that no value ever stands where it can be read."""

import os
import pty
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pyrage
import pytest
from click.testing import CliRunner, Result

import phoenix_hypervisor
from phoenix_hypervisor.cli import secrets as cli
from phoenix_hypervisor.errors import PhoenixError, SecretError, UsageError
from phoenix_hypervisor.secretstore import SecretSettings, SiteStore, contents, editing, open_store

CANARY = "canary-7f3d"
GENERATOR = str(Path(phoenix_hypervisor.__file__).parent.parent)
NEXT = "the next `phoenix apply` brings it to the nodes"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site with an identity and no secret yet."""
    for variable in ("PHOENIX_AGE_IDENTITY", "VISUAL", "EDITOR"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/site.yaml").write_text("name: reference\n")
    call(tmp_path, "init")
    return tmp_path


def call(site: Path, *words: str, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(cli.secrets, words, obj=SimpleNamespace(site_folder=site), input=stdin)


def good(site: Path, *words: str, stdin: str | bytes = "") -> tuple[str, str]:
    """Call a command that must succeed: its stdout and stderr."""
    result = call(site, *words, stdin=stdin)
    assert result.exception is None, result.exception
    assert CANARY not in result.output
    return result.stdout, result.stderr


def refusal(site: Path, *words: str, stdin: str | bytes = "", sort: type[PhoenixError] = SecretError) -> str:
    """Call a command that must end in an error: the error's whole text."""
    result = call(site, *words, stdin=stdin)
    assert type(result.exception) is sort
    assert CANARY not in result.output + str(result.exception)
    assert result.stdout == ""
    return str(result.exception)


def store(site: Path) -> SiteStore:
    return open_store(SecretSettings(), site)


def sealed(site: Path) -> bytes:
    return (site / "configs/secrets.age").read_bytes()


# --- init -------------------------------------------------------------------------------------------------


def test_init_makes_an_identity_that_stays_out_of_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PHOENIX_AGE_IDENTITY", raising=False)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/site.yaml").write_text("name: reference\n")
    path = tmp_path / ".phoenix/identity.txt"
    out, err = good(tmp_path, "init")
    key = str(pyrage.x25519.Identity.from_str(path.read_text().splitlines()[-1]).to_public())
    assert out == f"{key}\n"
    assert err == (
        f"made {path}; keep a copy in a safe place, without it the secrets are lost\nits public key:\n"
    )
    assert (tmp_path / ".phoenix/.gitignore").read_text() == "*\n"
    made = path.read_text()
    assert good(tmp_path, "init") == (f"{key}\n", f"the identity {path} is there already; its public key:\n")
    assert path.read_text() == made


# --- set --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stdin", "value"),
    [
        ("canary-7f3d", "canary-7f3d"),
        ("canary-7f3d\n", "canary-7f3d"),
        (" canary-7f3d \r\n", " canary-7f3d "),
        ("two\ncanary-7f3d\n\n", "two\ncanary-7f3d\n"),
        ("ü€", "ü€"),
    ],
)
def test_set_takes_stdin(site: Path, stdin: str, value: str) -> None:
    assert good(site, "set", "samba/heads", stdin=stdin) == ("", f"set `samba/heads`; {NEXT}\n")
    assert store(site).value("samba/heads") == value.encode()


def test_the_same_value_again_is_said(site: Path) -> None:
    good(site, "set", "a", stdin=CANARY)
    assert good(site, "set", "a", stdin=CANARY) == ("", "`a` has that value already\n")


def test_set_without_a_value(site: Path) -> None:
    for stdin in ("", "\n"):
        assert refusal(site, "set", "a", stdin=stdin) == (
            "stdin gave no value for secret `a`; nothing was changed"
        )


@pytest.mark.parametrize(
    "words",
    [
        ("a", CANARY),
        (f"--value={CANARY}", "a"),
        ("a", f"-{CANARY}"),
        ("a", "--", f"-{CANARY}"),
        ("a", "b", CANARY),
    ],
)
def test_a_value_on_the_command_line_is_refused_and_not_shown(site: Path, words: tuple[str, ...]) -> None:
    assert refusal(site, "set", *words, stdin="x", sort=UsageError) == (
        "`phoenix secrets set` takes one NAME and never a value: "
        "every user of this machine can read a command line\n"
        "  hint: give the value on stdin, or type it when asked; "
        "one that was typed here is in the shell's history now"
    )
    assert store(site).names() == []


def test_no_command_has_an_option_for_a_value() -> None:
    options = {
        (name, option)
        for name, command in cli.secrets.commands.items()
        for parameter in command.params
        for option in parameter.opts
        if option.startswith("-")
    }
    assert options == {("set", "--generate"), ("rotate", "--length")}


@pytest.mark.parametrize(("words", "length"), [((), 32), (("8",), 8), (("64",), 64)])
def test_set_can_draw_the_value(site: Path, words: tuple[str, ...], length: int) -> None:
    out, err = good(site, "set", "a", "--generate", *words)
    value = store(site).value("a").decode()
    assert (out, err) == ("", f"set `a`; {NEXT}\n")
    assert len(value) == length
    assert set(value) <= set(contents.ALPHABET)


def test_the_lengths_agree() -> None:
    assert cli.DEFAULT_LENGTH == contents.LENGTH


@pytest.mark.parametrize(
    "words", [("--generate", CANARY), ("a", "--generate", "7"), ("a", "--generate", CANARY)]
)
def test_a_length_that_is_none(site: Path, words: tuple[str, ...]) -> None:
    assert refusal(site, "set", *words, sort=UsageError) == (
        "a length is a number from 8 to 1024\n  hint: NAME goes before `--generate`"
    )


def test_what_cannot_be_set_is_said_before_a_value_is_asked_for(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "_value_for", lambda name: pytest.fail("asked"))
    (site / "configs/site.yaml").write_text("name: reference\nsecrets:\n  sources:\n    api: {env: API}\n")
    assert refusal(site, "set", "api").startswith("secret `api` does not live in ")
    assert refusal(site, "set", "No").startswith("`No` is not the name of a secret\n")
    (site / ".phoenix/identity.txt").unlink()
    assert refusal(site, "set", "a").startswith("there is no age identity at ")


TYPED = """
import sys
from pathlib import Path
from types import SimpleNamespace
from phoenix_hypervisor.cli.secrets import secrets
secrets(["set", "samba/heads"], obj=SimpleNamespace(site_folder=Path(sys.argv[1])))
"""


def on_a_terminal(site: Path, *answers: tuple[str, str]) -> tuple[str, int]:
    """Run `set` on a terminal of its own, typing each answer after its question: the screen, the status."""
    ours, theirs = pty.openpty()
    env = {"PYTHONPATH": GENERATOR, "TERM": "dumb", "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    argv = [sys.executable, "-c", TYPED, str(site)]
    with subprocess.Popen(
        argv, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True
    ) as process:
        os.close(theirs)
        screen = ""
        for question, answer in answers:
            while not screen.endswith(question):
                screen += os.read(ours, 1000).decode()
            os.write(ours, f"{answer}\n".encode())
        try:
            while more := os.read(ours, 1000):
                screen += more.decode()
        except OSError:  # the terminal's other end is closed
            screen += ""
    os.close(ours)
    return screen.replace("\r\n", "\n"), process.returncode


def test_a_value_that_is_typed_is_asked_for_twice_and_not_shown(site: Path) -> None:
    screen, status = on_a_terminal(site, ("heads: ", CANARY), ("more: ", CANARY))
    assert screen == f"value of samba/heads: \nonce more: \nset `samba/heads`; {NEXT}\n"
    assert status == 0
    assert store(site).value("samba/heads") == CANARY.encode()


def test_a_value_that_is_mistyped_is_asked_for_again(site: Path) -> None:
    screen, status = on_a_terminal(
        site, ("heads: ", CANARY), ("more: ", f"{CANARY}x"), ("heads: ", CANARY), ("more: ", CANARY)
    )
    assert CANARY not in screen
    assert "The two entered values do not match" in screen
    assert status == 0
    assert store(site).value("samba/heads") == CANARY.encode()


# --- list -------------------------------------------------------------------------------------------------


def test_list_of_nothing(site: Path) -> None:
    assert good(site, "list") == ("", "no secrets yet: `phoenix secrets set NAME` makes one\n")


def test_list_shows_names_and_places(site: Path) -> None:
    (site / "configs/site.yaml").write_text(
        "name: reference\nsecrets:\n  sources:\n    hf/token: {command: [pass, show, hf]}\n"
    )
    good(site, "set", "samba/heads", stdin=CANARY)
    assert good(site, "list") == (
        "NAME         LIVES IN\nhf/token     command pass show hf\nsamba/heads  age file\n",
        "",
    )


def test_list_shows_what_uses_them_and_what_is_missing(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def users(folder: Path) -> dict[str, list[str]]:
        assert folder == site
        return {"samba/heads": ["n/samba_user:heads", "n/lxc:desk"], "qdrant/key": ["n/qdrant:main"]}

    monkeypatch.setattr(cli, "find_users", users)
    good(site, "set", "samba/heads", stdin=CANARY)
    good(site, "set", "old", stdin=CANARY)
    assert good(site, "list")[0] == (
        "NAME         LIVES IN  USED BY\n"
        "old          age file\n"
        "qdrant/key   nowhere   n/qdrant:main\n"
        "samba/heads  age file  n/lxc:desk, n/samba_user:heads\n"
    )


# --- rotate, remove, rekey --------------------------------------------------------------------------------


def test_rotate_draws_new_values(site: Path) -> None:
    for name in ("a", "b", "c"):
        good(site, "set", name, stdin=CANARY)
    assert good(site, "rotate", "a", "b", "--length", "40") == ("", f"rotated `a`, `b`; {NEXT}\n")
    values = [store(site).value(name).decode() for name in ("a", "b", "c")]
    assert [len(value) for value in values] == [40, 40, len(CANARY)]
    assert len(set(values)) == 3


def test_rotate_of_nothing(site: Path) -> None:
    assert refusal(site, "rotate", "a") == "there is no secret `a`\n  hint: `phoenix secrets set a`"
    assert call(site, "rotate").exit_code == 2


def test_remove(site: Path) -> None:
    good(site, "set", "a", stdin=CANARY)
    assert good(site, "remove", "a") == ("", "removed `a`\n")
    assert store(site).names() == []
    assert refusal(site, "remove", "a") == "there is no secret `a`\n  hint: `phoenix secrets set a`"


def test_rekey_lets_a_new_recipient_read(site: Path) -> None:
    good(site, "set", "a", stdin=CANARY)
    friend = pyrage.x25519.Identity.generate()
    (site / "configs/site.yaml").write_text(
        f"name: reference\nsecrets:\n  recipients: [{friend.to_public()}]\n"
    )
    assert good(site, "rekey") == (
        "",
        f"wrote {site}/configs/secrets.age for our own identity and the recipients in configs/site.yaml\n",
    )
    assert pyrage.decrypt(sealed(site), [friend]) == b'{\n  "a": "canary-7f3d"\n}\n'


# --- edit -------------------------------------------------------------------------------------------------


@pytest.fixture
def edited(site: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Make EDITOR a shell script over "$1", which can leave notes in $NOTES; returns the file of notes."""
    good(site, "set", "a", stdin=CANARY)

    def prepare(script: str) -> Path:
        path, notes = site / "editor", site / "notes"
        path.write_text(f"#!/bin/sh\nset -eu\nNOTES={notes}\necho $1 >>$NOTES\n{script}\n")
        path.chmod(0o700)
        monkeypatch.setenv("EDITOR", str(path))
        return notes

    return prepare


@pytest.fixture(autouse=True)
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where plaintext may be while an editor is open, in memory if the machine can; empty afterwards."""
    room = Path(tempfile.mkdtemp(prefix="phoenix-test-", dir=editing.memory_folder()))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(room))
    monkeypatch.setattr(tempfile, "tempdir", str(room))
    try:
        yield room
        assert list(room.iterdir()) == []
    finally:
        shutil.rmtree(room)


def test_edit_changes_the_mapping(site: Path, edited: Callable[[str], Path]) -> None:
    edited("""printf '%s' '{"b": "x", "c/d": "two\\nlines"}' >"$1" """)
    assert good(site, "edit") == ("", f"saved; {NEXT}\n")
    assert store(site).names() == ["b", "c/d"]
    assert store(site).value("c/d") == b"two\nlines"


def test_edit_shows_the_values_in_a_private_file_in_memory(
    site: Path, edited: Callable[[str], Path], room: Path
) -> None:
    notes = edited(
        """stat -c '%a %u' "$1" "${1%/*}" >>$NOTES; stat -f -c %T "$1" >>$NOTES; cp "$1" $NOTES.seen"""
    )
    assert good(site, "edit") == ("", "unchanged: nothing was written\n")
    path, file, folder, file_system = notes.read_text().splitlines()
    assert Path(path).parent.parent == room
    assert (file, folder) == (f"600 {os.getuid()}", f"700 {os.getuid()}")
    assert file_system == "tmpfs" or editing.memory_folder() is None
    assert notes.with_name("notes.seen").read_text() == '{\n  "a": "canary-7f3d"\n}\n'
    assert not Path(path).parent.exists()


def test_edit_without_a_change_writes_nothing(site: Path, edited: Callable[[str], Path]) -> None:
    before = sealed(site)
    edited("""printf '{"a":   "%s"}' canary-7f3d >"$1" """)
    assert good(site, "edit") == ("", "unchanged: nothing was written\n")
    assert sealed(site) == before


def test_edit_opens_again_until_it_can_be_read(site: Path, edited: Callable[[str], Path]) -> None:
    notes = edited(
        """case $(wc -l <$NOTES) in
        1) printf '{"a": "canary-7f3d",\\n "b": canary}' >"$1" ;;
        2) grep -q 'b.: canary' "$1"; printf '{"a": "canary-7f3d", "b": 5}' >"$1" ;;
        *) printf '{"a": "canary-7f3d", "b": "5"}' >"$1" ;;
        esac"""
    )
    assert good(site, "edit") == (
        "",
        (
            "not saved: line 2, column 7: expecting value\n"
            "not saved: the value of `b` is not a string: put it in quotes\n"
            f"saved; {NEXT}\n"
        ),
    )
    assert len(notes.read_text().splitlines()) == 3
    assert store(site).value("b") == b"5"


def test_edit_gives_up_when_nothing_is_corrected(site: Path, edited: Callable[[str], Path]) -> None:
    before = sealed(site)
    edited("""printf '{"a": canary-7f3d}' >"$1" """)
    result = call(site, "edit")
    assert str(result.exception) == "gave up: line 1, column 7: expecting value; nothing was changed"
    assert (result.stdout, result.stderr) == ("", "not saved: line 1, column 7: expecting value\n")
    assert sealed(site) == before


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("""printf '{"b": "x"}' >"$1"; exit 1""", "the editor ended with status 1; nothing was changed"),
        ("""kill -KILL $$""", "the editor ended with status -9; nothing was changed"),
        ("""rm "$1" """, "the editor left no file: No such file or directory; nothing was changed"),
        (
            """rm "$1"; mkdir "$1"; touch "$1.swp" """,
            "the editor left no file: Is a directory; nothing was changed",
        ),
    ],
)
def test_an_editor_that_fails_changes_nothing(
    site: Path, edited: Callable[[str], Path], script: str, said: str
) -> None:
    before = sealed(site)
    edited(script)
    assert refusal(site, "edit") == said
    assert sealed(site) == before


def test_an_editor_that_does_not_exist(
    site: Path, edited: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", "no-such-editor --wait")
    assert refusal(site, "edit").endswith(
        "`no-such-editor`: No such file or directory\n  hint: set EDITOR to one that is installed"
    )
    monkeypatch.setenv("EDITOR", "vi '")
    assert refusal(site, "edit") == "$VISUAL or $EDITOR cannot be read as a command: No closing quotation"


@pytest.mark.parametrize(
    ("visual", "plain", "argv"),
    [
        ("code --wait", "nano", ["code", "--wait"]),
        ("", "'my editor' -x", ["my editor", "-x"]),
        ("", "", ["vi"]),
    ],
)
def test_which_editor(monkeypatch: pytest.MonkeyPatch, visual: str, plain: str, argv: list[str]) -> None:
    monkeypatch.setenv("VISUAL", visual)
    monkeypatch.setenv("EDITOR", plain)
    assert editing.editor() == argv


def test_where_no_file_system_is_in_memory_edit_says_so(
    site: Path, edited: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editing, "MEMORY", ())
    edited("true")
    assert good(site, "edit") == (
        "",
        (
            "warning: found no file system in memory: the secrets are on the disk while you edit\n"
            "unchanged: nothing was written\n"
        ),
    )


def test_the_type_of_a_file_system_is_that_of_the_nearest_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        f"x / ext4 rw 0 0\nx {tmp_path} ext4 rw 0 0\nx {tmp_path} tmpfs rw 0 0\nx {tmp_path}/a xfs rw 0 0\n"
    )
    kinds = [editing._file_system(place, str(mounts)) for place in (f"{tmp_path}/b", f"{tmp_path}/a/c", "/")]
    assert kinds == ["tmpfs", "xfs", "ext4"]
    assert editing._file_system("/", str(tmp_path / "none")) == ""


EDIT = TYPED.replace('"set", "samba/heads"', '"edit"')


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_while_the_editor_is_open_leaves_no_plaintext(
    site: Path, edited: Callable[[str], Path], number: signal.Signals
) -> None:
    before = sealed(site)
    notes = edited('echo changed >"$1"; exec sleep 60')
    env = {**os.environ, "PYTHONPATH": GENERATOR}
    process = subprocess.Popen(
        [sys.executable, "-c", EDIT, str(site)], env=env, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not (notes.exists() and notes.read_text().endswith("\n")):
        time.sleep(0.01)
    folder = Path(notes.read_text().splitlines()[0]).parent
    assert folder.exists()
    assert store(site).value("a") == CANARY.encode()
    process.send_signal(number)
    status = process.wait(10)
    assert status == {signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGINT: 1}[number]
    assert not folder.exists()
    assert sealed(site) == before


def test_the_mode_of_the_file_survives_edit(site: Path, edited: Callable[[str], Path]) -> None:
    edited("""printf '{"b": "x"}' >"$1" """)
    good(site, "edit")
    assert stat.S_IMODE((site / "configs/secrets.age").stat().st_mode) == 0o600
