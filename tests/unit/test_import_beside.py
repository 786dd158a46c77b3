"""The predecessor's files rendered as they are: what is left to decide is decided, and said."""

import json
from pathlib import Path

import pytest
from tests.unit import legacy_files as files

from phoenix_hypervisor import cli
from phoenix_hypervisor.adopt.legacy import beside
from phoenix_hypervisor.config import load
from phoenix_hypervisor.errors import InputError, Problem, Where

Capture = pytest.CaptureFixture[str]
REAL = Path(__file__).resolve().parents[3] / "shared" / "legacy"
BASE = {
    "configs/site.yaml": "name: test\nsecrets: {file: mine.age}\n",
    "configs/nodes/phoenix.yaml": (
        'hardware: {memory: 4G, gpus: {gpu0: {pci: "0000:01:00.0"}, gpu1: {pci: "0000:05:00.0"}}}\n'
    ),
    "inventory/hosts.yaml": "phoenix: {hostname: 10.9.0.1, groups: [all]}\nother: {}\n",
    "inventory/groups.yaml": "all: {username: root}\n",
    "templates/README": "ours\n",
}


def write(folder: Path, inputs: dict[str, object]) -> Path:
    for name, content in inputs.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
    return folder


def laid_out(tmp_path: Path, inputs: dict[str, object], *, base: bool = False, secrets: bool = False):
    """The site that is made, and what was decided for it."""
    folder = tmp_path / "made"
    folder.mkdir()
    own = write(tmp_path / "base", BASE) if base else None
    said = beside.lay_out(write(tmp_path / "old", inputs), own, folder, with_secrets=secrets)
    return load(folder), said


def test_files_without_defects_are_rendered_as_they_are(tmp_path: Path, capsys: Capture) -> None:
    old, out = write(tmp_path / "old", files.good()), tmp_path / "out"
    asked = ("--site", str(tmp_path), "render", "--configs", str(old))
    assert cli.run([*asked, "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "phoenix/etc/pve/lxc/910.conf" in said.out
    assert "left out" not in said.err
    assert said.err.startswith(f"{old}: ")
    assert "ip=10.0.0.210/24" in (out / "phoenix/etc/pve/lxc/910.conf").read_text()
    assert cli.run([*asked, "--out", str(out), "--check"]) == 0
    assert cli.run(list(asked)) == 64
    assert "--configs needs --out" in capsys.readouterr().err


def test_what_the_rules_refuse_is_left_out_and_said(tmp_path: Path) -> None:
    site, said = laid_out(tmp_path, files.everything_wrong())
    text = "\n".join(said)
    assert "defects were met" in said[0]
    for word in (
        "gpus: [gpu0]",
        "which came of phoenix_lxc_configs.json lxc_configs.911.gpu_assignment",
        "[V-36]",
    ):
        assert word in text, text
    assert "allowed: `quota_overcommit`: " in text
    assert site.head.allow.quota_overcommit == 10
    assert "granite" in site.guests


def test_a_share_that_no_rule_opens_stays_closed(tmp_path: Path) -> None:
    inputs = files.good()
    inputs[files.NODE]["samba"] = {"user": "ann", "shares": [{"name": "iso", "path": "tank/iso"}]}
    inputs[files.NODE]["firewall"] = {"enabled": True}
    site, said = laid_out(tmp_path, inputs)
    assert "nobody may reach 445/tcp of the node: no rule of theirs lets anybody in [V-32]" in said
    own = next(one for ref, one in site.resources.items() if ref.kind == "firewall_node")
    assert own.exposed["445/tcp"] == ()
    assert "nfs_export:/tank/iso" in map(str, site.resources)


def test_of_the_site_beside_it_come_reach_hardware_and_secrets(tmp_path: Path) -> None:
    inputs = files.good()
    inputs[files.CONTAINERS]["lxc_configs"]["910"].update(gpu_assignment="1", memory_mb=8192)
    site, said = laid_out(tmp_path, inputs, base=True)
    assert site.inventory.hosts["phoenix"].hostname == "10.9.0.1"
    assert list(site.inventory.hosts) == ["phoenix"]
    assert site.inventory.groups["all"].username == "root"
    assert site.head.secrets.file == str(tmp_path / "base/configs/mine.age")
    assert (site.folder / "templates/README").read_text() == "ours\n"
    assert site.resources[site.guests["guest-910"].ref("lxc")].gpus == ("gpu1",)
    base = tmp_path / "base"
    assert said[:3] == [
        f"`phoenix` is reached as {base}/inventory/hosts.yaml says",
        f"`hardware: memory:` of `phoenix` is that of {base}/configs/nodes/phoenix.yaml",
        f"`hardware: gpus:` of `phoenix` is that of {base}/configs/nodes/phoenix.yaml",
    ]
    assert any(line.startswith("allowed: `memory_overcommit`: ") for line in said)


@pytest.mark.parametrize("secrets", [True, False])
def test_what_needs_a_secret_without_a_value_is_left_out_where_nodes_are_asked(
    tmp_path: Path, secrets: bool
) -> None:
    inputs = files.good()
    inputs[files.NODE]["users"] = {"username": "ann", "password_hash": "$6$abcdefgh$canary-4711"}
    site, said = laid_out(tmp_path, inputs, secrets=secrets)
    ann = next(one for ref, one in site.resources.items() if ref.kind == "unix_user")
    assert (ann.password is None) == secrets
    assert any("there is no secret `unix/ann`" in line for line in said) == secrets
    assert not any("canary" in line for line in said)


def test_what_cannot_be_decided_is_said_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    site = beside.Beside(files.run(files.good()), None, tmp_path / "made")
    wrong = Problem("odd", Where("configs/site.yaml", 1, 1))
    with pytest.raises(InputError, match="odd"):
        site._decide([wrong], InputError([wrong]))


@pytest.mark.parametrize(
    ("date", "guests", "machines"), [("2025-09-30", 22, {"8001"}), ("2025-11-04", 12, {"1001", "1002"})]
)
def test_the_real_files_can_be_rendered_with_every_guest_in_them(
    date: str, guests: int, machines: set[str], tmp_path: Path, capsys: Capture
) -> None:
    if not REAL.is_dir():
        pytest.skip("the predecessor's files are not here")
    argv = ["--site", str(tmp_path), "render", "--configs", str(REAL / date), "--out", str(tmp_path / "out")]
    assert cli.run(argv) == 0
    assert len([*(tmp_path / "out/phoenix/etc/pve/lxc").glob("*.conf")]) == guests
    assert {path.stem for path in (tmp_path / "out/phoenix/etc/pve/qemu-server").iterdir()} == machines
    said = capsys.readouterr().err
    assert "445/tcp" in said
    assert "gpus: [gpu0, gpu1]" in said
    assert "left out: `ubuntu-2404-cloud-template:` of configs/nodes/phoenix.yaml" in said
    assert "must hold settings" not in said
