"""The report: what it says of a run, that nothing in it becomes markup, and that it needs nothing else."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.unit.site_files import NODE, POOL, loaded

from phoenix_hypervisor import cli
from phoenix_hypervisor.cli.report import page
from phoenix_hypervisor.config import Site
from phoenix_hypervisor.observe.report.page import lasting

FILES = {NODE: f"{POOL}zfs_dataset: {{tank/x: {{atime: off}}, tank/y: {{atime: off}}}}\n"}
X, Y, TANK = "pve/zfs_dataset:tank/x", "pve/zfs_dataset:tank/y", "pve/zfs_pool:tank"
NAME = "20260102-030405-000006"
EVIL = "<script>alert('x')</script> & \"more\""
VOID = {"meta", "link", "br", "img", "hr", "input"}


def entry(resource: str, **facts: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"changes": [], "steps": [], "refusals": [], "reasons": [], "after": None}
    return {"resource": resource, "status": "drift", **empty, **facts}


CHANGE = {"attribute": "atime", "actual": "on", "desired": "off", "relation": "=="}
STEP = {"title": "zfs set atime=off tank/x", "effect": "hot", "destroys": "", "interrupts": ""}
ENTRIES = [
    entry(
        X,
        changes=[{"attribute": "atime", "actual": EVIL, "desired": "off", "relation": "=="}],
        steps=[STEP],
    ),
    entry(Y, refusals=[{"attribute": "present", "reason": "somebody else's"}]),
]
RAN = {
    "resource": X,
    "title": STEP["title"],
    "effect": "hot",
    "began": 100.0,
    "seconds": 2.0,
    "waited": 1.0,
    "status": 0,
    "said": "",
}
EVENTS: list[dict[str, Any]] = [
    {"event": "run", "at": "2026-01-02T03:04:05.000+00:00", "verb": "apply",
     "arguments": ["phoenix", "apply"], "who": "me@here"},
    {"event": "plan", "plan": {"entries": ENTRIES, "resources": {X: "drift", Y: "drift", TANK: "ok"},
                               "notices": {"pve": ["it has 1 GiB of memory"]}}},
    {"event": "ran", **RAN},
    {"event": "ran", **RAN, "began": 102.0, "status": 1, "said": "no <room>"},
    {"event": "outcome", "resources": {X: "ok", Y: "drift", TANK: "ok"}, "stuck": {Y: "somebody else's"},
     "checks": {X: {"held": 4, "wrong": []}, Y: {"held": 1, "wrong": ["test_present", "test_atime"]}},
     "waiting": {}, "reasons": {}, "notices": {}},
    {"event": "end", "exit": 1, "seconds": 4.5},
]  # fmt: skip


class Outline(HTMLParser):
    """The elements of a page, checked to be closed in order, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    recorded(tmp_path, EVENTS)
    return loaded(tmp_path, FILES)


def recorded(folder: Path, events: list[dict[str, Any]], name: str = NAME) -> None:
    runs = folder / ".phoenix/runs"
    runs.mkdir(parents=True, exist_ok=True)
    rows = [json.dumps({"version": 1, "run": name, **event}) for event in events]
    (runs / f"{name}.jsonl").write_text("\n".join(rows) + "\n")


def test_the_page_says_how_the_run_ended_and_how_everything_is(site: Site) -> None:
    text = Outline(page(site, "last")).text
    assert "! failed phoenix apply by me@here, 2026-01-02 03:04:05 UTC, took 4.50 s" in text
    assert "pve node ~ differs 2 as declared, 1 differs" in text
    assert "Worth knowing pve it has 1 GiB of memory" in text
    assert f"{Y} ~ differs not repaired: somebody else's present: somebody else's" in text
    assert f"{X} ~ differs Attribute Is Should be atime {EVIL} off {STEP['title']} hot" in text
    assert "2 steps in 4.00 s" in text
    assert "3 resources 2 ✓ as declared 1 ~ differs" in text
    assert (
        "zfs_dataset:tank/x ✓ as declared 4 checks "
        "zfs_dataset:tank/y ~ differs test_present, test_atime did not hold, 1 did"
    ) in text


