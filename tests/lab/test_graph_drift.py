"""`phoenix graph --drift` marks in the picture what `phoenix plan` finds, and changes nothing."""

from tests.lab.running import statuses


def test_the_picture_shows_what_the_plan_finds(converged):
    converged.on_node("zfs set atime=on quickOS")
    before = converged.state()
    drawn = converged.run("graph", "--drift", "--format", "json")
    found = {one["resource"]: one["status"] for one in drawn.document["resources"]}
    planned = converged.plan()
    assert drawn.status == 2
    assert found == planned["resources"]
    assert statuses(planned) == {"zfs_dataset:quickOS": "drift"}
    assert "~ zfs_dataset:quickOS<" in converged.run("graph", "--drift").out
    assert converged.state() == before
