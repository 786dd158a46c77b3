"""Only what is named is changed: a resource, a host."""

from tests.lab.running import LabSite, Sort, entry, statuses, steps

from phoenix_hypervisor.lab.node import LabNode

NFS = "nfs_export:/fastData/shared-bulk-data"


def test_only_the_target_is_repaired(converged):
    for name in ("zfs-property", "storage-content", "arc-limit"):
        converged.drift(name)
    with converged.acts() as done:
        applied = converged.apply("--target", "pve_storage:quickOS-vm-disks")
    assert (applied["exit"], done) == (0, ["pvesm set quickOS-vm-disks --content images"])
    assert {ref.partition(":")[0] for ref in applied["resources"]} == {
        "phoenix/pve_storage",
        "phoenix/zfs_dataset",
        "phoenix/zfs_pool",
    }


def test_what_a_target_needs_is_checked_not_changed(converged):
    converged.drift("export-options")
    converged.on_node("zfs set compression=off fastData/shared-bulk-data")
    with converged.nothing_done():
        applied = converged.apply("--target", NFS)
    planned = entry(applied["plan"], NFS)
    assert (planned["status"], planned["after"]) == (
        "blocked",
        "phoenix/zfs_dataset:fastData/shared-bulk-data",
    )
    assert statuses(applied) == {NFS: "blocked", "zfs_dataset:fastData/shared-bulk-data": "drift"}
    assert applied["exit"] == 1
    with converged.nothing_done():
        said = converged.run("apply", "--yes", "--target", NFS)
    assert said.status == 1
    assert f"✗ phoenix/{NFS}: blocked by zfs_dataset:fastData/shared-bulk-data\n" in said.out


def second(site) -> LabSite:
    """Give the site a second lab node; its own files and node, the same folder."""
    (site.folder / "configs/nodes/second.yaml").write_text(
        "hardware: { memory: 16G }\nzfs_arc: { max: 4G }\n"
    )
    site.append("second: { hostname: 10.0.0.14, groups: [lab] }\n", "inventory/hosts.yaml")
    assert site.run("lab", "up", "second").status == 0
    other = LabSite(site.folder)
    other.node = LabNode(site.folder / ".phoenix" / "lab" / "second")
    return other


def test_with_a_host_named_only_that_host_is_asked_and_changed(converged):
    other = second(converged)
    converged.drift("storage-content")
    with converged.nothing_done():
        applied = converged.apply("--host", "second")
    assert (applied["exit"], set(applied["resources"].values())) == (0, {"ok"})
    assert list(applied["resources"]) == ["second/zfs_arc:second"]
    assert list(applied["plan"]["round_trips"]) == ["second"]
    assert other.node.actions()
    with other.nothing_done():
        rest = converged.apply()
    assert (rest["exit"], steps(rest)) == (0, ["pvesm set quickOS-vm-disks --content images"])


def test_a_host_that_is_away_does_not_keep_the_other_from_being_converged(converged):
    other = second(converged)
    converged.fault(Sort.REFUSE)
    with converged.nothing_done():
        applied = converged.apply()
    assert applied["exit"] == 3
    assert {step["resource"] for step in applied["steps"]} == {"second/zfs_arc:second"}
    assert applied["resources"]["second/zfs_arc:second"] == "ok"
    assert {status for ref, status in applied["resources"].items() if ref.startswith("phoenix/")} <= {
        "unknown",
        "blocked",
    }
    assert other.node.actions()