def test_what_was_not_repaired_comes_first(site: Site) -> None:
    text = page(site, "last")
    assert text.index(f"<code>{Y}</code>") < text.index(f"<code>{X}</code>")


def test_bars_stand_where_their_steps_were_and_a_failed_one_says_so(site: Site) -> None:
    bars = [
        attrs
        for tag, attrs in Outline(page(site, NAME)).tags
        if (attrs.get("class") or "").startswith("bar ")
    ]
    assert [(bar["class"], bar["style"]) for bar in bars] == [
        ("bar waited", "left:0.000%;width:25.000%"),
        ("bar hot", "left:0.000%;width:50.000%"),
        ("bar waited", "left:25.000%;width:25.000%"),
        ("bar hot failed", "left:50.000%;width:50.000%"),
    ]
    assert bars[3]["title"] == f"{X}: {STEP['title']} (hot, 2.00 s, failed)"


def test_nothing_is_taken_from_anywhere_else_and_nothing_runs(site: Site) -> None:
    text = page(site, "last")
    outline = Outline(text)
    assert [tag for tag, _ in outline.tags if tag in ("script", "iframe", "img", "object", "form")] == []
    links = [attrs[name] or "" for _, attrs in outline.tags for name in ("href", "src") if name in attrs]
    assert [link for link in links if not link.startswith(("#", "data:,"))] == []
    assert re.findall(r"url\((?!#tip)|@import|\son\w+=", text) == []
    ids = [attrs["id"] for _, attrs in outline.tags if "id" in attrs]
    assert (len(ids), {link[1:] for link in links if link.startswith("#")} - {*ids}) == (len({*ids}), set())


def test_of_many_differences_those_that_wait_for_a_person_are_seen_first(site: Site) -> None:
    many = [entry(f"pve/zfs_dataset:tank/{n}", changes=[{**CHANGE, "actual": str(n)}]) for n in range(20)]
    plan = {"entries": [*many, *ENTRIES[1:]], "resources": {Y: "drift"}, "notices": {}}
    recorded(site.folder, [{"event": "plan", "plan": plan}], "20260103-030405-000006")
    text = page(site, "last")
    assert text.index(f"<code>{Y}</code>") < text.index("<summary>20 more</summary>") < text.index("tank/0<")
    assert "more</summary>" not in page(site, NAME)
    Outline(text)


def test_a_run_that_did_nothing_says_so(tmp_path: Path) -> None:
    recorded(tmp_path, [{"event": "plan", "plan": {"entries": [], "resources": {TANK: "ok"}, "notices": {}}}])
    text = Outline(page(loaded(tmp_path, FILES), "last")).text
    assert "Nothing: everything that was looked at is as declared." in text
    assert "No step was run." in text
    assert "no end: cut, or still at work" in text


def test_the_last_run_is_the_last_that_has_a_plan(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    check = [{"event": "run", "verb": "verify"}, {"event": "end", "exit": 0, "seconds": 1}]
    recorded(site.folder, check, "20260103-030405-000006")
    assert NAME in page(site, "last")
    assert cli.run(["--site", str(site.folder), "report", "20260103"]) == 64
    assert capsys.readouterr().err == (
        "error: the run 20260103-030405-000006 has no plan\n"
        "  hint: name one of `phoenix plan` or `phoenix apply`\n"
    )


def test_it_is_written_whole_to_a_file_or_stdout(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--site", str(site.folder), "report", "--out"]
    assert cli.run([*arguments, str(tmp_path / "x.html")]) == 0
    assert cli.run([*arguments, "-"]) == 0
    assert capsys.readouterr().out == (tmp_path / "x.html").read_text()
    assert cli.run([*arguments, str(tmp_path / "no" / "x.html")]) == 1
    assert capsys.readouterr().err.endswith(f"cannot write {tmp_path}/no/x.html: No such file or directory\n")


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.0123, "12 ms"), (3.5, "3.50 s"), (59, "59 s"), (125, "2 min 5 s")]
)
def test_how_long_something_took_is_said_in_a_unit_that_fits(seconds, words):
    assert lasting(seconds) == words
