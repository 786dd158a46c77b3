"""A node that must be restarted: when it is, what waits meanwhile, and what is done after it is back."""

import time

import pytest
from tests.lab.containers import BASE, Containers
from tests.lab.rebooting import NODE, RebootingSite
from tests.lab.running import statuses, steps

from phoenix_hypervisor.errors import PhoenixError
from phoenix_hypervisor.lab import door
from phoenix_hypervisor.lab.faults import Sort

WORD = {"boot_word": {"iommu=pt": {}}}
WITH_REST = {**WORD, "boot_mark": {"later": {"after": "iommu=pt"}, "now": {}}}
BECAUSE = "the kernel was started without iommu=pt"


def until(happened):
    """Wait for something another process does."""
    end = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def site(tmp_path):
    return _usable(RebootingSite(tmp_path))


def _usable(site):
    try:
        assert site.node.run("true").status == 0
    except PhoenixError as error:
        pytest.skip(f"this machine does not let us make a lab: {error}")
    return site


def test_without_reboot_what_needs_one_waits_and_with_it_everything_is_done(site):
    site.declare(WITH_REST)

    first = site.run("apply", "--json")

    assert first.status == 2, first
    assert steps(first.document) == [
        "sh -c 'sed -i '\"'\"'1s/$/ iommu=pt/'\"'\"' /etc/kernel/cmdline && proxmox-boot-tool refresh'",
        "touch /etc/now",
    ]
    assert first.document["waiting"] == {f"{NODE}/boot_word:iommu=pt": BECAUSE}
    assert statuses(first.document) == {"boot_word:iommu=pt": "drift", "boot_mark:later": "blocked"}
    assert (site.boots(), first.document["stuck"]) == (0, {})

    planned, again = site.run("plan"), site.run("apply")  # which asks nothing: nothing would be run

    assert planned.status == again.status == 2
    shown = f"      $ systemctl reboot  [reboot]\n          because {BECAUSE}\n"
    assert shown in planned.out
    assert shown in again.out
    assert f"interrupts: {NODE} and every guest that runs on it\n" in planned.out
    assert "nodes are rebooted by `apply --reboot` only" in planned.out

    last = site.run("apply", "--yes", "--reboot")

    assert last.status == 0, last
    assert f"{NODE} reboots; waiting for it to come back, at most 30 s\n" in last.err
    assert f"{NODE} is back after" in last.err
    assert (site.boots(), site.has("etc/later")) == (1, True)


def test_one_run_may_do_all_of_it_and_the_lock_is_held_after_the_boot(site):
    site.declare(WITH_REST)
    # the fourth act is the first after the boot; somebody else tries to take the lock just before it
    site.fault(Sort.CHANGE, 4, "flock -n /run/lock/phoenix.lock true || touch /etc/held")

    ran = site.run("apply", "--json", "--reboot")

    assert ran.status == 0, ran
    document = ran.document
    assert steps(document)[-2:] == ["systemctl reboot", "touch /etc/later"]
    (reboot,) = [step for step in document["steps"] if step["effect"] == "reboot"]
    assert reboot["status"] == 0
    assert reboot["said"].startswith("back after ")
    assert (document["waiting"], statuses(document), site.boots()) == ({}, {}, 1)
    assert site.has("etc/held")


def test_the_same_reason_right_after_a_reboot_is_an_error_and_no_loop(site):
    site.declare({"boot_word": {"iommu=pt": {"never": True}}})

    ran = site.run("apply", "--json", "--reboot")

    assert (ran.status, site.boots()) == (1, 1)
    said = f"asks for a reboot again right after one, for the same reason: {BECAUSE}"
    assert ran.document["stuck"] == {f"{NODE}/boot_word:iommu=pt": said}


def test_a_node_that_does_not_come_back_keeps_no_other_from_its_work(tmp_path):
    site = _usable(RebootingSite(tmp_path, (NODE, "pve2"), seconds=1.5))
    site.declare(WITH_REST)
    site.declare(WITH_REST, "pve2")
    site.fault(Sort.DEAD)

    ran = site.run("apply", "--yes", "--reboot")

    assert ran.status == 3, ran
    said = f"host `{NODE}` was told to reboot, and is not back after 1.5 s: "
    assert said + f"host `{NODE}` cannot be reached: Connection refused" in ran.out
    assert "look at its console; when it is up, run again" in ran.out
    assert (site.has("etc/later", "pve2"), site.has("etc/later")) == (True, False)
    assert (site.boots(), site.boots("pve2")) == (1, 1)

    site.fine()
    again = site.run("apply", "--yes")

    assert (again.status, site.has("etc/later"), site.boots()) == (0, True, 1), again


def test_killed_while_it_waits_the_next_run_goes_on(site):
    site.declare(WITH_REST)
    site.fault(Sort.SLOW, 2)
    started = site.start("apply", "--yes", "--reboot")
    until(lambda: site.boots() == 1)
    started.kill()
    assert started.end().status == -9
    site.fine()
    assert (site.boots(), site.has("etc/later")) == (1, False)

    ran = site.run("apply", "--yes")
    while "Connection refused" in ran.out:  # it is on its way
        ran = site.run("apply", "--yes")

    assert (ran.status, site.has("etc/later"), site.boots()) == (0, True, 1), ran


def test_a_reboot_by_somebody_else_in_the_middle_is_said_and_the_next_run_resumes(site):
    site.declare({"boot_mark": {"one": {}, "two": {}, "three": {}}})
    site.fault(Sort.CHANGE, 2, "reboot")

    ran = site.run("apply", "--yes")

    assert ran.status == 3, ran
    assert (
        f"host `{NODE}`: the connection broke: the connection ended: Connection closed by remote host"
        in ran.out
    )
    assert not site.has("etc/three")
    while ran.status == 3:
        ran = site.run("apply", "--yes")
    assert (ran.status, site.has("etc/three")) == (0, True), ran


def test_a_newer_kernel_that_waits_is_a_notice_and_no_drift(site):
    site.declare({"host_file": {"/etc/one": {"content": "one\n"}}})
    site.run("apply", "--yes")
    site.node.run("for f in vmlinuz initrd.img; do cp /boot/$f-* /boot/$f-6.14.11-10-pve; done")

    planned = site.run("plan")
    told, verified = site.run("plan", "--json"), site.verify()

    said = "runs kernel 6.14.11-4-pve, and its next boot starts 6.14.11-10-pve: it waits for a reboot"
    assert (planned.status, planned.out) == (
        0,
        f"notice: {NODE}: {said}\n1 resource as declared, nothing to do\n",
    )
    assert told.document["notices"] == {NODE: [said]}
    assert verified.status == 0
    assert f"{NODE}: {said}\n" in verified.out


def test_guests_that_start_with_the_node_are_up_and_the_others_are_started_again(tmp_path):
    containers = Containers.fresh(tmp_path / "containers")
    containers.declare({"101-first": {"lxc": {**BASE, "onboot": True}}, "102-second": {"lxc": BASE}})
    assert containers.apply().code == 0
    running = "lxc-ls --running -1"
    assert containers.on_node(running).split() == ["101", "102"]

    containers.node.reboot()
    assert door.boot(containers.node) == "Connection refused"
    until(lambda: not door.boot(containers.node))

    assert containers.on_node(running).split() == ["101"]
    again = containers.apply()
    assert (again.titles, again.code) == (["pct start 102, wait until it is ready"], 0)
    assert containers.on_node(running).split() == ["101", "102"]
