"""A container's conf file: read as Proxmox reads it, written as it writes, ours changed and all else kept."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lab import transcripts

from phoenix_hypervisor.dialects import lxc_conf, vmlist
from phoenix_hypervisor.dialects.lxc_conf import Conf, Section

from .recorded_confs import Recorded, load, name, said

recorded = pytest.mark.skipif(not transcripts.available(), reason="no recorded transcripts here")

BY_HAND = {
    ("03-pct-set-snap-clone", 102),  # unreadable lines and a comment at the end
    ("03-pct-set-snap-clone", 110),  # the lock on top
    ("07-running-pending", 59),  # an empty value, which Proxmox reads as a blank
}
"""Recorded confs that Proxmox did not write, or would write otherwise."""


def changed(conf: Conf, **keys: str) -> Conf:
    """The conf after `pct set` of a stopped container."""
    return conf._replace(active=conf.active._replace(keys={**conf.keys, **keys}))


# --- what Proxmox wrote -----------------------------------------------------------------------------------


@recorded
@pytest.mark.parametrize("conf", [conf for conf in load() if conf[:2] not in BY_HAND], ids=name)
def test_what_proxmox_wrote_is_written_the_same(conf: Recorded) -> None:
    assert lxc_conf.write(lxc_conf.parse(conf.text)) == conf.text


@recorded
def test_enough_was_recorded() -> None:
    assert len(load()) > 60


@recorded
def test_unknown_keys_survive_and_lines_that_are_none_do_not() -> None:
    topic = "03-pct-set-snap-clone"
    conf = lxc_conf.parse(said(topic, 102))
    assert conf.active.unread == ("this is no key value line",)
    assert lxc_conf.write(changed(conf, swap="0")) == said(topic, 105)


@recorded
def test_comments_by_hand_become_the_description() -> None:
    topic = "07-running-pending"
    by_hand = "# hand written comment: with colon %41\n" + said(topic, 45)
    conf = lxc_conf.parse(by_hand)
    assert conf.description == " hand written comment: with colon A"
    assert lxc_conf.write(changed(conf, memory="130")) == said(topic, 48)
    more = said(topic, 48) + "\n# comment in the middle\nonboot: 0\n"
    assert lxc_conf.write(changed(lxc_conf.parse(more), memory="131")) == said(topic, 49)


@recorded
def test_a_file_in_the_order_of_a_person() -> None:
    command = next(entry.command for entry in transcripts.load("07-running-pending") if entry.n == 69)
    text = command.split("'")[1].replace("\\n", "\n")
    assert lxc_conf.write(changed(lxc_conf.parse(text), cores="1")) == said("07-running-pending", 70)


@recorded
def test_an_empty_value_and_numbers_as_proxmox_reads_them() -> None:
    topic = "07-running-pending"
    conf = lxc_conf.parse(said(topic, 59))
    assert conf.keys["tags"] == " "
    keys = {
        "cpulimit": "1.50",
        "memory": lxc_conf.canonical("memory", "0256"),
        "onboot": "1",
        "protection": "0",
    }
    net = {"net0": "name=eth0,bridge=vmbr99,hwaddr=BC:24:11:7E:48:B6,ip=manual,type=veth"}
    assert lxc_conf.write(changed(conf, **keys, **net)) == said(topic, 64)


@recorded
def test_what_waits_for_the_next_start() -> None:
    conf = lxc_conf.parse(said("07-running-pending", 23))
    assert conf.waiting == {
        "mp0": None,
        "cmode": "shell",
        "features": "nesting=1",
        "nameserver": "10.99.0.53",
        "ostype": "debian",
        "searchdomain": "x.test",
    }
    assert conf.keys["ostype"] == "alpine"
    assert lxc_conf.parse(said("07-running-pending", 45)).waiting == {}


@recorded
def test_snapshots_and_their_descriptions() -> None:
    conf = lxc_conf.parse(said("03-pct-set-snap-clone", 144))
    assert conf.description == "changed"
    assert list(conf.snapshots) == ["s1", "s2"]
    assert conf.snapshots["s1"].description == "before upgrade: 50%"
    assert (conf.snapshots["s1"].keys["memory"], conf.keys["memory"]) == ("64", "128")
    assert conf.snapshots["s2"].description == ""


@recorded
def test_the_description_is_that_which_the_api_tells() -> None:
    told = json.loads(said("07-running-pending", 43))
    conf = lxc_conf.parse(said("07-running-pending", 41))
    assert conf.description + "\n" == told["description"]
    assert lxc_conf.encoded(conf.description) == "".join(
        line + "\n" for line in said("07-running-pending", 41).splitlines() if line.startswith("#")
    )


@recorded
@pytest.mark.parametrize(("conf", "api"), [(23, 25), (41, 43)])
def test_the_digest_is_that_of_the_api(conf: int, api: int) -> None:
    told = json.loads(said("07-running-pending", api))["digest"]
    assert lxc_conf.digest(said("07-running-pending", conf)) == told


@recorded
def test_the_digest_is_the_sha1_of_the_bytes() -> None:
    assert said("07-running-pending", 50).startswith(lxc_conf.digest(said("07-running-pending", 49)))
    assert (
        lxc_conf.digest(b"\xff".decode(errors="surrogateescape"))
        == "85e53271e14006f0265921d02d4d736cdc580b0b"
    )


@recorded
def test_what_pct_config_understood() -> None:
    strange = lxc_conf.parse("hostname=eq\nmemory:64\n  swap: 0\nnet0:   name=eth0  \n").active
    assert "".join(f"{key}: {value}\n" for key, value in strange.keys.items()) == said("10-pmxcfs", 28)
    assert strange.unread == ("hostname=eq", "  swap: 0")
    windows = lxc_conf.parse("hostname: crlf\r\nmemory: 64\r\n")
    assert "".join(f"{key}: {value}\n" for key, value in windows.keys.items()) == said("10-pmxcfs", 27)


# --- reading ----------------------------------------------------------------------------------------------


def test_both_spellings_of_a_raw_line_are_read() -> None:
    text = (
        "lxc.cap.drop: sys_time \n"
        "lxc.idmap=u 0 100000 65536\n"
        "lxc.idmap   =  g 0 100000 65536\n"
        "lxc.cap.drop:\n"
    )
    assert lxc_conf.parse(text).raw == (
        ("lxc.cap.drop", "sys_time"),
        ("lxc.idmap", "u 0 100000 65536"),
        ("lxc.idmap", "g 0 100000 65536"),
        ("lxc.cap.drop", ""),
    )
    assert lxc_conf.parse(text).active.raw_values("lxc.cap.drop") == ("sys_time", "")


def test_raw_lines_belong_to_their_section() -> None:
    text = "lxc.autodev: 1\n\n[pve:pending]\nlxc.autodev: 2\n\n[one]\nlxc.autodev: 3\n"
    conf = lxc_conf.parse(text)
    assert [section.raw for section in (conf.active, conf.pending, conf.snapshots["one"])] == [
        (("lxc.autodev", "1"),),
        (("lxc.autodev", "2"),),
        (("lxc.autodev", "3"),),
    ]


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("lxc.cgroup2.devices.allow: c 195:* rwm", True),
        ("lxc.cgroup.devices.allow: c 195:* rwm", True),
        ("lxc.aa_profile: unconfined", True),
        ("lxc.limit.nofile: 1", True),
        ("lxc.rootfs.path: /x", False),
        ("lxc.nosuch: 1", False),
    ],
)
def test_raw_lines_that_proxmox_drops_are_unread(line: str, kept: bool) -> None:
    section = lxc_conf.parse(line + "\n").active
    assert (bool(section.raw), bool(section.unread)) == (kept, not kept)
    assert lxc_conf.write(lxc_conf.parse(line)) == (line + "\n" if kept else "")


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("lxc.mount.entry", ""),
        ("lxc.cgroup2.memory.high", ""),
        ("lxc.net.0.type", ""),
        ("lxc.rootfs.path", "declare `rootfs`"),
        ("lxc.cgroup.devices.allow", "another name"),
        ("lxc.id_map", "another name"),
        ("lxc.nosuch", "not a raw setting"),
        ("mount.entry", "not a raw setting"),
    ],
)
def test_which_raw_keys_can_be_declared(key: str, why: str) -> None:
    said_why = lxc_conf.refusal(key)
    assert why in said_why
    assert bool(said_why) == bool(why)


def test_the_last_of_two_and_the_description_in_both_places() -> None:
    text = "#one\nhostname: a\nhostname: b\ndescription: two%0Athree\n#four\n[snap]\n#five\n"
    conf = lxc_conf.parse(text)
    assert conf.keys == {"hostname": "b"}
    assert conf.description == "one\ntwo\nthreefour"
    assert conf.snapshots["snap"].description == "five"


def test_what_only_makes_sense_elsewhere() -> None:
    text = "delete: mp0\nsnapstate: delete\n[pve:pending]\ndelete: mp0,!dev1 net2\n[ss]\nsnapstate: prepare\n"
    conf = lxc_conf.parse(text)
    assert conf.active == Section(unread=("delete: mp0",))
    assert conf.waiting == {"mp0": None, "dev1": None, "net2": None}
    assert conf.snapshots["ss"].keys == {"snapstate": "prepare"}


def test_switches_and_numbers_in_one_spelling() -> None:
    conf = lxc_conf.parse(
        "onboot: Yes\nprotection: off\nmemory: 0256\nconsole: what\ncpulimit: 1.50\nsnaptime: 07\n"
    )
    assert conf.keys == {
        "onboot": "1",
        "protection": "0",
        "memory": "256",
        "console": "what",
        "cpulimit": "1.50",
        "snaptime": "7",
    }


def test_only_a_line_feed_ends_a_line() -> None:
    text = "bogus: a\u2028swap: 1\x0bmemory: 2\x85\n"
    assert lxc_conf.parse(text).keys == {"bogus": "a\u2028swap: 1\x0bmemory: 2\x85"}


def test_line_breaks_at_the_end_of_a_description_are_not_kept() -> None:
    assert lxc_conf.encoded("\na\n\nb\n\n") == "#\n#a\n#\n#b\n"
    assert lxc_conf.encoded("\n") == lxc_conf.encoded("") == ""


def test_snapshots_are_written_by_name() -> None:
    snapshot = Section(keys={"snaptime": "1"})
    conf = Conf(Section(), Section(), {"two": snapshot, "one": snapshot})
    assert lxc_conf.write(conf) == "\n[one]\nsnaptime: 1\n\n[two]\nsnaptime: 1\n"


def test_a_text_is_read_once() -> None:
    text = "memory: 64\n"
    assert lxc_conf.parse(text) is lxc_conf.parse(text)


# --- any file ---------------------------------------------------------------------------------------------

words = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=8)
values = st.lists(words, min_size=1, max_size=3).map(" ".join)
own_keys = st.sampled_from(["hostname", "net0", "mp12", "rootfs", "tags", "lock", "parent", "bogus", "x_y3"])
numbers = st.sampled_from(["memory", "swap", "onboot", "cores"])
keys = st.dictionaries(own_keys, values) | st.dictionaries(numbers, st.integers(0, 1).map(str))
raw_keys = st.sampled_from(
    ["lxc.idmap", "lxc.mount.entry", "lxc.cgroup2.devices.allow", "lxc.prlimit.nofile"]
)
raw_lines = st.lists(st.tuples(raw_keys, values | st.just("")), max_size=5).map(tuple)
descriptions = st.text(st.characters(exclude_categories=("Cs",)), max_size=40).map(
    lambda text: text.rstrip("\n")
)
sections = st.builds(Section, descriptions, keys, raw_lines, st.just(()))
waiting = st.builds(Section, st.just(""), keys | st.just({"delete": "mp0,tags"}), st.just(()), st.just(()))
names = st.from_regex(r"[a-z][a-z0-9_-]{1,8}", fullmatch=True)
confs = st.builds(Conf, sections, waiting, st.dictionaries(names, sections, max_size=3))
strange = st.sampled_from(
    ["", "   ", "no key", "hostname=eq", " swap: 0", "lxc.nosuch: 1", "UPPER: 1", "[1x]", "é: 1"]
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Files as Proxmox and people write them: other spellings, strange lines, no line break at the end."""
    lines = lxc_conf.write(draw(confs)).split("\n")[:-1]
    written = []
    for line in lines:
        other = line.replace(": ", draw(st.sampled_from([": ", " = ", ":   "])), 1)
        written.append(other if line.startswith("lxc.") else line)
        written += draw(st.lists(strange, max_size=1))
    return "\n".join(written) + draw(st.sampled_from(["", "\n", "\n\n"]))


