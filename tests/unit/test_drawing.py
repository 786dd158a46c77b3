"""`phoenix graph`: pictures that are well formed, say what the graph says, and in which nothing overlaps."""

import html
import json
import re
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.unit.site_files import DATASET, HOSTS, NODE, POOL, loaded, make
from tests.unit.test_cli import call

from phoenix_hypervisor.config import Site, load
from phoenix_hypervisor.graph import closure
from phoenix_hypervisor.inspect.looks import Look, Status
from phoenix_hypervisor.observe import drawing, drawing_svg
from phoenix_hypervisor.observe.drawing import Picture
from phoenix_hypervisor.resource import Ref

Capture = pytest.CaptureFixture[str]
REPOSITORY = Path(__file__).resolve().parents[2]
ODD = Ref('p"v\\e', "host_file", '/a "b" <c> & [d] {e} | #f; ü end\n')


@pytest.fixture(scope="module")
def site() -> Site:
    return load(REPOSITORY)


@pytest.fixture(scope="module")
def reference(site: Site) -> Picture:
    return drawing.picture(site)


def test_a_tree_has_each_resource_below_what_it_needs_first() -> None:
    pool, share, data, guest = (
        Ref("pve", kind, name)
        for kind, name in (
            ("zfs_pool", "tank"),
            ("nfs_export", "/tank/x"),
            ("zfs_dataset", "tank/x"),
            ("lxc", "900"),
        )
    )
    inside = Ref("web", "host_file", "/etc/x")
    needs = {pool: [], data: [pool], share: [data], guest: [pool], inside: [guest]}
    status = {pool: "ok", data: "drift", share: "blocked", guest: "ok", inside: "unknown"}
    picture = Picture({"pve": [pool, data, share], "web": [guest, inside]}, needs, needs, status)
    assert drawing.tree(picture) == (
        "pve\n"
        "└─ ✓ zfs_pool:tank\n"
        "   └─ ~ zfs_dataset:tank/x\n"
        "      └─ = nfs_export:/tank/x\n"
        "web\n"
        "└─ ✓ lxc:900  needs zfs_pool:tank\n"
        "   └─ ? host_file:/etc/x\n"
    )


def test_a_tree_of_the_reference_site_has_everything_once(reference: Picture) -> None:
    rows = [line for line in drawing.tree(reference).splitlines() if "─ " in line]
    assert sorted(re.sub("^[│├└─ ]*|  needs .*", "", row) for row in rows) == sorted(
        map(str, reference.needs)
    )


@pytest.fixture(scope="module")
def odd() -> Picture:
    other = Ref(ODD.host, "host_file", "end")
    needs = {other: [], ODD: [other]}
    return Picture({ODD.host: [other, ODD]}, needs, needs, {ODD: "drift"})


# --- what is drawn ----------------------------------------------------------------------------------------


def test_everything_is_drawn_once_in_its_lane(site: Site, reference: Picture) -> None:
    drawn = [ref for refs in reference.lanes.values() for ref in refs]
    assert sorted(drawn) == sorted(site.resources)
    assert next(iter(reference.lanes)) == "phoenix"
    assert Ref("phoenix", "lxc", "950") in reference.lanes["vllm-chat"]
    assert reference.needs == {ref: list(needs) for ref, needs in site.needs.items()}


def test_what_follows_from_others_is_left_out_and_nothing_else(reference: Picture) -> None:
    assert sum(map(len, reference.drawn.values())) < sum(map(len, reference.needs.values()))
    for ref in reference.needs:
        assert closure([ref], reference.drawn) == closure([ref], reference.needs)
        for need in reference.drawn[ref]:
            others = {**reference.drawn, ref: [one for one in reference.drawn[ref] if one != need]}
            assert need not in closure([ref], others)


def test_a_host_is_drawn_alone_or_with_what_lives_on_it(site: Site) -> None:
    assert [*drawing.picture(site, ["vllm-chat"]).lanes] == ["vllm-chat"]
    assert drawing.picture(site, ["phoenix"]).lanes == drawing.picture(site).lanes
    alone = drawing.picture(site, ["vllm-chat"])
    assert {need for needs in alone.needs.values() for need in needs} <= alone.needs.keys()


def test_an_inspection_marks_what_it_found(tmp_path: Path) -> None:
    site = loaded(tmp_path, {NODE: DATASET})
    pool, dataset = site.resources
    looks = {pool: Look(pool, Status.OK), dataset: Look(dataset, Status.DRIFT)}
    found = drawing.picture(site, (), looks)
    assert [found.label(ref) for ref in (pool, dataset)] == ["✓ zfs_pool:tank", "~ zfs_dataset:tank/x"]
    assert found.fill(pool) != found.fill(dataset)
    assert {status.value for status in Status} == drawing.SIGNS.keys() - {""} == drawing.COLOURS.keys() - {""}
    assert len(set(drawing.SIGNS.values())) == len(drawing.SIGNS)


