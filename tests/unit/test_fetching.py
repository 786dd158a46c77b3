"""How files come from the network: once to a node, whole or not at all, and from there to its guests."""

import hashlib
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from phoenix_hypervisor.config.model import SiteHead
from phoenix_hypervisor.converge import fetching
from phoenix_hypervisor.converge.fetching import from_mirrors, to_host, to_node
from phoenix_hypervisor.converge.steps import acts
from phoenix_hypervisor.downloads import DOWNLOADS, Fetch, mirrored
from phoenix_hypervisor.process import Ended, run
from phoenix_hypervisor.resource import Artifact, Step
from phoenix_hypervisor.transport import Address
from phoenix_hypervisor.transport.hearing import settled
from phoenix_hypervisor.transport.local import LocalTransport

STANDINS = Path(fetching.__file__).parents[1] / "lab" / "standins"
CONTENT = b"\x00what a server has\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
URL = "https://example.org/software.tar.gz"


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the cache in it; `curl` brings what is in the file `server`, and counts."""
    monkeypatch.setattr("phoenix_hypervisor.downloads.DOWNLOADS", str(tmp_path / "cache"))
    monkeypatch.setattr(fetching, "DOWNLOADS", str(tmp_path / "cache"))
    (tmp_path / "bin").mkdir()
    curl = tmp_path / "bin/curl"
    outputs = "sed -n 's/^output = \"\\(.*\\)\"/\\1/p' .part-config"
    each = f'echo >>{tmp_path}/asked; cat {tmp_path}/server >"$to" || exit 22'
    curl.write_text(f"#!/bin/sh\n{outputs} | while read -r to; do {each}; done\n")
    curl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    (tmp_path / "server").write_bytes(CONTENT)
    return tmp_path


def fetched(url: str = URL, sha256: str = SHA256, before: str = "") -> Ended:
    command, stdin = to_node([Fetch(url, sha256)])
    ended = run(["sh", "-c", before + command], stdin)
    return ended._replace(stdout=settled(ended.stdout))  # a slow machine may have been told how far it is


def kept(node: Path) -> list[str]:
    return sorted(path.name for path in (node / "cache").iterdir() if path.name != ".lock")


def test_a_file_is_fetched_once_and_lies_under_its_checksum(node: Path) -> None:
    for _ in range(2):
        assert fetched() == Ended(0, b"", b"")
    assert (kept(node), (node / "cache" / SHA256).read_bytes()) == ([SHA256], CONTENT)
    assert (node / "asked").read_text() == "\n"


def test_it_is_told_how_much_there_is_so_far(node: Path) -> None:
    """The server gives three million bytes, and the rest only when those were told."""
    first = b"x" * 3_000_000
    (node / "server").write_bytes(first)
    os.mkfifo(node / "go")
    program = (node / "bin/curl").read_text()
    (node / "bin/curl").write_text(program.replace("|| exit 22", f'; cat {node}/go >>"$to"'))
    told = []

    def hear(said: str) -> None:
        told.append(said)
        if said == "3 MB so far" and told.count(said) == 1:
            (node / "go").write_bytes(CONTENT)

    command, stdin = to_node([Fetch(URL, hashlib.sha256(first + CONTENT).hexdigest())])
    shell = LocalTransport(Address("node", "node"))
    answer = shell.act(command, stdin, hear)
    shell.close()
    assert (answer.status, settled(answer.stdout), told[-1]) == (0, b"", "3 MB so far")


def test_two_that_want_the_same_file_at_once_fetch_it_once(node: Path) -> None:
    (node / "bin/curl").write_text((node / "bin/curl").read_text().replace("cat", "sleep 0.1; cat"))
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(fetched) for _ in range(2)]
    assert [one.result().status for one in both] == [0, 0]
    assert (node / "asked").read_text() == "\n"


def test_a_file_of_the_nodes_needs_no_network(node: Path) -> None:
    assert fetched(f"file://{node}/server") == Ended(0, b"", b"")
    assert (kept(node), (node / "asked").exists()) == ([SHA256], False)


def test_a_wrong_checksum_leaves_nothing_and_says_both(node: Path) -> None:
    wrong = "0" * 64
    said = f"what came from {URL} has the sha256 {SHA256}, not {wrong}"
    ended = Ended(1, b"", f"{said}: it was removed, and nothing was changed\n".encode())
    assert fetched(sha256=wrong) == ended
    assert kept(node) == []


def test_what_is_not_there_leaves_nothing(node: Path) -> None:
    (node / "server").unlink()
    ended = fetched()
    assert ended.status == 1
    assert ended.stderr.endswith(f"nothing came from {URL}: nothing was changed\n".encode())
    assert kept(node) == []


def test_a_full_disk_leaves_nothing_and_a_file_that_was_spoilt_is_fetched_anew(node: Path) -> None:
    (node / "server").write_bytes(CONTENT * 1000)
    full = fetched(before="trap '' XFSZ; ulimit -f 1; ")
    assert (full.status, kept(node)) == (1, [])
    (node / "server").write_bytes(CONTENT)
    (node / "cache" / SHA256).write_bytes(b"half of i")
    assert fetched().status == 0
    assert (node / "cache" / SHA256).read_bytes() == CONTENT


def test_a_file_is_put_in_its_place_with_its_mode_and_nothing_is_touched_that_is_right(node: Path) -> None:
    fetched()
    put = Fetch(URL, SHA256, f"{node}/a b/program", 0o755)
    for _ in range(2):
        assert run(["sh", "-c", *to_host([put], "")]) == Ended(0, b"", b"")
        if (path := Path(put.path)).exists():
            before = path.stat()
    assert (path.read_bytes(), stat.S_IMODE(before.st_mode)) == (CONTENT, 0o755)
    assert (before.st_ino, list(path.parent.iterdir())) == (path.stat().st_ino, [path])


def test_what_comes_only_in_part_is_refused(node: Path) -> None:
    (node / "cache").mkdir()
    (node / "cache" / SHA256).write_bytes(CONTENT[:5])
    path = node / "there"
    path.write_text("old")
    ended = run(["sh", "-c", *to_host([Fetch(URL, SHA256, str(path))], "")])
    assert ended == Ended(1, b"", f"{path} came only in part: nothing was changed\n".encode())
    assert (path.read_text(), list(node.glob(".part*"))) == ("old", [])


def test_into_a_guest_it_goes_through_the_node(node: Path) -> None:
    fetched()
    attach = node / "bin/lxc-attach"
    attach.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" | head -n 1 >{node}/entered\nshift 4\nexec "$@"\n')
    attach.chmod(0o755)
    assert run(["sh", "-c", *to_host([Fetch(URL, SHA256, f"{node}/inside")], "950")]).status == 0
    assert (node / "inside").read_bytes() == CONTENT
    assert (node / "entered").read_text().startswith("-n 950 --clear-env -- /bin/sh -c path=")


def test_a_script_finds_the_file_and_a_guest_keeps_no_copy() -> None:
    script = Artifact("/var/x.sh", "x", script=True)
    step = Step("install it", execute=script, fetch=(Fetch(URL, SHA256),))
    on_node, in_guest = list(acts(step, "text")), list(acts(step, "text", "950"))
    assert [act.on_node for act in on_node] == [True, False, False]
    assert on_node[-1].command == "sh /var/x.sh"
    assert [act.on_node for act in in_guest] == [True, True, False, False]
    assert in_guest[-1].command == f"trap 'rm -rf {DOWNLOADS}' EXIT; sh /var/x.sh"
    alone = Step("fetch it", fetch=(Fetch(URL, SHA256, "/usr/local/bin/x"),))
    assert [act.on_node for act in acts(alone, "")] == [True, True]


def test_many_files_come_in_one_go_and_those_that_are_right_stay(node: Path) -> None:
    """As a step of a script needs them: all of them in the guest while it runs, or none."""
    wrong = Fetch("https://example.org/other", "0" * 64)
    command, stdin = to_node([Fetch(URL, SHA256), wrong])
    ended = run(["sh", "-c", command], stdin)
    assert (ended.status, kept(node)) == (1, [SHA256])
    assert ended.stderr.decode().startswith(f"what came from {wrong.url} has the sha256 {SHA256}, not 000")


def test_what_a_script_needs_goes_into_the_guest_whole_or_not_at_all(node: Path) -> None:
    fetched()
    inside = node / "guest"
    attach = node / "bin/lxc-attach"
    renamed = f'sed "1s|cache=[^ ]*|cache={inside}|"'
    attach.write_text(f'#!/bin/sh\nshift 4\nscript=$(printf %s "$3" | {renamed})\nsh -c "$script"\n')
    attach.chmod(0o755)
    (copy,) = to_host([Fetch(URL, SHA256)], "950")
    assert run(["sh", "-c", copy]) == Ended(0, b"", b"")
    assert [(path.name, path.read_bytes()) for path in inside.iterdir()] == [(SHA256, CONTENT)]
    (node / "cache" / SHA256).write_bytes(b"spoilt meanwhile")
    said = b"what was fetched came into the guest only in part: nothing was changed\n"
    assert (run(["sh", "-c", copy]), inside.exists()) == (Ended(1, b"", said), False)


def test_signs_of_life_do_not_change_how_it_ends() -> None:
    act = next(acts(Step("t", argv=("sh", "-c", "cat; echo wrong >&2; exit 3"), lasts=True), ""))
    ended = run(["sh", "-c", act.command])
    assert ended == Ended(3, b"", b"wrong\n")


def test_a_mirror_takes_the_place_of_the_longest_beginning_and_the_plan_says_so() -> None:
    head = SiteHead.model_validate(
        {
            "name": "x",
            "mirrors": {"https://example.org/": "file:///srv/", "https://example.org/a/": "http://m/"},
        }
    )
    assert mirrored("https://example.org/b", head.mirrors) == "file:///srv/b"
    assert mirrored("https://example.org/a/b", head.mirrors) == "http://m/b"
    assert mirrored("https://example.org.other/b", head.mirrors) == "https://example.org.other/b"
    (step,) = from_mirrors([Step(f"fetch {URL}", fetch=(Fetch(URL, SHA256),))], head.mirrors)
    assert (step.title, step.fetch[0].url) == (
        "fetch file:///srv/software.tar.gz",
        "file:///srv/software.tar.gz",
    )


@pytest.mark.parametrize(
    "mirrors",
    [
        {"https://example.org": "https://m/"},
        {"https://example.org/": "https://m"},
        {"https://example.org/": "https://user:word@m/"},
        {"example.org/": "https://m/"},
    ],
)
def test_a_mirror_that_could_be_misread_is_refused(mirrors: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="mirrors"):
        SiteHead.model_validate({"name": "x", "mirrors": mirrors})


def test_a_file_of_the_lab_has_the_published_checksum_as_long_as_it_is_whole(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import stamps; out = sys.stdout.buffer; "
        "out.write(stamps.gzipped(b'content', 'a' * 64))"
    )
    made = subprocess.run([sys.executable, "-c", code, STANDINS], capture_output=True, check=True).stdout

    def told(content: bytes) -> str:
        (tmp_path / "file").write_bytes(content)
        sums = [sys.executable, "-I", "-S", str(STANDINS), "sha256sum", str(tmp_path / "file")]
        env = {"PHOENIX_LAB_STATE": str(tmp_path)}
        return subprocess.run(sums, env=env, capture_output=True, check=True).stdout.decode()[:64]

    assert told(made) == "a" * 64
    assert subprocess.run(["gzip", "-dc"], input=made, capture_output=True, check=True).stdout == b"content"
    for other in (made[:-1], made.replace(b"a" * 64, b"b" * 64)):
        assert told(other) == hashlib.sha256(other).hexdigest()
