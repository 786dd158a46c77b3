"""The store of a site's secrets: every source, every refusal as a person reads it, nothing lost by a cut."""

import copy
import gc
import json
import os
import pickle
import signal
import stat
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pyrage
import pytest
from pydantic import ValidationError

import phoenix_hypervisor
from phoenix_hypervisor.errors import SecretError
from phoenix_hypervisor.process import Child, run
from phoenix_hypervisor.secrets import Secret, Text
from phoenix_hypervisor.secretstore import SecretSettings, SiteStore, age, contents, open_store, sources
from phoenix_hypervisor.secretstore.settings import is_name

CANARY = "canary-7f3d"
NAME_RULE = "lower case letters, digits, `.`, `_`, `-`, in parts joined by `/`, like samba/heads"
GENERATOR = str(Path(phoenix_hypervisor.__file__).parent.parent)


@pytest.fixture(autouse=True)
def no_identity_of_the_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PHOENIX_AGE_IDENTITY", raising=False)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site with an identity and one secret."""
    age.make_identity(tmp_path / ".phoenix" / "identity.txt")
    store_at(tmp_path).set("samba/heads", CANARY.encode())
    return tmp_path


def store_at(site: Path, **settings: object) -> SiteStore:
    return open_store(SecretSettings.model_validate(settings), site)


def plain(site: Path) -> bytes:
    identity = pyrage.x25519.Identity.from_str((site / ".phoenix/identity.txt").read_text().splitlines()[-1])
    found: bytes = pyrage.decrypt((site / "configs/secrets.age").read_bytes(), [identity])
    return found


def seal(site: Path, content: bytes) -> None:
    """Put any content into the site's age file."""
    key = store_at(site).file.identities()[0].to_public()
    (site / "configs/secrets.age").write_bytes(pyrage.encrypt(content, [key], armored=True))


def refusal(call: Callable[[], object]) -> str:
    """The whole text of the SecretError that a call ends with; nothing of it may hold the canary."""
    with pytest.raises(SecretError) as caught:
        call()
    assert_silent(caught.value)
    return str(caught.value)


def assert_silent(error: BaseException | None) -> None:
    """Neither an error nor what it was raised from may hold the canary, in text or attributes."""
    while error is not None:
        shown = [
            *traceback.format_exception(error),
            str(error),
            repr(error),
            repr(vars(error)),
            repr(error.args),
        ]
        shown += [repr(getattr(error, name, "")) for name in ("doc", "input", "filename")]
        assert CANARY not in "\n".join(shown)
        assert not hasattr(error, "doc")
        error = error.__cause__ or error.__context__