@given(confs)
def test_what_is_written_is_read_the_same(conf: Conf) -> None:
    assert lxc_conf.parse(lxc_conf.write(conf)) == conf


@given(texts())
def test_writing_is_stable(text: str) -> None:
    once = lxc_conf.write(lxc_conf.parse(text))
    assert lxc_conf.write(lxc_conf.parse(once)) == once


@given(texts(), own_keys, values)
def test_one_changed_key_keeps_all_the_rest(text: str, key: str, value: str) -> None:
    conf = lxc_conf.parse(text)
    found = lxc_conf.parse(lxc_conf.write(changed(conf, **{key: value})))
    assert {**conf.keys, key: value} == found.keys
    assert (found.description, found.raw) == (conf.description, conf.raw)
    assert found.pending._replace(unread=()) == conf.pending._replace(unread=())
    assert found.snapshots == {name: kept._replace(unread=()) for name, kept in conf.snapshots.items()}


@given(descriptions)
def test_any_description_reads_back_and_stands_in_plain_ascii(description: str) -> None:
    encoded = lxc_conf.encoded(description)
    assert lxc_conf.parse(encoded).description == description
    assert encoded.isascii()
    assert all(line.startswith("#") and ":" not in line for line in encoded.splitlines())


@given(st.text() | st.binary().map(lambda data: data.decode(errors="surrogateescape")))
def test_no_text_is_too_strange(text: str) -> None:
    conf = lxc_conf.parse(text)
    once = lxc_conf.write(conf)
    assert lxc_conf.write(lxc_conf.parse(once)) == once
    lxc_conf.digest(text)
    lxc_conf.with_raw(text, {"lxc.idmap": ["u 0 0 1"]})


