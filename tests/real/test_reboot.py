"""A systemd node is rebooted by `apply --reboot` over ssh, and what waited for it is done."""

import shutil

import pytest

from .cluster import Cluster

pytestmark = pytest.mark.real

KINDS = {
    "boots/__init__.py": "",
    "boots-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: boots\nVersion: 1.0\n",
    "boots-1.0.dist-info/entry_points.txt": "[phoenix_hypervisor.kinds]\nboots = boots\n",
    "boots/kinds/boot_file.py": '''\
"""Files that are made at boot."""

from phoenix_hypervisor.resource import Kind, reboot, run


class BootFile(Kind):
    """A file in /run that each boot makes. Others are left alone."""

    def converge(self, change):
        if change.creates:
            yield run("sh", "-c", f"echo f /run/{self.name} >/etc/tmpfiles.d/{self.name}.conf")
        else:
            yield reboot(f"/run/{self.name} is made at boot")
''',
    "boots/verify/test_boot_file.py": '''\
"""Files that are made at boot."""


def test_present(host, boot_file):
    declared = f"/etc/tmpfiles.d/{boot_file.name}.conf"
    assert (host.run_expect([0, 1], "test -e %s", declared).rc == 0) == boot_file.present


def test_made(host, boot_file):
    assert {"made": host.run_expect([0, 1], "test -e %s", f"/run/{boot_file.name}").rc == 0} == {"made": True}
''',
}


def test_a_node_is_rebooted_waited_for_and_converged_while_the_others_go_on(converged: Cluster) -> None:
    for name, text in KINDS.items():
        path = converged.site.folder / "packages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    file = converged.site.folder / "configs/nodes/alpha.yaml"
    before = file.read_text()
    file.write_text(before + "boot_file: { word: {} }\n")
    alpha, beta = converged["alpha"], converged["beta"]
    booted = alpha.run("cat /proc/sys/kernel/random/boot_id")
    try:
        waiting = converged.apply("--json")
        beta.run("zfs set atime=on tank/media")
        with alpha.power():
            applied = converged.apply("--json", "--reboot")
    finally:
        file.write_text(before)
        shutil.rmtree(converged.site.folder / "packages")

    assert (waiting.status, waiting.document["waiting"]) == (
        2,
        {"alpha/boot_file:word": "/run/word is made at boot"},
    )
    assert applied.status == 0, applied
    steps = {(step["resource"], step["title"]) for step in applied.document["steps"]}
    assert steps == {
        ("alpha/boot_file:word", "systemctl reboot"),
        ("beta/zfs_dataset:tank/media", "zfs set atime=off tank/media"),
    }
    assert set(applied.document["resources"].values()) == {"ok"}
    assert alpha.run("cat /proc/sys/kernel/random/boot_id") != booted
    assert alpha.run("systemctl is-active smbd") == "active\n"