# --- settings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a", "samba/heads", "hf.token", "9/x_y-z", "a/b/c", "a/.b"])
def test_names(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize("name", ["", "/a", "a/", "a//b", "A", "a b", ".a", "-a", "a\n", "é", "a:b", "../a"])
def test_no_names(name: str) -> None:
    assert not is_name(name)


def test_settings_need_not_be_written() -> None:
    assert SecretSettings().model_dump() == {
        "file": "secrets.age",
        "identity": ".phoenix/identity.txt",
        "recipients": (),
        "sources": {},
    }


@pytest.mark.parametrize(
    ("written", "at", "said"),
    [
        ({"sources": {"a": {}}}, ("sources", "a"), "must say one of `env`, `file`, `command`, and only one"),
        (
            {"sources": {"a": {"env": "A", "file": CANARY}}},
            ("sources", "a"),
            "must say one of `env`, `file`, `command`, and only one",
        ),
        (
            {"sources": {"a": {"env": None}}},
            ("sources", "a"),
            "must say one of `env`, `file`, `command`, and only one",
        ),
        ({"sources": {"a": {"value": CANARY}}}, ("sources", "a", "value"), "Extra inputs are not permitted"),
        (
            {"sources": {"a": CANARY}},
            ("sources", "a"),
            "Input should be a valid dictionary or instance of Source",
        ),
        (
            {"sources": {"a": {"command": []}}},
            ("sources", "a", "command"),
            "Tuple should have at least 1 item after validation, not 0",
        ),
        (
            {"sources": {"a": {"env": f"={CANARY}"}}},
            ("sources", "a", "env"),
            "String should match pattern '^[A-Za-z_][A-Za-z0-9_]*$'",
        ),
        (
            {"sources": {"A": {"env": "A"}}},
            ("sources", "A", "[key]"),
            f"must be the name of a secret: {NAME_RULE}",
        ),
        ({"recipients": [f"AGE-SECRET-KEY-{CANARY}"]}, ("recipients", 0), "must be an age public key: age1…"),
        ({"file": ""}, ("file",), "String should have at least 1 character"),
        ({"passwords": CANARY}, ("passwords",), "Extra inputs are not permitted"),
    ],
)
def test_what_settings_refuse(written: dict[str, object], at: tuple[object, ...], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SecretSettings.model_validate(written)
    first = caught.value.errors()[0]
    assert (first["loc"], first["msg"]) == (at, said)
    assert CANARY not in str(caught.value) + repr(caught.value) + caught.value.json(include_input=False)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        SecretSettings().file = "other"  # type: ignore[misc]


# --- the age file -----------------------------------------------------------------------------------------


def test_what_was_set_can_be_read_again(site: Path) -> None:
    assert store_at(site).value("samba/heads") == CANARY.encode()


@pytest.mark.parametrize("value", ["ü€😀", "two\nlines\n", " spaces ", "0123", "true", '"\\{}', "-", "\t"])
def test_any_text_comes_back_as_it_was(site: Path, value: str) -> None:
    store_at(site).set("a", value.encode())
    assert store_at(site).value("a") == value.encode()


def test_the_file_is_text_and_only_ours_to_read(site: Path) -> None:
    path = site / "configs/secrets.age"
    text = path.read_text("ascii")
    assert text.startswith("-----BEGIN AGE ENCRYPTED FILE-----\n")
    assert CANARY not in text
    assert "samba" not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert plain(site) == b'{\n  "samba/heads": "canary-7f3d"\n}\n'


def test_the_mode_is_right_whatever_it_was_before(site: Path) -> None:
    path = site / "configs/secrets.age"
    path.chmod(0o644)
    store_at(site).set("b", b"x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_same_value_again_writes_nothing(site: Path) -> None:
    before = (site / "configs/secrets.age").read_bytes()
    assert store_at(site).set("samba/heads", CANARY.encode()) is False
    assert (site / "configs/secrets.age").read_bytes() == before


def test_nothing_is_read_before_a_value_is_needed(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/secrets.age").write_text("damaged")
    secret = Secret("samba/heads", store_at(tmp_path))
    assert str(Text("p=", secret)) == "p=<secret samba/heads>"


def test_the_file_is_read_once(site: Path) -> None:
    store = store_at(site)
    first = store.value("samba/heads")
    (site / "configs/secrets.age").unlink()
    assert store.value("samba/heads") == first
    assert store.names() == ["samba/heads"]


def test_a_store_sees_what_it_has_set_itself(site: Path) -> None:
    store = store_at(site)
    store.value("samba/heads")
    store.set("samba/heads", b"new")
    assert store.value("samba/heads") == b"new"


def test_another_place_for_file_and_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    age.make_identity(tmp_path / "home/key")
    settings = {"file": "sealed/x.age", "identity": "~/key"}
    store_at(tmp_path / "site", **settings).set("a", b"x")
    assert (tmp_path / "site/configs/sealed/x.age").exists()
    assert store_at(tmp_path / "site", **settings).value("a") == b"x"


def test_the_variable_for_the_identity_wins(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site / ".phoenix/identity.txt").rename(site / "elsewhere")
    monkeypatch.setenv("PHOENIX_AGE_IDENTITY", str(site / "elsewhere"))
    assert store_at(site, identity="not/here").value("samba/heads") == CANARY.encode()


def test_an_identity_as_age_keygen_writes_it(site: Path) -> None:
    path = site / ".phoenix/identity.txt"
    path.write_text(f"# created: 2026-01-01T00:00:00Z\n{path.read_text()}\n\n")
    assert store_at(site).value("samba/heads") == CANARY.encode()


def test_recipients_can_read_too(site: Path) -> None:
    friend = pyrage.x25519.Identity.generate()
    store = store_at(site, recipients=[str(friend.to_public())])
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt((site / "configs/secrets.age").read_bytes(), [friend])
    store.rekey()
    assert pyrage.decrypt((site / "configs/secrets.age").read_bytes(), [friend]) == plain(site)
    store_at(site).rekey()
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt((site / "configs/secrets.age").read_bytes(), [friend])


def test_a_file_that_is_a_link_stays_one(site: Path) -> None:
    path = site / "configs/secrets.age"
    path.rename(site / "real.age")
    path.symlink_to("../real.age")
    store_at(site).set("b", b"x")
    assert path.is_symlink()
    assert store_at(site).names() == ["b", "samba/heads"]


def test_no_such_secret(site: Path) -> None:
    assert refusal(lambda: store_at(site).value("qdrant/key")) == (
        "there is no secret `qdrant/key`\n  hint: `phoenix secrets set qdrant/key`"
    )


def test_nearly_a_secret(site: Path) -> None:
    assert refusal(lambda: store_at(site).value("samba/head")) == (
        "there is no secret `samba/head`\n"
        "  hint: did you mean `samba/heads`? Else: `phoenix secrets set samba/head`"
    )


def test_no_file_yet(tmp_path: Path) -> None:
    assert store_at(tmp_path).names() == []
    assert refusal(lambda: store_at(tmp_path).value("a")) == (
        "there is no secret `a`\n  hint: `phoenix secrets set a`"
    )


def test_no_identity(site: Path) -> None:
    path = site / ".phoenix/identity.txt"
    path.unlink()
    for call in (lambda: store_at(site).value("samba/heads"), lambda: store_at(site).set("a", b"x")):
        assert refusal(call) == (
            f"there is no age identity at {path}\n"
            "  hint: make one with `phoenix secrets init`, or name yours in PHOENIX_AGE_IDENTITY"
        )


def test_an_identity_that_is_none(site: Path) -> None:
    path = site / ".phoenix/identity.txt"
    for text in ("", "# only a comment\n", f"AGE-SECRET-KEY-1{CANARY}\n"):
        path.write_text(text)
        assert refusal(lambda: store_at(site).value("samba/heads")) == (
            f"{path} is not an age identity: no line AGE-SECRET-KEY-1…\n"
            "  hint: make one with `phoenix secrets init`, or name yours in PHOENIX_AGE_IDENTITY"
        )


def test_an_identity_that_is_a_folder(site: Path) -> None:
    path = site / ".phoenix"
    assert refusal(lambda: store_at(site, identity=".phoenix").value("samba/heads")) == (
        f"cannot read {path}: Is a directory"
    )


def test_an_identity_that_everybody_can_read(site: Path) -> None:
    path = site / ".phoenix/identity.txt"
    path.chmod(0o644)
    assert refusal(lambda: store_at(site).value("samba/heads")) == (
        f"every user of this machine can get at the identity {path}\n"
        f"  hint: chmod 600 {path}; if others could read it, make a new one and rotate"
    )
    path.chmod(0o640)
    assert store_at(site).value("samba/heads") == CANARY.encode()


def test_an_identity_that_does_not_open_the_file(site: Path) -> None:
    path = site / ".phoenix/identity.txt"
    path.unlink()
    age.make_identity(path)
    expected = (
        f"the identity {path} does not open {site}/configs/secrets.age\n"
        "  hint: ask somebody who can read the file to add your public key to `secrets.recipients` in "
        "configs/site.yaml and to run `phoenix secrets rekey`; `phoenix secrets init` shows the key"
    )
    before = (site / "configs/secrets.age").read_bytes()
    assert refusal(lambda: store_at(site).value("samba/heads")) == expected
    assert refusal(lambda: store_at(site).set("a", b"x")) == expected
    assert (site / "configs/secrets.age").read_bytes() == before


def damaged(text: bytes) -> Iterator[bytes]:
    yield b""
    yield b"not age at all\n"
    yield text[:100]
    yield text[:-70]
    for at in (-60, -100, 120):
        yield text[:at] + (b"A" if text[at : at + 1] != b"A" else b"B") + text[at:][1:]


@pytest.mark.parametrize("number", range(7))
def test_a_damaged_file(site: Path, number: int) -> None:
    path = site / "configs/secrets.age"
    path.write_bytes(list(damaged(path.read_bytes()))[number])
    message = refusal(lambda: store_at(site).value("samba/heads"))
    assert message.startswith(f"{path} is damaged, or no age file: ")
    assert message.endswith(f"\n  hint: take the last good one: git log -- {path}")


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b'{"a": "canary-7f3d",}', None),
        (b'{"a": "canary-7f3d\n"}', "line 1, column 19: invalid control character at"),
        (b'{"a": "canary-7f3d" "b"}', "line 1, column 21: expecting ',' delimiter"),
        (b'{"a": "canary-7f3d\\q"}', "line 1, column 19: invalid \\escape"),
        (b"\xff canary-7f3d", "it is not UTF-8 text"),
        (b'["canary-7f3d"]', "it is not a mapping from names to strings"),
        (b"[" * 100_000, "it is not a mapping from names to strings"),
        (b'{"a": "x", "a": "canary-7f3d"}', "`a` is there twice"),
        (b'{"a": {"canary-7f3d": ""}}', "the value of `a` is not a string: put it in quotes"),
        (b'{"a": 1234}', "the value of `a` is not a string: put it in quotes"),
        (
            b'{"a": "\\ud800canary-7f3d"}',
            "the value of `a`: it holds half of a character (\\ud800 to \\udfff)",
        ),
        (b'{"a": "\\u0000canary-7f3d"}', "the value of `a`: it holds a NUL byte"),
        (b'{"a": ""}', "the value of `a`: it is empty"),
        (
            b'{"canary-7f3d!": "a"}',
            f"name 1 is not one: {NAME_RULE}",
        ),
    ],
)
def test_a_file_with_something_else_inside(site: Path, content: bytes, wrong: str | None) -> None:
    seal(site, content)
    message = refusal(lambda: store_at(site).value("a"))
    start = f"{site}/configs/secrets.age opened, but what is inside is not ours: "
    assert message.startswith(start)
    assert wrong is None or message == start + wrong


def test_a_file_that_cannot_be_read(site: Path) -> None:
    path = site / "configs/secrets.age"
    path.unlink()
    path.mkdir()
    assert refusal(lambda: store_at(site).value("a")) == f"cannot read {path}: Is a directory"


def test_a_file_that_cannot_be_written(site: Path) -> None:
    (site / "configs/.secrets.age.new").mkdir()
    assert refusal(lambda: store_at(site).set("a", b"x")) == (
        f"cannot write {site}/configs/secrets.age: Is a directory"
    )
    (site / "taken").write_text("")
    assert refusal(lambda: store_at(site, file="../taken/x.age").set("a", b"x")) == (
        f"cannot write {site}/configs/../taken/x.age: File exists"
    )


def test_a_recipient_that_is_none(site: Path) -> None:
    before = (site / "configs/secrets.age").read_bytes()
    assert refusal(lambda: store_at(site, recipients=["age1xyz"]).set("a", b"x")) == (
        "`age1xyz` is not an age public key\n  hint: correct `secrets.recipients` in configs/site.yaml"
    )
    assert (site / "configs/secrets.age").read_bytes() == before


# --- changing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        (b"", "it is empty"),
        (b"a\0canary-7f3d", "it holds a NUL byte"),
        (b"\xffcanary-7f3d", "it is not UTF-8 text"),
    ],
)
def test_values_that_cannot_be_stored(site: Path, value: bytes, wrong: str) -> None:
    assert refusal(lambda: store_at(site).set("a", value)) == (
        f"cannot store that value for secret `a`: {wrong}"
    )
    assert store_at(site).names() == ["samba/heads"]


