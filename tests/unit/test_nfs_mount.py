"""Mounts from NFS servers: names of units, what is mounted, and who may mount what."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.site_files import NODE, loaded, problems

from phoenix_hypervisor.dialects.systemd import mount_name, mount_path
from phoenix_hypervisor.resource import Ref

parts = st.text(st.characters(blacklist_characters="/\0", blacklist_categories=("Cs",)), min_size=1)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/mnt/datasets", "mnt-datasets.mount"),
        ("/mnt/a-b", r"mnt-a\x2db.mount"),
        ("/.x/y.z", r"\x2ex-y.z.mount"),
        ("/srv/mit leer", r"srv-mit\x20leer.mount"),
        ("/", "-.mount"),
    ],
)
def test_a_mounts_unit_is_named_as_systemd_escape_names_it(path: str, name: str) -> None:
    assert (mount_name(path), mount_path(name)) == (name, path)


@given(st.lists(parts, min_size=1, max_size=4))
def test_the_path_comes_back_out_of_the_name(found: list[str]) -> None:
    path = "/" + "/".join(found)
    assert mount_path(mount_name(path)) == path


BASE = """\
hardware: {disks: {a: {id: d1, size: 1T}, b: {id: d2, size: 1T}}}
zfs_pool: {tank: {vdevs: [{type: mirror, disks: [d1, d2]}]}}
zfs_dataset: {tank/disks: {}, tank/iso: {}, tank/x: {}}
pve_storage:
  disks: {type: zfspool, pool: tank/disks, content: [rootdir]}
  iso: {type: dir, path: /tank/iso, content: [iso, vztmpl]}
ct_template: {base: {storage: iso, file: base_1_amd64.tar.zst}}
nfs_export:
  /tank/x: {clients: {10.0.0.0/24: [ro]}}
"""
GUEST = """\
lxc:
  template: base
  rootfs: {{storage: disks, size: 8G}}
  net: {{eth0: {{bridge: vmbr0, ip: {}/24}}}}
apt_package: {{nfs-common: {{}}}}
nfs_mount:
  /mnt/x: {{export: {}}}
"""
HERE = "configs/guests/950-user.yaml"


def files(address: str = "10.0.0.50", export: str = "/tank/x") -> dict[str, str]:
    hosts = "pve: {hostname: 10.0.0.2}\n"
    return {NODE: BASE, HERE: GUEST.format(address, export), "inventory/hosts.yaml": hosts}


def test_without_a_server_it_is_the_guests_own_node(tmp_path: Path) -> None:
    site = loaded(tmp_path, files())
    mount = site.resources[Ref("user", "nfs_mount", "/mnt/x")]
    assert mount.source == "10.0.0.2:/tank/x"  # type: ignore[attr-defined]
    assert Ref("pve", "nfs_export", "/tank/x") in site.needs[Ref("user", "nfs_mount", "/mnt/x")]


def test_an_export_that_the_node_does_not_have_is_said(tmp_path: Path) -> None:
    assert problems(tmp_path, files(export="/tank/y")) == (
        f"{HERE}:7:12: nfs_mount:/mnt/x: its node exports no `/tank/y`: declare an nfs_export there, or say "
        "`server`\n  hint: did you mean `/tank/x`?"
    )


def test_a_guest_that_is_no_client_of_the_export_is_said(tmp_path: Path) -> None:
    assert problems(tmp_path, files(address="10.0.7.50")) == (
        f"{HERE}:7:12: nfs_mount:/mnt/x: `user` (10.0.7.50) is no client of the export /tank/x\n"
        "  hint: its clients are 10.0.0.0/24: add the guest in the node's nfs_export"
    )