# --- our raw lines ----------------------------------------------------------------------------------------


wanted = st.dictionaries(raw_keys, st.lists(values, max_size=4), max_size=3)


def without(text: str, ours: set[str]) -> list[str]:
    """The lines of a text but the raw ones of the active section that are ours."""
    before, active = [], True
    for line in text.split("\n"):
        active = active and not line.startswith(("[pve:pending]", "[a")) and line[:1] != "["
        if active and line.startswith("lxc.") and line.partition(":")[0].partition("=")[0].strip() in ours:
            continue
        before.append(line)
    return before


@given(confs, wanted)
def test_our_raw_lines_are_there_in_order_and_all_else_is_kept(
    conf: Conf, ours: dict[str, list[str]]
) -> None:
    text = lxc_conf.write(conf)
    found = lxc_conf.with_raw(text, ours)
    read = lxc_conf.parse(found)
    assert {key: list(read.active.raw_values(key)) for key in ours} == ours
    assert without(found, set(ours)) == without(text, set(ours))
    assert [line for line in read.raw if line[0] not in ours] == [
        line for line in conf.raw if line[0] not in ours
    ]
    assert read._replace(active=read.active._replace(raw=())) == conf._replace(
        active=conf.active._replace(raw=())
    )


@given(texts(), wanted)
def test_a_second_time_changes_nothing(text: str, ours: dict[str, list[str]]) -> None:
    once = lxc_conf.with_raw(text, ours)
    assert lxc_conf.with_raw(once, ours) == once


