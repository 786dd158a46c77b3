"""`phoenix plan --configs`: the predecessor's files planned on the site's own node; nothing changes."""

import json

from tests.unit import legacy_files


def test_the_predecessor_s_files_are_planned_beside_the_site(converged, tmp_path):
    before = converged.state()
    for name, content in legacy_files.with_machines().items():
        (tmp_path / name).write_text(json.dumps(content))
    run = converged.run("plan", "--configs", str(tmp_path), "--json")
    assert run.status == 1, run  # the node has no disk for their pool
    found = run.document["resources"]
    assert found["phoenix/lxc:910"] != "ok"
    assert found["phoenix/zfs_pool:tank"] != "ok"
    assert found["phoenix/vm:8001"] != "ok"
    assert "left out: `image: noble-template` of configs/guests/8001-desktop.yaml" in run.err
    assert not [ref for ref in found if "quickOS" in ref]
    assert "is reached as" in run.err
    assert converged.state() == before
    assert converged.plan()["exit"] == 0
