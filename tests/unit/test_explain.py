"""`phoenix explain`: where values come from, what needs what and why; whole screens."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.site_files import HOSTS, NODE, POOL, SITE, loaded, make
from tests.unit.test_cli import call

from phoenix_hypervisor.config import Site, load
from phoenix_hypervisor.observe import explain
from phoenix_hypervisor.resource import Ref

Capture = pytest.CaptureFixture[str]
REPOSITORY = Path(__file__).resolve().parents[2]
FILES = {
    SITE: 'name: test\ndefaults:\n  zfs_dataset:\n    "*": {atime: off}\n',
    "configs/profiles/data.yaml": "zfs_dataset:\n  tank/x: {quota: 1G, compression: lz4}\n",
    NODE: f"profiles: [data]\n{POOL}zfs_dataset:\n  tank: {{}}\n  tank/x: {{compression: zstd}}\n"
    "samba_user:\n  heads: {password: !secret samba/heads}\n"
    "samba_share:\n  x: {path: /tank/x, valid_users: [heads]}\n",
}
DATASET = """\
pve/zfs_dataset:tank/x
  declared in configs/nodes/pve.yaml:10:3; node pve; lane pve
  values
    atime        off   the site's defaults, for `*`, configs/site.yaml:4:11
    quota        1G    profile `data`, configs/profiles/data.yaml:2:12
    compression  zstd  its own file, configs/nodes/pve.yaml:10:12
  by default
    state  present
    exact  False
"""
NEEDS = """\
  needs
    pve/zfs_pool:tank  its name says so
  needed by
    pve/samba_share:x  `path` takes path `/tank/x`
  artifacts
    /var/lib/phoenix/scripts/zfs_dataset/tank.x.sh  0700  a script
  checks
    present
