"""What we made and is declared no longer: reported, removed on request, data only when named, pools never."""

from tests.lab.running import NODE_FILE, entry, steps

TAKEN_OUT = (
    (
        (
            "nfs_export:\n  /fastData/shared-bulk-data:\n    clients:\n"
            "      10.0.0.0/24: [rw, sync, no_subtree_check]\n"
        ),
        "",
    ),
    ("  bulk-data: { path: /fastData/heads-bulk-data }\n", ""),
    (
        (
            "  fastData/heads-bulk-data: "
            '{ recordsize: 1M, quota: 300G, owner: heads, group: heads, mode: "0770" }\n'
        ),
        "",
    ),
    (
        (
            "  fastData-shared-iso: { type: dir, path: /fastData/shared-iso, "
            "content: [iso, vztmpl, snippets], is_mountpoint: true }\n"
        ),
        "",
    ),
)
DATASET = "zfs_dataset:fastData/heads-bulk-data"
ORPHANS = [
    "phoenix/nfs_export:/fastData/shared-bulk-data",
    "phoenix/pve_storage:fastData-shared-iso",
    "phoenix/samba_share:bulk-data",
    "phoenix/zfs_arc:phoenix",
    f"phoenix/{DATASET}",
]
FOREIGN = r"""
zfs create fastData/theirs; mkdir -p /srv/theirs
printf '/srv/theirs *(ro)\n' > /etc/exports.d/theirs.exports; exportfs -ra
printf '\n[theirs]\n   path = /srv/theirs\n' >> /etc/samba/smb.conf; smbcontrol all reload-config
pvesm add dir theirs --path /srv/theirs --content iso
useradd -M theirs; printf 'x\nx\n' | smbpasswd -s -a theirs
"""


def take_out(site):
    site.edit(NODE_FILE, *TAKEN_OUT)
    site.edit("configs/profiles/aiml-storage.yaml", ("zfs_arc:\n  max: 32G\n", ""))


def test_orphans_are_reported_pruned_and_gone_and_what_others_made_is_not_theirs(converged):
    converged.on_node(FOREIGN)
    take_out(converged)
    with converged.nothing_done():
        planned = converged.plan()
        applied = converged.run("apply", "--yes")
        checked = converged.pytest("-q")
    assert (planned["exit"], planned["entries"], planned["orphans"]) == (0, [], ORPHANS)
    listed = "made by us, declared no longer (left alone; `--prune` removes them):\n" + "".join(
        f"  o {ref}\n" for ref in ORPHANS
    )
    assert (applied.status, applied.out) == (0, f"{listed}21 resources as declared, nothing to do\n")
    assert checked.status == 0
    assert all(f"\n{ref}\n" in checked.out for ref in ORPHANS)
    assert "theirs" not in planned["orphans"]

    pruned = converged.apply("--prune")
    assert [one["resource"] for one in pruned["plan"]["entries"]] == ORPHANS[::-1]
    assert entry(pruned["plan"], DATASET)["refusals"] == [
        {
            "attribute": "present",
            "reason": "would destroy all data in the dataset fastData/heads-bulk-data: "
            f"needs `--allow-destroy {DATASET}`",
        }
    ]
    assert pruned["exit"] == 1
    left = converged.plan("--prune", "--allow-destroy", DATASET)
    assert steps(left) == ["zfs destroy fastData/heads-bulk-data"]

    destroyed = converged.apply("--prune", "--allow-destroy", DATASET)
    assert (destroyed["exit"], steps(destroyed)) == (0, ["zfs destroy fastData/heads-bulk-data"])
    with converged.nothing_done():
        again = converged.apply("--prune")
    assert (again["exit"], again["plan"]["entries"], again["plan"]["orphans"]) == (0, [], [])
    ours_gone = converged.state()
    assert "shared-bulk-data" not in ours_gone["exported"] + ours_gone["exports"]
    assert "[bulk-data]" not in ours_gone["shares"]
    assert "fastData-shared-iso" not in ours_gone["storages"]
    assert "made/pve_storage/fastData-shared-iso" not in ours_gone["ours"]
    assert "zz-phoenix" not in ours_gone["modprobe"]
    assert "heads-bulk-data" not in ours_gone["zfs"]
    theirs = {part for part in ours_gone if "theirs" in ours_gone[part]}
    assert theirs >= {"zfs", "exported", "exports", "storages", "samba", "shares", "users", "passwd"}


def test_a_pool_is_never_removed_whatever_is_allowed(converged):
    text = (converged.folder / NODE_FILE).read_text()
    first = text.index("zfs_pool:\n  quickOS"), text.index("  fastData: # 4 TB")
    text = text.replace(text[slice(*first)], "zfs_pool:\n")
    kept = [
        line for line in text.splitlines() if not line.strip().startswith(("quickOS", "shared-prod-data"))
    ]
    sync = kept.index("    recordsize: 16K")  # the settings of quickOS/shared-prod-data-sync
    del kept[sync : sync + 6]
    (converged.folder / NODE_FILE).write_text("\n".join(kept) + "\n")
    named = [f"zfs_dataset:quickOS{name}" for name in ("", "/lxc-disks", "/vm-disks", "/shared-prod-data")]
    allowed = [word for ref in ("zfs_pool:quickOS", *named) for word in ("--allow-destroy", ref)]
    with converged.acts() as done:
        pruned = converged.apply("--prune", *allowed)
    refused = {
        one["resource"].partition("/")[2]: one["refusals"]
        for one in pruned["plan"]["entries"]
        if one["refusals"]
    }
    assert refused["zfs_pool:quickOS"] == [
        {
            "attribute": "present",
            "reason": "pool `quickOS` is no longer declared; Phoenix never destroys or exports a pool",
        }
    ]
    assert pruned["exit"] == 1
    assert not [act for act in done if "zpool" in act]
    assert "zfs destroy quickOS/vm-disks" in done
    left = converged.on_node("zpool list -H -o name; zfs list -H -o name -r quickOS").split()
    assert left == ["fastData", "quickOS", "quickOS", "quickOS/shared-prod-data-sync"]


def test_without_its_record_a_storage_we_made_is_somebody_elses(converged):
    converged.on_node("rm -r /var/lib/phoenix")
    with converged.nothing_done():
        assert converged.run("apply", "--yes").status == 0
        converged.edit(NODE_FILE, TAKEN_OUT[3])
        planned = converged.plan("--prune")
    assert (planned["exit"], planned["entries"], planned["orphans"]) == (0, [], [])
    assert "fastData-shared-iso" in converged.state()["storages"]
