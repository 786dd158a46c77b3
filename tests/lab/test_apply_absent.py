"""`state: absent`: what is declared to be gone goes; data only with `--allow-destroy`."""

import pytest
from tests.lab.running import NODE_FILE, entry, statuses, steps

DATASET = "zfs_dataset:fastData/shared-iso"
STORAGE = "pve_storage:fastData-shared-iso"
ALLOWED = ("--allow-destroy", DATASET)


def make_absent(site):
    site.edit(
        NODE_FILE,
        ("fastData/shared-iso: { recordsize", "fastData/shared-iso: { state: absent, recordsize"),
        ("fastData-shared-iso: { type", "fastData-shared-iso: { state: absent, type"),
    )


def test_data_is_destroyed_only_when_it_is_named(converged):
    make_absent(converged)
    planned = converged.plan()
    assert entry(planned, DATASET)["refusals"] == [
        {
            "attribute": "present",
            "reason": "would destroy all data in the dataset fastData/shared-iso: "
            f"needs `--allow-destroy {DATASET}`",
        }
    ]
    applied = converged.apply()
    gone = ["pvesm remove fastData-shared-iso", "rm -f /var/lib/phoenix/made/pve_storage/fastData-shared-iso"]
    assert (applied["exit"], steps(applied)) == (1, gone)
    assert converged.on_node("zfs list -H -o name fastData/shared-iso") == "fastData/shared-iso\n"

    wrong = converged.apply("--allow-destroy", "zfs_dataset:fastData/shared-backups")
    assert (wrong["exit"], steps(wrong)) == (1, [])

    allowed = converged.apply(*ALLOWED)
    assert (allowed["exit"], steps(allowed), statuses(allowed)) == (
        0,
        ["zfs destroy fastData/shared-iso"],
        {},
    )
    (step,) = entry(allowed["plan"], DATASET)["steps"]
    assert step["destroys"] == "all data in the dataset fastData/shared-iso"
    with converged.nothing_done():
        assert converged.apply()["exit"] == 0


def test_of_two_that_go_the_one_that_needs_the_other_goes_first(converged):
    make_absent(converged)
    applied = converged.apply(*ALLOWED)
    assert (applied["exit"], steps(applied)) == (
        0,
        [
            "pvesm remove fastData-shared-iso",
            "rm -f /var/lib/phoenix/made/pve_storage/fastData-shared-iso",
            "zfs destroy fastData/shared-iso",
        ],
    )


@pytest.mark.parametrize(
    ("make", "said"),
    [
        ("zfs create fastData/shared-iso/theirs", "filesystem has children"),
        ("zfs snapshot fastData/shared-iso@theirs", "filesystem has children"),
    ],
    ids=["a child", "a snapshot"],
)
def test_a_dataset_with_something_of_others_in_it_stays_and_that_is_said(converged, make, said):
    converged.on_node(make)
    make_absent(converged)
    applied = converged.apply(*ALLOWED)
    assert (applied["exit"], statuses(applied)) == (1, {DATASET: "drift"})
    reason = applied["stuck"][f"phoenix/{DATASET}"]
    assert reason.startswith("`zfs destroy fastData/shared-iso` ended with 1: ")
    assert said in reason
    assert "fastData/shared-iso" in converged.on_node("zfs list -H -o name -t all")
    assert "theirs" in converged.on_node("zfs list -H -o name -t all -r fastData/shared-iso")


def test_what_holds_no_data_goes_without_more_words(converged):
    converged.edit(
        NODE_FILE,
        ("  /fastData/shared-bulk-data:\n", "  /fastData/shared-bulk-data:\n    state: absent\n"),
        ("  bulk-data: {", "  bulk-data: { state: absent,"),
    )
    converged.edit("configs/profiles/aiml-storage.yaml", ("  max: 32G", "  max: 32G\n  state: absent"))
    applied = converged.apply()
    assert (applied["exit"], statuses(applied)) == (0, {})
    state = converged.state()
    assert "shared-bulk-data" not in state["exported"] + state["exports"]
    assert "[bulk-data]" not in state["shares"]
    assert "zz-phoenix" not in state["modprobe"]
    with converged.nothing_done():
        assert converged.apply()["exit"] == 0