@given(texts())
def test_what_is_right_already_is_kept_byte_for_byte(text: str) -> None:
    active = lxc_conf.parse(text).active
    ours = {key: active.raw_values(key) for key, _ in active.raw}
    assert lxc_conf.with_raw(text, ours) == text
    assert lxc_conf.with_raw(text, {}) == text


def test_where_our_raw_lines_go() -> None:
    text = (
        "# by hand\n"
        "memory: 64\n"
        "lxc.idmap = u 0 100000 65536\n"
        "lxc.autodev: 1\n"
        "lxc.idmap: g 0 100000 65536\n"
        "\n"
        "[pve:pending]\n"
        "swap: 0\n"
    )
    ours = {
        "lxc.idmap": ["u 0 100000 65536", "g 0 100000 1000", "g 1000 1000 1"],
        "lxc.cap.drop": ["sys_time"],
    }
    assert lxc_conf.with_raw(text, ours) == (
        "# by hand\n"
        "memory: 64\n"
        "lxc.idmap = u 0 100000 65536\n"
        "lxc.autodev: 1\n"
        "lxc.idmap: g 0 100000 1000\n"
        "lxc.idmap: g 1000 1000 1\n"
        "lxc.cap.drop: sys_time\n"
        "\n"
        "[pve:pending]\n"
        "swap: 0\n"
    )
    assert lxc_conf.with_raw(text, {"lxc.idmap": []}) == text.replace(
        "lxc.idmap = u 0 100000 65536\n", ""
    ).replace("lxc.idmap: g 0 100000 65536\n", "")


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("", "lxc.autodev: 1\n"),
        ("memory: 64", "memory: 64\nlxc.autodev: 1"),
        ("[one]\nmemory: 64\n", "lxc.autodev: 1\n[one]\nmemory: 64\n"),
        ("lxc.autodev: 0\nlxc.kmsg: 1\n", "lxc.autodev: 1\nlxc.kmsg: 1\n"),
        ("\n[one]\nlxc.autodev: 1\n", "lxc.autodev: 1\n\n[one]\nlxc.autodev: 1\n"),
    ],
)
def test_our_first_raw_line(text: str, after: str) -> None:
    assert lxc_conf.with_raw(text, {"lxc.autodev": ["1"]}) == after


