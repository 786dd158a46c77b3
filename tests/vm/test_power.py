"""The power fails at random moments of an apply: the next apply goes on, and nothing is lost."""

import os
import random
import time

from tests.vm.site import NODE, VmSite

KILLS = int(os.environ.get("PHOENIX_VM_KILLS", "20"))
ACTS, SECONDS = 5, 3.0
"""The power fails after fewer acts of an apply than that, and so many seconds of the next one at most."""
KEEP = """\
if findmnt -no FSTYPE /quickOS/shared-prod-data | grep -qx zfs; then
    echo {number} >/quickOS/shared-prod-data/kept.{number}
    sync
    echo kept
fi
"""


def test_whenever_the_power_fails_the_next_apply_goes_on_and_nothing_is_lost(blank: VmSite) -> None:
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    kept: list[int] = []
    for number in range(KILLS):
        applying = blank.start("apply", "--yes")
        acts = len(blank.node.actions()) + chance.randrange(ACTS)
        while applying.poll() is None and len(blank.node.actions()) < acts:
            time.sleep(0.05)
        time.sleep(chance.uniform(0, SECONDS))
        ended = applying.poll()
        blank.node.pull_plug()
        said = "".join(applying.communicate(timeout=120))
        assert ended in (None, 0), f"seed {seed}, cut {number}: {said}"
        blank.node.up(NODE, blank.disks)
        if blank.on_node(KEEP.format(number=number)) == "kept\n":
            kept.append(number)
        if ended == 0:
            _all_is_well(blank, kept, seed)
            blank.node.reset()
            kept.clear()
    applied = blank.apply()
    assert applied.status == 0, f"seed {seed}: {applied}"
    _all_is_well(blank, kept, seed)


def _all_is_well(site: VmSite, kept: list[int], seed: int) -> None:
    """What was applied before the power failed is there after it, and so is all that was written."""
    again = site.apply()
    assert (again.status, again.steps) == (0, []), f"seed {seed}: {again}"
    folder = "/quickOS/shared-prod-data"
    there = site.on_node(f"cd {folder}; for file in kept.*; do [ ! -e $file ] || cat $file; done")
    assert sorted(map(int, there.split())) == sorted(kept), f"seed {seed}"
    assert site.on_node("zpool status -x") == "all pools are healthy\n"