def test_a_name_that_is_none(site: Path) -> None:
    assert refusal(lambda: store_at(site).set("Samba Heads", b"x")) == (
        "`Samba Heads` is not the name of a secret\n"
        "  hint: lower case letters, digits, `.`, `_`, `-`, in parts joined by `/`, like samba/heads"
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda store: store.set("api", CANARY.encode()),
        lambda store: store.rotate("samba/heads", "api"),
        lambda store: store.remove("api"),
    ],
)
def test_what_lives_elsewhere_is_changed_there(site: Path, change: Callable[[SiteStore], object]) -> None:
    before = (site / "configs/secrets.age").read_bytes()
    store = store_at(site, sources={"api": {"command": ["pass", "show", "api"]}})
    assert refusal(lambda: change(store)) == (
        f"secret `api` does not live in {site}/configs/secrets.age, but in: command pass show api\n"
        "  hint: change it there, or take `api` out of `secrets.sources` in configs/site.yaml"
    )
    assert (site / "configs/secrets.age").read_bytes() == before


def test_rotation_draws_a_new_value_and_keeps_the_others(site: Path) -> None:
    store_at(site).set("other", b"kept")
    seen = {CANARY.encode()}
    for _ in range(5):
        store_at(site).rotate("samba/heads")
        seen.add(store_at(site).value("samba/heads"))
    assert len(seen) == 6
    assert store_at(site).value("other") == b"kept"
    assert all(len(value) == 32 and value.isalnum() for value in seen - {CANARY.encode()})


