"""Two kinds may have a resource of one name, and modules of checks a check of one name."""

from tests.lab.running import entry, statuses


def test_a_root_dataset_is_not_taken_for_its_pool(converged):
    converged.on_node("zfs set atime=on quickOS")
    planned = converged.plan()
    assert statuses(planned) == {"zfs_dataset:quickOS": "drift"}
    assert entry(planned, "zfs_dataset:quickOS")["changes"] == [
        {"attribute": "atime", "actual": "on", "desired": "off", "relation": "=="}
    ]
