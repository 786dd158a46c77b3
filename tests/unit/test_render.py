"""Rendering: strict, complete, and only ever into folders of its own."""

import hashlib
import json
from pathlib import Path

import pytest

from phoenix_hypervisor import registry
from phoenix_hypervisor.errors import PhoenixError
from phoenix_hypervisor.kinds.nfs_export import NfsExport
from phoenix_hypervisor.kinds.zfs_arc import ZfsArc
from phoenix_hypervisor.render import MANIFEST, Renderer, differing, manifest, render, tree, write
from phoenix_hypervisor.resource import Artifact, Kind, Ref

REF = Ref("pve", "nfs_export", "/tank/x")


def export(**settings: object) -> NfsExport:
    registry.kind("nfs_export")
    return NfsExport.model_validate({"name": "/tank/x", "clients": {"*": ["ro"]}, **settings})


def rendered(folder: Path | None = None) -> list:
    return render([(REF, export())], Renderer(folder))


def own_template(folder: Path, text: str, name: str = "exports.j2") -> Path:
    (folder / "templates/nfs_export").mkdir(parents=True)
    (folder / "templates/nfs_export" / name).write_text(text)
    return folder


LINE = "/tank/x *(hide,no_all_squash,no_subtree_check,ro,root_squash,sec=sys,secure,sync,wdelay)\n"
TEXT = "# Written by phoenix: nfs_export:/tank/x. Changed by hand, it is written again.\n" + LINE
FILE = "pve/etc/exports.d/phoenix-tank.x.exports"


def test_an_artifact_is_its_text_and_where_it_goes() -> None:
    (file,) = rendered()
    assert (file.host, file.path, file.mode) == ("pve", "/etc/exports.d/phoenix-tank.x.exports", 0o644)
    assert (file.text, file.kind, file.resources) == (TEXT, "nfs_export", ("nfs_export:/tank/x",))
    assert file.sha256 == hashlib.sha256(TEXT.encode()).hexdigest()


def test_what_is_absent_has_no_artifacts() -> None:
    assert render([(REF, export(state="absent"))], Renderer()) == []


def test_a_site_s_own_template_wins(tmp_path: Path) -> None:
    own_template(tmp_path, "mine: {{ nfs_export.path }} {{ 'a b' | q }}\n")
    assert [file.text for file in rendered(tmp_path)] == ["mine: /tank/x 'a b'\n"]


def test_a_site_may_replace_one_file_of_several(tmp_path: Path) -> None:
    own_template(tmp_path, "x\n", "other.j2")
    assert [file.text for file in rendered(tmp_path)] == [TEXT]


BROKEN = {
    "{{ nfs_export.nosuch }}": "template nfs_export/exports.j2: 'phoenix_hypervisor.kinds.nfs_export.NfsExport object' "  # noqa: E501
    "has no attribute 'nosuch'",
    "{{ pool }}": "template nfs_export/exports.j2: 'pool' is undefined",
    "\n{% if %}": "template nfs_export/exports.j2 line 2: Expected an expression, got 'end of statement block'",  # noqa: E501
    "{% include 'nosuch' %}": "template nfs_export/exports.j2: 'nosuch' not found in search path",
    "{{ nfs_export.__class__.__mro__ }}": "template nfs_export/exports.j2: access to attribute '__class__' of 'NfsExport' "  # noqa: E501
    "object is unsafe.",
    "{{ 1 / 0 }}": "template nfs_export/exports.j2: division by zero",
}


@pytest.mark.parametrize("text", BROKEN)
def test_a_template_that_asks_for_what_is_not_there_is_refused(tmp_path: Path, text: str) -> None:
    own_template(tmp_path, text)
    with pytest.raises(PhoenixError) as caught:
        rendered(tmp_path)
    said = BROKEN[text]
    assert str(caught.value).startswith(said)


def test_two_resources_may_share_a_file_of_the_same_text() -> None:
    registry.kind("zfs_arc")
    two = [(Ref("pve", "zfs_arc", name), ZfsArc(name=name, max="4G")) for name in ("a", "b")]
    files = render(two, Renderer())
    assert [file.resources for file in files] == [("zfs_arc:a", "zfs_arc:b")] * 2


