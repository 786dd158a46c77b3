"""Readers of a host's own small files: what is written reads back, what means the same compares the same."""

import base64
import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoenix_hypervisor.dialects import deb822, dpkg, hosts, logrotate, modprobe, openpgp, sysctl
from phoenix_hypervisor.kinds.apt_repository import SAMPLE_FINGERPRINT, SAMPLE_KEY, AptRepository

SETS = [samples for samples in AptRepository.samples() if "file" not in samples.first]
WORDS = st.from_regex("[a-z][a-z0-9-]{0,7}", fullmatch=True)

# --- APT's sources ----------------------------------------------------------------------------------------

VALUE_LINES = st.lists(st.sampled_from(["", "one", "two words", "-----BEGIN x-----"]), min_size=1, max_size=5)


@given(st.dictionaries(st.sampled_from(list(deb822.SPELLINGS.values())), VALUE_LINES, min_size=1))
def test_a_stanza_reads_back(fields: dict[str, list[str]]) -> None:
    wanted = {name: "\n".join(lines) for name, lines in fields.items() if any(lines)}
    text = deb822.write(wanted.items())
    assert list(deb822.stanzas(f"# a comment\n\n{text}\n\n# another\n")) == ([wanted] if wanted else [])


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_exception(text: str) -> None:
    deb822.sources(text)
    deb822.one_line(text)
    hosts.parse(text)
    sysctl.merged(text)


@given(
    WORDS, WORDS, st.lists(WORDS, min_size=1, max_size=3), st.sampled_from(["", "/usr/share/keyrings/k.gpg"])
)
def test_a_line_and_a_stanza_that_mean_the_same_are_the_same(
    host: str, suite: str, components: list[str], key: str
) -> None:
    options = f"[arch=amd64 signed-by={key}] " if key else ""
    line = f"deb  {options}http://{host}/debian/ {suite}  {' '.join(components)}  # words\n"
    stanza = {
        "types": "deb",
        "URIS": f"http://{host}/debian",
        "Suites": suite,
        "components": " ".join(components),
    }
    text = "".join(f"{name}: {value}\n" for name, value in {**stanza, "Signed-by": key}.items() if value)
    assert deb822.one_line(line) == deb822.sources(text)
    assert len(deb822.sources(text)) == 1


def test_every_type_uri_and_suite_is_a_source() -> None:
    text = "Types: deb deb-src\nURIs: http://a http://b/\nSuites: x y\nComponents: main\nEnabled: no\n"
    found = deb822.sources(text)
    assert len(found) == 8
    assert {(source.uri, source.enabled) for source in found} == {("http://a/", False), ("http://b/", False)}


@pytest.mark.parametrize(
    ("word", "enabled"),
    [("yes", True), ("no", False), ("No", False), ("false", False), ("", True), ("on", True)],
)
def test_enabled_is_understood_as_apt_does(word: str, enabled: bool) -> None:
    text = f"Enabled: {word}\nTypes: deb\nURIs: http://a\nSuites: x/\n"
    assert [source.enabled for source in deb822.sources(text)] == [enabled]


def test_what_is_commented_out_is_not_there() -> None:
    said = deb822.files(
        "/etc/apt/sources.list:# deb http://a x main\n"
        "/etc/apt/sources.list:deb-src http://b x main\n"
        "/etc/apt/sources.list.d/c.list.disabled:deb http://c x main\n"
    )
    assert [source.uri for source in said["/etc/apt/sources.list"]] == ["http://b/"]
    assert list(said) == ["/etc/apt/sources.list"]


@pytest.mark.skipif(not shutil.which("apt-get"), reason="no APT here")
@pytest.mark.parametrize(
    "settings", [part for sample in SETS for part in (sample.first, sample.second)], ids=range(4)
)
def test_apt_itself_reads_what_we_write(settings: dict, tmp_path) -> None:
    settings = {**settings, "enabled": True}
    one = AptRepository.model_validate({"name": "sample", **settings})
    (tmp_path / "phoenix-sample.sources").write_text("# a comment first\n" + one.stanza)
    argv = ["apt-get", "-o", "Dir::Etc::SourceList=/dev/null", "-o", f"Dir::Etc::SourceParts={tmp_path}"]
    ended = subprocess.run([*argv, "update", "--print-uris"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    asked = [line.split()[0].strip("'") for line in ended.stdout.splitlines()]
    read = [uri for uri in asked if uri.endswith("/InRelease")]
    places = [suite if suite.endswith("/") else f"dists/{suite}/" for suite in one.suites]
    assert read == [f"{one.uris[0]}/{place}InRelease" for place in places]


# --- keys -------------------------------------------------------------------------------------------------


def test_a_key_s_fingerprint_is_what_its_owner_publishes() -> None:
    assert openpgp.fingerprint(SAMPLE_KEY) == SAMPLE_FINGERPRINT.replace(" ", "")


def test_headers_of_the_armour_do_not_count() -> None:
    head, _, body = SAMPLE_KEY.partition("\n\n")
    assert openpgp.fingerprint(f"{head}\nComment: words\nVersion: 1\n\n{body}") == openpgp.fingerprint(
        SAMPLE_KEY
    )


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "words",
        SAMPLE_KEY.replace("PUBLIC", "PRIVATE"),
        SAMPLE_KEY.replace("-----END PGP PUBLIC KEY BLOCK-----", ""),
        re.sub(r"(?s)\n\n.*\n=", "\n\nmDME\n=", SAMPLE_KEY),
        SAMPLE_KEY.replace("\n\nmDME", "\n\nyDME"),
        SAMPLE_KEY.replace("\n\nmDME", "\n\n$DME"),
    ],
    ids=range(7),
)
def test_what_is_no_public_key_is_refused(broken: str) -> None:
    with pytest.raises(ValueError, match=r"is not|does not begin"):
        openpgp.fingerprint(broken)