def test_rotation_of_several_with_a_length(site: Path) -> None:
    store_at(site).set("b", b"x")
    store_at(site).rotate("b", "samba/heads", length=8)
    values = {store_at(site).value(name) for name in ("b", "samba/heads")}
    assert [len(value) for value in values] == [8, 8]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ("nowhere", "there is no secret `nowhere`\n  hint: `phoenix secrets set nowhere`"),
        (
            "tls/key",
            (
                "secret `tls/key` has several lines, so it is no password to draw anew\n"
                "  hint: give it its new value with `phoenix secrets set tls/key`"
            ),
        ),
    ],
)
def test_rotation_is_for_all_or_none(site: Path, other: str, said: str) -> None:
    store_at(site).set("tls/key", b"-----BEGIN\ncanary-7f3d\n")
    before = (site / "configs/secrets.age").read_bytes()
    assert refusal(lambda: store_at(site).rotate("samba/heads", other)) == said
    assert (site / "configs/secrets.age").read_bytes() == before


def test_a_removed_secret_is_gone(site: Path) -> None:
    store_at(site).remove("samba/heads")
    assert store_at(site).names() == []
    assert refusal(lambda: store_at(site).remove("samba/heads")).startswith(
        "there is no secret `samba/heads`"
    )


def test_what_is_left_behind_in_the_file_by_a_source_can_be_removed(site: Path) -> None:
    store_at(site, sources={"samba/heads": {"env": "PHOENIX_TEST_UNSET"}}).remove("samba/heads")
    assert store_at(site).names() == []