def test_two_resources_that_want_different_texts_in_one_file_are_refused() -> None:
    registry.kind("zfs_arc")
    two = [
        (Ref("pve", "zfs_arc", name), ZfsArc(name=name, max=size))
        for name, size in (("a", "4G"), ("b", "5G"))
    ]
    with pytest.raises(PhoenixError) as caught:
        render(two, Renderer())
    assert str(caught.value) == (
        "pve: /etc/modprobe.d/zz-phoenix-zfs_arc.conf is claimed by zfs_arc:a and by zfs_arc:b"
    )


def test_the_same_path_on_two_hosts_is_two_files() -> None:
    files = render([(REF, export()), (REF._replace(host="two"), export(clients={"*": ["rw"]}))], Renderer())
    assert [file.host for file in files] == ["pve", "two"]


def test_the_manifest_lists_every_file() -> None:
    files = rendered()
    assert json.loads(manifest(files)) == {
        "version": 1,
        "artifacts": [
            {
                "host": "pve",
                "path": "/etc/exports.d/phoenix-tank.x.exports",
                "kind": "nfs_export",
                "resources": ["nfs_export:/tank/x"],
                "mode": "0644",
                "sha256": files[0].sha256,
            }
        ],
    }
    assert list(tree(files)) == [FILE, MANIFEST]


def test_writing_twice_writes_once(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert write(rendered(), out) == [FILE, MANIFEST]
    assert (out / FILE).read_text() == TEXT
    assert write(rendered(), out) == []
    assert differing(rendered(), out) == []


def test_a_folder_is_made_to_hold_exactly_what_is_rendered(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(rendered(), out)
    (out / FILE).write_text("changed\n")
    (out / "stale").mkdir()
    (out / "stale/file").touch()
    (out / MANIFEST).chmod(0o755)
    expected = [FILE, MANIFEST, "stale/file"]
    assert differing(rendered(), out) == expected
    assert write(rendered(), out) == expected
    assert ((out / FILE).read_text(), (out / "stale/file").exists()) == (TEXT, False)
    assert (out / MANIFEST).stat().st_mode & 0o777 == 0o644


def test_bytes_that_are_no_text_are_only_different(tmp_path: Path) -> None:
    write(rendered(), tmp_path / "out")
    (tmp_path / "out" / FILE).write_bytes(b"\xff")
    assert differing(rendered(), tmp_path / "out") == [FILE]
    (tmp_path / "out" / FILE).write_bytes(TEXT.replace("\n", "\r\n").encode())
    assert differing(rendered(), tmp_path / "out") == [FILE]


def test_scripts_are_only_for_their_owner(tmp_path: Path) -> None:
    registry.kind("zfs_arc")
    files = render([(Ref("pve", "zfs_arc", "pve"), ZfsArc(name="pve", max="4G"))], Renderer())
    write(files, tmp_path)
    script = tmp_path / "pve/var/lib/phoenix/scripts/zfs_arc/limit.sh"
    assert script.stat().st_mode & 0o777 == 0o700


def test_a_folder_out_of_git_which_keeps_only_who_may_run_a_file_is_current(tmp_path: Path) -> None:
    files = render([(Ref("pve", "zfs_arc", "pve"), ZfsArc(name="pve", max="4G"))], Renderer())
    write(files, tmp_path)
    script = tmp_path / "pve/var/lib/phoenix/scripts/zfs_arc/limit.sh"
    script.chmod(0o755)
    assert differing(files, tmp_path) == []
    script.chmod(0o644)
    assert differing(files, tmp_path) == ["pve/var/lib/phoenix/scripts/zfs_arc/limit.sh"]


def test_a_folder_that_does_not_exist_differs_in_everything(tmp_path: Path) -> None:
    assert differing(rendered(), tmp_path / "none") == [FILE, MANIFEST]


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    with pytest.raises(PhoenixError) as caught:
        write(rendered(), tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} holds other files: it is not a folder of `phoenix render`\n  hint: name a new one"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("keep")
    with pytest.raises(PhoenixError) as caught:
        write(rendered(), tmp_path / "precious")
    assert str(caught.value) == f"{tmp_path / 'precious'} is a file, not a folder\n  hint: name a new one"
    assert (tmp_path / "precious").read_text() == "keep"


def test_an_artifact_without_a_resource_is_rendered_without_one() -> None:
    artifact = Artifact("/x", "include.sh.j2")
    nobody: Kind | None = None
    assert Renderer().text("samba_share", artifact, nobody).startswith("#!/bin/sh\n")