@given(st.binary(max_size=80))
def test_any_bytes_in_armour_are_a_key_or_refused_as_none(data: bytes) -> None:
    body = base64.b64encode(data).decode()
    text = f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{body}\n-----END PGP PUBLIC KEY BLOCK-----"
    try:
        found = openpgp.fingerprint(text)
    except ValueError:
        return
    assert len(found) in (40, 64)


# --- /etc/hosts -------------------------------------------------------------------------------------------

NAMES = st.lists(WORDS, min_size=1, max_size=3, unique=True)


@given(st.lists(st.tuples(st.ip_addresses().map(str), NAMES), max_size=5))
def test_a_table_of_names_reads_back(rows: list[tuple[str, list[str]]]) -> None:
    text = "".join(f"{address}\t{'  '.join(names)} # words\n\n" for address, names in rows)
    assert list(hosts.parse(text)) == [hosts.Line(address, tuple(names)) for address, names in rows]


def test_the_first_line_answers_for_a_name_and_each_family_for_itself() -> None:
    lines = hosts.parse("10.0.0.1 a b\n2001:DB8:0::1 a\n10.0.0.2 A\n# 10.0.0.3 c\n")
    assert hosts.first(lines, "a", "10.9.9.9") == ("10.0.0.1", ("a", "b"))
    assert hosts.first(lines, "a", "::1") == ("2001:db8::1", ("a",))
    assert hosts.first(lines, "c", "10.9.9.9") is None
    assert hosts.elsewhere(lines, hosts.Line("10.0.0.2", ("a", "d"))) == {"a": "10.0.0.1"}
    assert hosts.elsewhere(lines, hosts.Line("10.0.0.1", ("a", "b"))) == {}


# --- kernel parameters ------------------------------------------------------------------------------------


@given(st.lists(WORDS, min_size=2, max_size=4), st.lists(st.integers(0, 10**9), min_size=1, max_size=3))
def test_a_parameter_reads_back_however_it_is_written(parts: list[str], numbers: list[int]) -> None:
    name, value = ".".join(parts), " ".join(map(str, numbers))
    shown = "\t".join(map(str, numbers))
    for text in (f"{name} = {value}", f"{name}={shown}", f"-{name} = {value} ", f"{'/'.join(parts)}={value}"):
        assert sysctl.parse(f"# words\n; more\n{text}\n") == {name: value}


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("net/ipv4/conf/eth0.1/rp_filter", "net.ipv4.conf.eth0/1.rp_filter"),
        ("net.ipv4.conf.eth0/1.rp_filter", "net.ipv4.conf.eth0/1.rp_filter"),
        ("vm.swappiness", "vm.swappiness"),
        ("vm/swappiness", "vm.swappiness"),
    ],
)
def test_the_first_separator_decides_what_a_dot_is(written: str, name: str) -> None:
    assert sysctl.key(written) == name


def test_the_last_file_counts_and_of_two_with_one_name_that_in_etc() -> None:
    said = "\n".join(
        [
            "/etc/sysctl.d/10-a.conf:vm.swappiness = 1",
            "/usr/lib/sysctl.d/99-z.conf:vm.swappiness = 2",
            "/usr/lib/sysctl.d/10-a.conf:vm.dirty_ratio = 3",
            "/etc/sysctl.d/zz-phoenix-vm.swappiness.conf:vm.swappiness = 4",
        ]
    )
    assert sysctl.merged(said) == {"vm.swappiness": "4"}
    assert sysctl.merged(said.rpartition("\n")[0]) == {"vm.swappiness": "2"}


# --- packages, modules, logs ------------------------------------------------------------------------------


def test_only_what_is_wholly_installed_counts() -> None:
    said = (
        "ii \ta\tamd64\t1\nhi \tb\tamd64\t2\nrc \tc\tamd64\t3\niU \td\tamd64\t4\niF \te\tamd64\t5\n"
        "it \tf\tall\t6\nii \tg\tamd64\t7\nii \tg\ti386\t7\nun \th\tamd64\t\n"
    )
    found = dpkg.installed(said)
    assert {name for name in found if ":" not in name} == {"a", "b", "f", "g"}
    assert found["b"] == ("2", True)
    assert "g:i386" in found


@pytest.mark.parametrize(
    ("written", "shown", "same"),
    [("1", "N", "Y"), ("y", "Y", "Y"), ("0", "Y", "N"), ("N", "Y", "N"), ("1", "0", "1"), ("x", "Y", "x")],
)
def test_a_switch_is_compared_as_the_kernel_shows_it(written: str, shown: str, same: str) -> None:
    assert modprobe.parameter(written, shown) == same


def test_sections_of_logrotate_and_their_scripts_are_read() -> None:
    text = """\
weekly
/var/log/a /var/log/b/*.log
"/var/log/with blank" {
    rotate 4
    # words
    create 0640 root adm
    postrotate
        one {
        two
    endscript
}
/var/log/c {
    daily
}
"""
    first, second = logrotate.parse(text)
    assert first.paths == ("/var/log/a", "/var/log/b/*.log", "/var/log/with blank")
    assert first.directives == {"rotate": "4", "create": "0640 root adm", "postrotate": "one {\ntwo"}
    assert second == (("/var/log/c",), {"daily": ""})