# --- Graphviz ---------------------------------------------------------------------------------------------

ID = r'(?:[A-Za-z_]\w*|"(?:[^"\\]|\\.)*")'
ATTRIBUTES = rf"\[{ID}={ID}(?:, {ID}={ID})*\]"
STATEMENT = re.compile(rf"\s*(?:{ID}={ID}|{ID} -> {ID}|{ID} {ATTRIBUTES}|subgraph {ID} \{{|\}})")


def graphviz(text: str) -> tuple[list[str], list[tuple[str, str]]]:
    """A small part of Graphviz's grammar: nodes and edges. Refuses anything else."""
    whole = re.fullmatch(r"digraph \w+ \{\n(.*)\}\n", text, re.DOTALL)
    assert whole
    at, depth, nodes, edges = 0, 0, [], []
    body = whole[1]
    while body[at:].strip():
        found = STATEMENT.match(body, at)
        assert found, body[at : at + 80]
        said, at = found[0].strip(), found.end()
        depth += said.endswith("{") - (said == "}")
        assert depth in (0, 1)
        words = re.findall(ID, said)
        if "->" in re.sub(ID, "", said):
            edges.append((unquoted(words[0]), unquoted(words[1])))
        elif said.startswith('"'):
            nodes.append(unquoted(words[0]))
    assert depth == 0
    return nodes, edges


def unquoted(word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word[1:-1])


@pytest.mark.parametrize("which", ["reference", "odd"])
def test_graphviz_has_every_resource_and_every_arrow(which: str, request: pytest.FixtureRequest) -> None:
    found: Picture = request.getfixturevalue(which)
    nodes, edges = graphviz(drawing.dot(found))
    assert sorted(nodes) == sorted(ref.full for ref in found.needs)
    assert edges == [(ref.full, need.full) for ref, needs in found.drawn.items() for need in needs]


# --- Mermaid ----------------------------------------------------------------------------------------------

MERMAID = [
    r'  subgraph lane\d+\["[^"\n]*"\]',
    r'    (?P<node>r\d+)\["(?P<label>[^"\n]*)"\]',
    r"  (?P<start>r\d+) --> (?P<end>r\d+)",
    r"  classDef [a-z]+ fill:#[0-9a-f]{6}",
    r"  class r\d+(?:,r\d+)* [a-z]+",
    r"  end",
]


@pytest.mark.parametrize("which", ["reference", "odd"])
def test_mermaid_has_every_resource_and_every_arrow(which: str, request: pytest.FixtureRequest) -> None:
    found: Picture = request.getfixturevalue(which)
    head, *lines = drawing.mermaid(found).splitlines()
    assert head == "flowchart RL"
    matches = [next((m for p in MERMAID if (m := re.fullmatch(p, line))), None) for line in lines]
    assert [line for line, match in zip(lines, matches, strict=True) if match is None] == []
    said = [match.groupdict() for match in matches if match]
    labels = {one["node"]: one["label"] for one in said if "node" in one}
    shown = [html.unescape(re.sub(r"#(\d+);", r"&#\1;", label)) for label in labels.values()]
    assert shown == [found.label(ref) for refs in found.lanes.values() for ref in refs]
    assert sum("start" in one for one in said) == sum(map(len, found.drawn.values()))
    assert {one["start"] for one in said if "start" in one} <= labels.keys()
    assert lines.count("  end") == len(found.lanes)


# --- SVG --------------------------------------------------------------------------------------------------

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("which", ["reference", "odd"])
def test_the_svg_is_well_formed_and_shows_everything(which: str, request: pytest.FixtureRequest) -> None:
    found: Picture = request.getfixturevalue(which)
    root = ElementTree.fromstring(drawing_svg.svg(found))
    assert root.tag == f"{SVG}svg"
    groups = root.findall(f"{SVG}g")
    texts = [(group.find(f"{SVG}text").text or "").split() for group in groups]  # type: ignore[union-attr]
    assert sorted(texts) == sorted(found.label(ref).split() for refs in found.lanes.values() for ref in refs)
    arrows = [path for path in root.findall(f"{SVG}path") if path.get("marker-end")]
    assert len(arrows) == sum(map(len, found.drawn.values()))


def test_nothing_overlaps_and_every_label_fits_into_its_box(reference: Picture) -> None:
    placed = drawing_svg.layout(reference)
    for one, other in combinations(placed.boxes.values(), 2):
        assert not overlap(one, other)
    for one, other in combinations(placed.bands.values(), 2):
        assert not overlap(one, other)
    width, height = placed.size
    for lane, band in placed.bands.items():
        assert band.x + band.width <= width
        assert band.y + band.height <= height
        for ref in reference.lanes[lane]:
            assert inside(placed.boxes[ref], band)
    root = ElementTree.fromstring(drawing_svg.svg(reference))
    for group in root.findall(f"{SVG}g"):
        box, text = group.find(f"{SVG}rect"), group.find(f"{SVG}text")
        assert box is not None
        assert text is not None
        end = float(text.get("x", "")) + len(text.text or "") * drawing_svg.SIGN
        assert end <= float(box.get("x", "")) + float(box.get("width", ""))