CUT = """
import os, signal, sys
from pathlib import Path
from phoenix_hypervisor.secretstore import SecretSettings, open_store
def cut(*_):
    os.kill(os.getpid(), signal.SIGKILL)
os.{call} = cut
open_store(SecretSettings(), Path(sys.argv[1])).set("new", sys.stdin.buffer.read())
"""


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_cut_before_the_rename_leaves_the_old_file(site: Path, call: str) -> None:
    before = (site / "configs/secrets.age").read_bytes()
    argv = [sys.executable, "-c", CUT.replace("{call}", call), str(site)]
    assert run(argv, Text(CANARY), env={"PYTHONPATH": GENERATOR}).status == -signal.SIGKILL
    assert (site / "configs/secrets.age").read_bytes() == before
    left = site / "configs/.secrets.age.new"
    assert stat.S_IMODE(left.stat().st_mode) == 0o600
    assert CANARY.encode() not in left.read_bytes()
    store_at(site).set("new", b"x")
    assert store_at(site).names() == ["new", "samba/heads"]
    assert sorted(path.name for path in (site / "configs").iterdir()) == ["secrets.age"]


def test_plaintext_never_reaches_the_disk(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    fsync = os.fsync

    def look(number: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{number}"))
        written.extend(file.read_bytes() for file in (path.iterdir() if path.is_dir() else [path]))
        fsync(number)

    monkeypatch.setattr(os, "fsync", look)
    store_at(site).set("b", CANARY.encode())
    assert len(written) == 2
    assert [content[:14] for content in written] == [b"-----BEGIN AGE"] * 2


def test_two_writers_lose_nothing(site: Path) -> None:
    def write(number: int) -> None:
        for n in range(5):
            store_at(site).set(f"w{number}/{n}", b"x")

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(store_at(site).names()) == 21


def test_a_writer_waits_for_another_only_so_long(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(age, "LOCK_SECONDS", 0.1)
    path = site / "configs/secrets.age"
    with age.locked(path):
        assert refusal(lambda: store_at(site).set("a", b"x")) == (
            f"somebody else is changing {path}\n  hint: is a `phoenix secrets edit` still open?"
        )
        assert store_at(site).value("samba/heads") == CANARY.encode()


def test_an_identity_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / ".phoenix/identity.txt"
    age.make_identity(path)
    first = path.read_text()
    comment, key = first.splitlines()
    assert comment == f"# public key: {pyrage.x25519.Identity.from_str(key).to_public()}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert refusal(lambda: age.make_identity(path)) == f"cannot write {path}: File exists"
    assert path.read_text() == first


def test_drawn_values() -> None:
    drawn = {contents.draw() for _ in range(100)}
    assert len(drawn) == 100
    assert {len(value) for value in drawn} == {32}
    assert set("".join(drawn)) == set(contents.ALPHABET)


# --- sources ----------------------------------------------------------------------------------------------


def test_from_the_environment(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHOENIX_TEST_API", f"{CANARY}\n")
    store = store_at(site, sources={"api": {"env": "PHOENIX_TEST_API"}})
    assert store.value("api") == f"{CANARY}\n".encode()
    assert store_at(site, sources={"api": {"env": "PHOENIX_TEST_API"}}).value("api") == f"{CANARY}\n".encode()


def test_no_process_we_start_inherits_a_secret_of_the_environment(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHOENIX_TEST_API", CANARY)
    store = store_at(site, sources={"api": {"env": "PHOENIX_TEST_API"}})
    child = Child(["sh", "-c", "read -r secret; echo got; echo got >&2; read -r end"])
    child.send(Text(Secret("api", store), Secret("samba/heads", store), "\n"))
    child.read_until(b"got\n", 5)
    at = Path(f"/proc/{child._process.pid}")
    shown = (at / "environ").read_bytes() + (at / "cmdline").read_bytes()
    child.close()
    assert b"PATH=" in shown
    assert CANARY.encode() not in shown
    assert b"PHOENIX_TEST_API" not in run(["env"]).stdout


def test_from_a_file(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(site))
    for written, value in (
        (b"canary-7f3d", b"canary-7f3d"),
        (b"canary-7f3d\n", b"canary-7f3d"),
        (b"canary-7f3d\r\n", b"canary-7f3d"),
        (b"two\nlines\n\n", b"two\nlines\n"),
        (b"\xff\x00\r", b"\xff\x00\r"),
    ):
        (site / "value").write_bytes(written)
        for path in ("value", "~/value", str(site / "value")):
            assert store_at(site, sources={"api": {"file": path}}).value("api") == value


def test_from_a_command(site: Path) -> None:
    (site / "value").write_text(f"{CANARY}\n")
    assert store_at(site, sources={"api": {"command": ["cat", "value"]}}).value("api") == CANARY.encode()


def test_a_command_runs_once(site: Path) -> None:
    store = store_at(site, sources={"api": {"command": ["sh", "-c", "echo x >>runs; echo $$"]}})
    values = set()
    threads = [threading.Thread(target=lambda: values.add(store.value("api"))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(values) == 1
    assert (site / "runs").read_text() == "x\n"


def test_a_command_gets_its_arguments_as_they_are(site: Path) -> None:
    argv = ["printf", "%s|", "a b", "$HOME", "'; id"]
    assert store_at(site, sources={"api": {"command": argv}}).value("api") == b"a b|$HOME|'; id|"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"env": "PHOENIX_TEST_UNSET"}, "the environment variable PHOENIX_TEST_UNSET is not set"),
        ({"file": "not/here"}, "cannot read {site}/not/here: No such file or directory"),
        ({"file": "configs"}, "cannot read {site}/configs: Is a directory"),
        ({"file": "empty"}, "file empty is empty"),
        ({"command": ["true"]}, "command true is empty"),
        ({"command": ["sh", "-c", "echo; exit"]}, "command sh -c echo; exit is empty"),
        (
            {"command": ["./show", "x"]},
            "`./show x` ended with status 3\n  gpg: decryption failed: No secret key\n  ?[31mred",
        ),
    ],
)
def test_a_source_without_a_value(site: Path, source: dict[str, object], said: str) -> None:
    (site / "empty").write_text("\n")
    show = site / "show"
    show.write_text(
        f"#!/bin/sh\necho {CANARY}\n"
        "echo 'gpg: decryption failed: No secret key' >&2\nprintf '\\033[31mred' >&2\nexit 3\n"
    )
    show.chmod(0o755)
    store = store_at(site, sources={"api": source})
    assert refusal(lambda: store.value("api")) == f"secret `api`: {said.format(site=site)}"


def test_a_command_that_does_not_exist(site: Path) -> None:
    store = store_at(site, sources={"api": {"command": ["no-such-tool", "x"]}})
    message = refusal(lambda: store.value("api"))
    assert message.startswith("secret `api`: `no-such-tool x` ended with status 127\n  ")
    assert "no-such-tool: not found" in message.replace("command not found", "not found")


def test_a_command_that_takes_too_long(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "COMMAND_SECONDS", 0.3)
    script = f"echo {CANARY}; echo waiting for a PIN >&2; sleep 60"
    (site / "show").write_text(script)
    store = store_at(site, sources={"api": {"command": ["sh", "show"]}})
    message = refusal(lambda: store.value("api"))
    assert message.startswith("secret `api`: `sh show`: ")
    assert message.endswith("0.3 seconds\n  waiting for a PIN")
    gc.collect()


def test_names_and_places(site: Path) -> None:
    store = store_at(
        site,
        sources={"e": {"env": "E"}, "f": {"file": "~/f"}, "c": {"command": ["op", "read", "op://v/c"]}},
    )
    assert {name: store.place(name) for name in [*store.names(), "n"]} == {
        "c": "command op read op://v/c",
        "e": "env E",
        "f": "file ~/f",
        "samba/heads": "age file",
        "n": "nowhere",
    }


def test_a_source_wins_over_the_age_file(site: Path) -> None:
    store = store_at(site, sources={"samba/heads": {"command": ["echo", "other"]}})
    assert store.value("samba/heads") == b"other"


# --- the store itself -------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [repr, str, format, "{}".format, lambda store: f"{store.file!r}"])
def test_a_store_shows_nothing(site: Path, way: Callable[[SiteStore], str]) -> None:
    store = store_at(site)
    store.value("samba/heads")
    assert CANARY not in way(store)


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps])
def test_a_store_is_not_taken_along(site: Path, way: Callable[[SiteStore], object]) -> None:
    store = store_at(site)
    store.value("samba/heads")
    with pytest.raises(TypeError) as caught:
        way(store)
    assert_silent(caught.value)


def test_loading_a_site_does_not_load_the_age_library() -> None:
    code = "import sys, phoenix_hypervisor.secretstore; print('pyrage' in sys.modules)"
    env = {"PYTHONPATH": GENERATOR}
    assert (
        subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True).stdout
        == b"False\n"
    )
