"""Apply runs what the plan showed, and stops rather than do more than it announced."""

from tests.lab.running import NODE_FILE, Sort, entry, statuses, steps


def test_a_later_step_with_a_stronger_effect_than_announced_is_not_run(converged):
    """Only a hot step is announced; meanwhile somebody makes a reload necessary, of what waits for it."""
    converged.drift("zfs-property")  # fastData/heads-bulk-data, which the share bulk-data needs
    share = "/etc/samba/phoenix.d/bulk-data.conf"
    converged.fault(Sort.CHANGE, 1, f"echo '    guest ok = yes' >> {share}")
    planned = converged.run("plan")
    assert planned.out.splitlines()[-1].endswith("strongest effect: hot")

    with converged.acts() as done:
        applied = converged.apply()
    assert done == ["zfs set compression=lz4 fastData/heads-bulk-data"]
    assert (applied["exit"], statuses(applied)) == (1, {"samba_share:bulk-data": "drift"})
    assert applied["stuck"] == {
        "phoenix/samba_share:bulk-data": "would need a step the plan did not announce: "
        "systemctl reload-or-restart smbd: run again"
    }
    assert converged.apply()["exit"] == 0


def test_data_whose_loss_was_not_announced_is_kept_even_where_it_was_allowed(converged):
    """When the plan was made there was nothing to destroy."""
    converged.append("", NODE_FILE)
    converged.edit(
        NODE_FILE,
        (
            "  fastData/heads-bulk-data: {",
            "  fastData/heads-bulk-data/old: { state: absent }\n  fastData/heads-bulk-data: {",
        ),
    )
    converged.drift("zfs-property")  # of fastData/heads-bulk-data
    converged.fault(Sort.CHANGE, 1, "zfs create -o phoenix:managed=yes fastData/heads-bulk-data/old")
    allowed = ("--allow-destroy", "zfs_dataset:fastData/heads-bulk-data/old")
    planned = converged.plan(*allowed)
    assert [step["destroys"] for one in planned["entries"] for step in one["steps"]] == [""]

    with converged.acts() as done:
        applied = converged.apply(*allowed)
    assert done == ["zfs set compression=lz4 fastData/heads-bulk-data"]
    assert applied["exit"] == 1
    assert applied["stuck"] == {
        "phoenix/zfs_dataset:fastData/heads-bulk-data/old": "would need a step the plan did not announce: "
        "zfs destroy fastData/heads-bulk-data/old: run again"
    }
    again = converged.apply(*allowed)
    assert (again["exit"], steps(again)) == (0, ["zfs destroy fastData/heads-bulk-data/old"])


def test_a_change_made_behind_our_back_meanwhile_is_seen_at_the_end(converged):
    """What was right at first is looked at again after the last step."""
    converged.drift("storage-content")
    converged.fault(Sort.CHANGE, 1, "zfs set atime=on quickOS/lxc-disks")
    applied = converged.apply()
    assert (applied["exit"], steps(applied)) == (1, ["pvesm set quickOS-vm-disks --content images"])
    assert statuses(applied)["zfs_dataset:quickOS/lxc-disks"] == "drift"
    assert converged.apply()["exit"] == 0


def test_exact_steps_are_the_very_ones_that_are_run(converged):
    for name in ("zfs-property", "storage-content", "export-options", "samba-share", "arc-limit"):
        converged.drift(name)
    planned = converged.plan()
    exact = {
        one["resource"]: [step["title"] for step in one["steps"]]
        for one in planned["entries"]
        if one["steps"] and all(step["exact"] for step in one["steps"])
    }
    assert len(exact) == 4  # the share waits for its dataset
    assert entry(planned, "samba_share:bulk-data")["after"] == "phoenix/zfs_dataset:fastData/heads-bulk-data"
    applied = converged.apply()
    ran = {ref: [step["title"] for step in applied["steps"] if step["resource"] == ref] for ref in exact}
    assert (applied["exit"], ran) == (0, exact)


def test_nobody_is_there_to_be_asked(converged):
    converged.drift("storage-content")
    with converged.nothing_done():
        ran = converged.run("apply")
    assert ran.status == 64
    assert ran.err == "error: nobody is there to be asked\n  hint: add --yes\n"


def test_what_of_the_machine_is_not_as_declared_is_told_and_nothing_is_done_about_it(converged):
    before = converged.run("plan")
    converged.edit(NODE_FILE, ("memory: 96G", "memory: 192G"), ('pci: "0000:05:00.0"', 'pci: "0000:06:00.0"'))
    planned = converged.run("plan")
    notices = [line for line in planned.out.splitlines() if line.startswith("notice:")]
    assert notices == [
        "notice: phoenix: it has 94.1 GiB of memory, and 192.0 GiB are declared",
        "notice: phoenix: the graphics card `gpu1` is not there: nothing of that sort at 0000:06:00.0",
        (
            "notice: phoenix: it has a graphics card that `hardware: gpus:` does not name: 0000:05:00.0 "
            "GB206 [GeForce RTX 5060 Ti]"
        ),
    ]
    checked = converged.run("verify")
    assert [line for line in notices if line.removeprefix("notice: ") not in checked.out] == []
    assert (before.status, planned.status, checked.status) == (0, 0, 0)
    assert "notice:" not in before.out