"""


def test_the_whole_screen_of_a_dataset(tmp_path: Path, capsys: Capture) -> None:
    make(tmp_path, FILES)
    status, out, err = call(capsys, "--site", tmp_path, "explain", "zfs_dataset:tank/x")
    assert (status, err) == (0, "")
    assert out.startswith(DATASET)
    assert NEEDS in out
    assert "  not managed: recordsize, sync, refquota," in out
    assert call(capsys, "--site", tmp_path, "explain", "pve/zfs_dataset:tank/x")[1] == out


def test_secrets_are_shown_by_name_only(tmp_path: Path, capsys: Capture) -> None:
    make(tmp_path, FILES)
    (tmp_path / "configs/secrets.age").write_bytes(b"nobody opens this")
    status, out, _ = call(capsys, "--site", tmp_path, "explain", "samba_user:heads")
    assert (status, "    password  <secret samba/heads>  its own file, " in out) == (0, True)
    status, out, _ = call(capsys, "--site", tmp_path, "explain", "samba_user:heads", "--json")
    assert json.loads(out)["resources"][0]["values"][0]["value"] == "<secret samba/heads>"


def test_a_wrong_reference_is_wrong_usage(tmp_path: Path, capsys: Capture) -> None:
    make(tmp_path, {**FILES, HOSTS: "pve:\ntwo:\n", "configs/nodes/two.yaml": ""})
    for words, said in {
        (
            "zfs_dataset:tank/y",
        ): "no resource `zfs_dataset:tank/y`\n  hint: did you mean `zfs_dataset:tank/x`?",
        ("x", "--host", "pev"): "no host `pev`\n  hint: did you mean `pve`?",
        ("zfs_pool:tank", "--host", "two"): "no resource `zfs_pool:tank` on two\n  hint: it is on pve",
    }.items():
        assert call(capsys, "--site", tmp_path, "explain", *words) == (64, "", f"error: {said}\n")


def test_one_resource_on_several_hosts_is_explained_for_each(tmp_path: Path, capsys: Capture) -> None:
    make(tmp_path, {HOSTS: "pve:\ntwo:\n", "configs/nodes/two.yaml": POOL})
    found = json.loads(call(capsys, "--site", tmp_path, "explain", "zfs_pool:tank", "--json")[1])
    assert [one["resource"] for one in found["resources"]] == ["pve/zfs_pool:tank", "two/zfs_pool:tank"]
    out = call(capsys, "--site", tmp_path, "explain", "zfs_pool:tank", "--host", "two")[1]
    assert out.splitlines()[0] == "two/zfs_pool:tank"


def test_what_goes_away_says_so_and_why_it_waits(tmp_path: Path) -> None:
    text = f"{POOL}zfs_dataset:\n  tank/x: {{state: absent}}\n  tank/x/y: {{state: absent}}\n"
    site = loaded(tmp_path, {NODE: text})
    above, below = (Ref("pve", "zfs_dataset", name) for name in ("tank/x", "tank/x/y"))
    assert below in site.needs[above]
    assert explain.why(site, above, below) == ["both go away, and this one needed it"]
    found = explain.explained(site, above)
    assert (found["present"], found["artifacts"]) == (False, [])
    assert next(explain.lines(found)) == "pve/zfs_dataset:tank/x  should not be there"


# --- the reference site -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site() -> Site:
    return load(REPOSITORY)


def needs(site: Site, ref: Ref) -> dict[str, list[str]]:
    return {one["resource"]: one["why"] for one in explain.explained(site, ref)["needs"]}


def test_a_guest_s_resources_say_whose_lane_and_layers_they_are(site: Site) -> None:
    found = explain.explained(site, Ref("phoenix", "lxc", "950"))
    assert (found["guest"], found["node"], found["lane"]) == ("vllm-chat", "phoenix", "vllm-chat")
    sources = {one["attribute"]: one["from"] for one in found["values"]}
    assert sources["swap"] == "the site's defaults"
    assert sources["clone"] == "profile `vllm`"
    assert sources["memory"] == "its own file"
    assert sources["state"] == "the kind's default"
    why = needs(site, Ref("phoenix", "lxc", "950"))
    assert why["phoenix/lxc_layer:920"] == ["`clone` takes layer `template-vllm`, only to make it"]
    assert why["phoenix/lxc:953"] == ["`after` takes guest_up `gateway`"]
    given = {f"{one['topic']} {one['key']}": one["from"] for one in found["given"]}
    assert given["gpu gpu0"] is None
    assert given["mounts vllm-chat"] == "phoenix/shared_volume:models"
    sorts = {one["name"]: one["sort"] for one in found["checks"]}
    assert (sorts["power"], sorts["stale"], sorts["ready"]) == ("state", "notice", "probe")


def test_what_is_about_a_guest_and_inside_it_says_so(site: Site) -> None:
    layer = needs(site, Ref("phoenix", "lxc_layer", "902"))
    assert layer["phoenix/lxc:902"] == ["it is about the finished guest"]
    inside = next(ref for ref in site.resources if ref.host == "template-docker")
    assert needs(site, inside)["phoenix/lxc:902"] == ["it is inside the guest"]
    assert needs(site, Ref("phoenix", "firewall_guest", "950"))["phoenix/lxc:950"] == [
        "it is about the guest"
    ]


def test_every_value_and_every_need_of_the_reference_site_is_explained(site: Site) -> None:
    unexplained: list[Any] = []
    for ref, resource in site.resources.items():
        found = explain.explained(site, ref)
        assert all(line == line.rstrip() for line in explain.lines(found))
        named = {one["attribute"].split(".")[0] for one in found["values"]}
        assert named >= type(resource).model_fields.keys() - {"name"}, ref
        for one in found["values"]:
            if one["place"]:
                file, line, column = one["place"].split(":")
                key = one["attribute"].split(".")[-1]
                text = (REPOSITORY / file).read_text().splitlines()[int(line) - 1][int(column) - 1 :]
                assert text.lstrip("\"'").startswith(key[: len(text)]) or key in one["attribute"], one
        unexplained += [(ref, one) for one in found["needs"] if one["why"] == [explain.SAID_BY_THE_KIND]]
        assert [one["resource"] for one in found["needs"]] == [need.full for need in site.needs[ref]]
        assert found["checks"], ref
    assert unexplained == []
