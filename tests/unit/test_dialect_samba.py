"""Samba's spellings: what `testparm -s` prints, and the hash a password is kept as."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lab import transcripts

from phoenix_hypervisor.dialects import samba
from phoenix_hypervisor.errors import SecretError
from phoenix_hypervisor.secrets import Secret

recorded = pytest.mark.skipif(not transcripts.available(), reason="no recorded transcripts here")


@recorded
def test_recorded_output_of_testparm() -> None:
    said = {entry.n: entry.stdout.removesuffix("rc=0\n") for entry in transcripts.load("22-shares")}
    found = samba.sections(said[17])
    assert list(found) == ["global", "homes", "printers", "print$"]
    assert found["print$"]["path"] == "/var/lib/samba/printers"
    assert found["global"]["idmap config * : backend"] == "tdb"
    assert samba.share(said[19], "media") == {
        **samba.DEFAULTS,
        "path": "/srv/a",
        "read only": "no",
        "valid users": "heads",
    }
    assert samba.share(said[20], "MEDIA") == {**samba.DEFAULTS, "path": "/srv/a"}
    assert samba.share(said[19], "nosuch") is None


def test_comments_continuations_and_blanks() -> None:
    text = "; x\n# y = z\n[Media] trailing\n  Path  = /srv/a b \n  valid   users = heads, \\\n tails\n\n[other]\n"  # noqa: E501
    assert samba.sections(text) == {"media": {"path": "/srv/a b", "valid users": "heads tails"}, "other": {}}


def test_what_stands_before_the_first_section_belongs_to_none() -> None:
    assert samba.sections("path = /a\n[x]\npath = /b\n") == {"x": {"path": "/b"}}


def test_a_section_that_stands_twice_is_one() -> None:
    text = "[x]\npath = /a\ncomment = one\n[y]\n[X]\npath = /b\n"
    assert samba.sections(text) == {"x": {"path": "/b", "comment": "one"}, "y": {}}


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Browsable", "browseable"), ("PUBLIC", "guest ok"), ("create  mode", "create mask"), ("directory", "path"),  # noqa: E501
        ("directory mode", "directory mask"), ("group", "force group"), ("VFS Objects", "vfs objects"),
        (" valid users ", "valid users"),
    ],
)  # fmt: skip
def test_a_parameter_has_one_name(written: str, name: str) -> None:
    assert samba.parameter(written) == name
    assert samba.parameter(name) == name


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("read only", "True", "yes"), ("read only", "0", "no"), ("guest ok", "OFF", "no"), ("guest ok", "Yes", "yes"),  # noqa: E501
        ("create mask", "660", "0660"), ("create mask", "0660", "0660"), ("directory mask", "2770", "2770"),
        ("valid users", "b,a  c", "a b c"), ("write list", "@x, a", "@x a"), ("vfs objects", "b a", "b a"),
        ("comment", "Yes", "Yes"), ("path", "/No", "/No"), ("comment", "no", "no"),
    ],
)  # fmt: skip
def test_a_value_has_one_spelling(name: str, written: str, value: str) -> None:
    assert samba.canonical(name, written) == value
    assert samba.canonical(name, value) == value


words = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=6)


@given(st.lists(words, unique=True), st.sampled_from([" ", ",", ", "]))
def test_lists_of_users_have_no_order(users: list[str], between: str) -> None:
    assert samba.canonical("valid users", between.join(users)) == samba.canonical(
        "valid users", " ".join(reversed(users))
    )


@pytest.mark.parametrize(
    ("password", "digest"),
    [
        ("", "31D6CFE0D16AE931B73C59D7E0C089C0"),
        ("password", "8846F7EAEE8FB117AD06BDD830B7586C"),
        ("Password", "A4F49C406510BDCAB6824EE7C30FD852"),  # [MS-NLMP] 4.2.2.1.2
        ("SecREt01", "CD06CA7C7E10C99B1D33B7485A2ED808"),  # the server of davenport's NTLM description
    ],
)
def test_the_hash_of_known_passwords(password: str, digest: str) -> None:
    assert samba.nt_hash(password.encode()) == digest


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_every_password_has_a_hash(password: str) -> None:
    assert len(bytes.fromhex(samba.nt_hash(password.encode()))) == 16


def test_a_password_that_is_no_text_is_said_without_a_byte_of_it() -> None:
    class Kept:
        def value(self, name: str) -> bytes:
            return b"canary\xff"

    with pytest.raises(SecretError) as caught:
        Secret("samba/heads", Kept()).keyed_digest(samba.nt_hash)
    assert str(caught.value) == "secret `samba/heads` is not UTF-8 text"
    assert (caught.value.__cause__, caught.value.__suppress_context__) == (None, True)
