"""What there is only so much of, added up from the files; whole screens."""

import json
from pathlib import Path

import pytest
from tests.unit.site_files import NODE, loaded, problems

from phoenix_hypervisor import cli
from phoenix_hypervisor.budgets import GPU, TAKES, Takes
from phoenix_hypervisor.config.budgets import budgets
from phoenix_hypervisor.kinds.host_file import HostFile
from phoenix_hypervisor.observe.budget_screen import lines
from phoenix_hypervisor.resource import Offer

FILES = {
    NODE: """\
hardware:
  threads: 4
  memory: 16G
  disks: {a: {id: d1, size: 1T}, b: {id: d2, size: 1T}}
  gpus:
    gpu0: {pci: "0000:01:00.0", memory: 16G}
    gpu1: {pci: "0000:05:00.0"}
zfs_pool: {tank: {vdevs: [{type: mirror, disks: [d1, d2]}]}}
zfs_arc: {max: 4G}
zfs_dataset: {tank/disks: {quota: 100G}, tank/iso: {quota: 50G}, tank/iso/below: {quota: 40G}, tank/x: {}}
pve_storage:
  disks: {type: zfspool, pool: tank/disks, content: [rootdir]}
  iso: {type: dir, path: /tank/iso, content: [iso, vztmpl, rootdir]}
  free: {type: zfspool, pool: tank/x, content: [rootdir]}
ct_template: {base: {storage: iso, file: base_1_amd64.tar.zst}}
""",
    "configs/guests/950-chat.yaml": """\
lxc:
  template: base
  onboot: true
  cores: 6
  memory: 8G
  rootfs: {storage: disks, size: 80G}
  mounts: {/data: {storage: disks, size: 40G}, /x: {source: /tank/x, uid: 0, gid: 0}}
  gpus: [gpu0]
host_file: {/share: {content: "0.75"}}
""",
    "configs/guests/951-more.yaml": """\
lxc:
  template: base
  onboot: true
  rootfs: {storage: free, size: 8G}
  gpus: [gpu0, gpu1]
""",
    "configs/guests/960-rest.yaml": "lxc: {template: base, memory: 64G, cores: 64, "
    "rootfs: {storage: iso, size: 8G}}\n",
}
SCREEN = """\
pve
  memory        [################....]  78%  12.5 GiB of 16 GiB
           8 GiB  lxc:950 chat
           4 GiB  zfs_arc:pve
         512 MiB  lxc:951 more
  threads       [####################] 150%  6 of 4, more than there is: they share it
               6  lxc:950 chat
  pool tank     [###.................]  15%  150 GiB of 1 TiB
         100 GiB  zfs_dataset:tank/disks
          50 GiB  zfs_dataset:tank/iso
  storage disks [####################] 120%  120 GiB of 100 GiB, more than fits when all is full
          80 GiB  lxc:950 chat
          40 GiB  lxc:950 chat
  storage iso   [###.................]  16%  8 GiB of 50 GiB
           8 GiB  lxc:960 rest
  storage free  8 GiB taken; how much there is, the files do not say
           8 GiB  lxc:951 more
  gpu gpu0      [###############.....]  75%  12 GiB of 16 GiB
          12 GiB  chat/host_file:/share
       all of it  lxc:951 more, which says no share
  gpu gpu1      0 B taken; how much there is, the files do not say
       all of it  lxc:951 more, which says no share
"""


@pytest.fixture
def shares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a file in a guest say which share of the cards it takes, as a model server does."""
    monkeypatch.setattr(
        HostFile, "provides", lambda own: [Offer(TAKES, GPU, Takes(float(own.content), "content"))]
    )


@pytest.mark.usefixtures("shares")
def test_all_budgets_of_a_node_with_who_takes_what(tmp_path: Path) -> None:
    site = loaded(tmp_path, FILES)
    assert "\n".join(lines(site, budgets(site))) + "\n" == SCREEN


def test_the_document_says_the_same_in_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loaded(tmp_path, FILES)
    assert cli.run(["--site", str(tmp_path), "validate", "--budget", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["version"], document["budgets"][0]) == (
        1,
        {
            "node": "pve",
            "budget": "memory",
            "unit": "bytes",
            "limit": 16 << 30,
            "allowed": 16 << 30,
            "taken": (12 << 30) + (512 << 20),
            "binding": True,
            "claims": [
                {"resource": "pve/zfs_arc:pve", "guest": "", "amount": 4 << 30},
                {"resource": "pve/lxc:950", "guest": "chat", "amount": 8 << 30},
                {"resource": "pve/lxc:951", "guest": "more", "amount": 512 << 20},
            ],
        },
    )


def test_json_without_budget_is_said_to_be_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded(tmp_path, FILES)
    assert cli.run(["--site", str(tmp_path), "validate", "--json"]) == 64
    assert capsys.readouterr().err == "error: --json belongs to --budget\n"


def test_the_first_claim_that_goes_beyond_a_budget_is_the_error(tmp_path: Path) -> None:
    files = {**FILES, "configs/guests/952-last.yaml": FILES["configs/guests/950-chat.yaml"]}
    assert problems(tmp_path, files) == (
        "configs/guests/952-last.yaml:5:3: lxc:952: the memory of the ARC and of all that starts with the "
        "node reaches 20.5 GiB here, the node has 16 GiB [V-20]\n  hint: lower a `memory`, or allow it in "
        "configs/site.yaml: `allow: {memory_overcommit: 1.2}`"
    )