def overlap(one: drawing_svg.Box, other: drawing_svg.Box) -> bool:
    across = one.x < other.x + other.width and other.x < one.x + one.width
    return across and one.y < other.y + other.height and other.y < one.y + one.height


def inside(box: drawing_svg.Box, band: drawing_svg.Box) -> bool:
    across = band.x <= box.x and box.x + box.width <= band.x + band.width
    return across and band.y <= box.y and box.y + box.height <= band.y + band.height


def test_what_is_needed_stands_to_the_left_in_its_lane(reference: Picture) -> None:
    boxes = drawing_svg.layout(reference).boxes
    for refs in reference.lanes.values():
        for ref in refs:
            for need in reference.needs[ref]:
                assert need not in refs or boxes[need].x < boxes[ref].x


def test_a_site_without_resources_is_an_empty_picture(tmp_path: Path) -> None:
    found = drawing.picture(loaded(tmp_path, {NODE: ""}))
    assert ElementTree.fromstring(drawing_svg.svg(found)).findall(f"{SVG}g") == []
    assert graphviz(drawing.dot(found)) == ([], [])


# --- the verb ---------------------------------------------------------------------------------------------


def test_the_verb_draws_offline(tmp_path: Path, capsys: Capture) -> None:
    make(tmp_path, {NODE: DATASET})
    assert call(capsys, "--site", tmp_path, "graph", "--format", "dot") == (
        0,
        (
            "digraph site {\n"
            "  rankdir=RL\n"
            '  node [shape=box, style=filled, fontname="sans-serif"]\n'
            "  subgraph cluster_0 {\n"
            '    label="pve"\n'
            '    "pve/zfs_pool:tank" [label="zfs_pool:tank", fillcolor="#eef2f7"]\n'
            '    "pve/zfs_dataset:tank/x" [label="zfs_dataset:tank/x", fillcolor="#eef2f7"]\n'
            "  }\n"
            '  "pve/zfs_dataset:tank/x" -> "pve/zfs_pool:tank"\n'
            "}\n"
        ),
        "",
    )
    assert call(capsys, "--site", tmp_path, "graph")[1].startswith("<svg ")
    assert call(capsys, "--site", tmp_path, "graph", "--format", "mermaid")[1].startswith("flowchart RL\n")
    found = json.loads(call(capsys, "--site", tmp_path, "graph", "--format", "json")[1])
    assert found["resources"][1] == {
        "resource": "pve/zfs_dataset:tank/x",
        "host": "pve",
        "kind": "zfs_dataset",
        "name": "tank/x",
        "lane": "pve",
        "status": None,
        "needs": ["pve/zfs_pool:tank"],
    }


def test_a_host_that_is_not_there_is_wrong_usage(tmp_path: Path, capsys: Capture) -> None:
    make(tmp_path)
    said = "error: no host `pev`\n  hint: did you mean `pve`?\n"
    assert call(capsys, "--site", tmp_path, "graph", "--host", "pev") == (64, "", said)
    assert call(capsys, "--site", tmp_path, "graph", "--format", "png")[0] == 64


def test_drift_of_a_host_that_does_not_answer_is_unknown(tmp_path: Path, capsys: Capture) -> None:
    make(tmp_path, {HOSTS: "pve: {data: {transport: lab}}\n", NODE: POOL})
    status, out, err = call(capsys, "--site", tmp_path, "graph", "--drift", "--format", "json")
    assert (status, [one["status"] for one in json.loads(out)["resources"]]) == (3, ["unknown"])
    assert "host `pve`" in err


def test_nodes_and_guests_stand_for_all_that_is_in_them(site: Site, reference: Picture) -> None:
    status = {ref: "drift" if ref.host == "gateway" else "ok" for ref in site.resources}
    found = drawing.hosts(site, reference._replace(status=status))
    needs = {ref.name: {need.name for need in needs} for ref, needs in found.drawn.items()}
    assert needs["template-base"] == needs["ml-desktop"] == {"phoenix"}
    assert (needs["template-gpu"], needs["phoenix"]) == ({"template-base"}, set())
    assert "template-vllm" in needs["vllm-chat"]
    assert closure({ref: tuple(needs) for ref, needs in found.needs.items()}, found.needs)  # no loop
    assert sorted(found.label(ref) for ref in found.drawn if found.fill(ref) == drawing.COLOURS["drift"]) == [
        "~ gateway"
    ]
    assert "~ gateway</text>" in drawing_svg.svg(found)