def test_one_more_comes_after_the_last_of_its_key() -> None:
    text = "lxc.kmsg: 1\nlxc.idmap: a\nlxc.kmsg: 2\n"
    found = lxc_conf.with_raw(text, {"lxc.idmap": ["a", "b"]})
    assert found == "lxc.kmsg: 1\nlxc.idmap: a\nlxc.idmap: b\nlxc.kmsg: 2\n"


@pytest.mark.parametrize(
    "pair", [("lxc.x", "a\nmemory: 1"), ("lxc.x", " a"), ("Lxc.x", "a"), ("lxc.x y", "a"), ("x", "a")]
)
def test_what_is_no_raw_line_is_not_written(pair: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        lxc_conf.with_raw("", {pair[0]: [pair[1]]})


# --- all files at once ------------------------------------------------------------------------------------


def ask(folder: Path) -> subprocess.CompletedProcess[str]:
    question = lxc_conf.QUESTION.replace(lxc_conf.FOLDER, str(folder))
    return subprocess.run(["sh", "-c", question], capture_output=True, text=True, check=False)


def test_all_confs_are_read_with_one_question(tmp_path: Path) -> None:
    contents = {
        "100": "memory: 64\n",
        "101": "",
        "602": "memory: 1",
        "60": "x: 1\n",
        "999999999": "\n\n#x\n\n",
    }
    for vmid, text in contents.items():
        (tmp_path / f"{vmid}.conf").write_text(text)
    for other in ("abc.conf", "100.conf.tmp", "0100.conf", "note"):
        (tmp_path / other).write_text("hostname: other\n")
    answer = ask(tmp_path)
    assert answer.returncode == 0
    assert lxc_conf.split_all(answer.stdout) == {
        vmid: text for vmid, text in contents.items() if vmid != "60"
    }


def test_a_single_conf_and_none(tmp_path: Path) -> None:
    assert lxc_conf.split_all(ask(tmp_path).stdout) == {}
    assert ask(tmp_path).returncode == 0
    (tmp_path / "100.conf").write_text("memory: 64\n")
    assert lxc_conf.split_all(ask(tmp_path).stdout) == {"100": "memory: 64\n"}


def test_a_folder_that_is_not_there_is_no_empty_folder(tmp_path: Path) -> None:
    assert ask(tmp_path / "gone").returncode != 0


def test_a_conf_that_went_away_is_gone_and_one_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "100.conf").write_text("memory: 64\n")
    (tmp_path / "101.conf").symlink_to("nowhere")
    answer = ask(tmp_path)
    assert (answer.returncode, lxc_conf.split_all(answer.stdout)) == (0, {"100": "memory: 64\n"})
    (tmp_path / "102.conf").mkdir()
    assert ask(tmp_path).returncode == 2


@recorded
@given(
    st.lists(
        st.sampled_from(load() or [Recorded("", 0, "", "")]), max_size=5, unique_by=lambda conf: conf.vmid
    )
)
def test_recorded_confs_are_told_apart(some: list[Recorded]) -> None:
    printed = "\n".join(f"==> {conf.vmid}.conf <==\n{conf.text}" for conf in some)
    assert lxc_conf.split_all(printed) == {conf.vmid: conf.text for conf in some}


def test_a_conf_that_looks_like_two_is_told() -> None:
    text = "==> 100.conf <==\n#x\n\n==> 101.conf <==\nmemory: 1\n\n==> 101.conf <==\nmemory: 2\n"
    with pytest.raises(ValueError, match=r"two headers for 101\.conf"):
        lxc_conf.split_all(text)
    with pytest.raises(ValueError, match="not printed as asked"):
        lxc_conf.split_all("sh: something else")


def test_the_question_needs_one_process_for_all_files() -> None:
    assert shutil.which("tail")
    assert lxc_conf.QUESTION.count("tail ") == 1


# --- the list of all guests -------------------------------------------------------------------------------


@recorded
def test_recorded_list_of_guests() -> None:
    found = vmlist.parse(said("10-pmxcfs", 22))
    assert list(found) == ["100", "101", "102", "105", "106", "110", "116", "122", "600"]
    assert set(found.values()) == {vmlist.Place("pve", "lxc")}


def test_a_node_without_guests() -> None:
    assert vmlist.parse('{\n"version": 1,\n"ids": {\n}\n}\n') == {}
