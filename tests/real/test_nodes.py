"""The whole loop on three systemd nodes over ssh: apply, look, drift, repair, rotate, reboot."""

import pytest

from phoenix_hypervisor.config import load_settings
from phoenix_hypervisor.secrets import Secret
from phoenix_hypervisor.secretstore import open_store

from .cluster import FIRST_PASSWORD

pytestmark = pytest.mark.real

FOREIGN_EXPORT = "# ours since 2019\n/srv\t10.9.9.0/24(ro,no_subtree_check)  # no line end follows"
FOREIGN_SHARE = "\n[scans]\n   ; the copier writes here\n   path = /srv/scans\n   guest ok = Yes\n"
INCLUDE = "include = /etc/samba/phoenix.conf\n"
REFUSED = "NT_STATUS_LOGON_FAILURE"


def login(source, target, password):
    """Log in to a share over the nodes' network; `in`, or what smbclient said."""
    status, said = source.try_(
        f"smbclient //{target.address}/media -A /dev/stdin -c ls",
        f"username = heads\npassword = {password}\n",
    )
    return "in" if status == 0 else said


def test_one_apply_converges_all_nodes_at_the_same_time(fresh):
    fresh.let_meet("zpool", "create")
    theirs = {}
    for node in fresh:
        (node.root / "etc/exports").write_text(FOREIGN_EXPORT)
        with (node.root / "etc/samba/smb.conf").open("a") as file:
            file.write(FOREIGN_SHARE)
        theirs[node.name] = (node.root / "etc/samba/smb.conf").read_bytes()

    applied = fresh.apply("--json")

    assert applied.status == 0, applied
    creates = [step for step in applied.document["steps"] if step["title"].startswith("zpool create")]
    assert sorted(step["resource"] for step in creates) == [f"{node.name}/zfs_pool:tank" for node in fresh]
    assert max(step["began"] for step in creates) < min(step["began"] + step["seconds"] for step in creates)
    for node in fresh:
        assert (node.root / "etc/exports").read_text() == FOREIGN_EXPORT
        assert (node.root / "etc/samba/smb.conf").read_bytes() == theirs[node.name] + INCLUDE.encode()
        assert "/srv 10.9.9.0/24" in " ".join(node.run("exportfs -s").split())
        assert node.run("stat -c '%U:%G %a' /tank/media /tank/work") == "heads:heads 770\nheads:heads 750\n"
    fresh.let_go()


def test_a_second_apply_runs_nothing_and_changes_nothing(converged):
    before = {node.name: node.state() for node in converged}

    second = converged.apply("--json")

    assert (second.status, second.document["steps"]) == (0, [])
    assert {node.name: node.state() for node in converged} == before
    assert converged.site.run("plan") == (0, "39 resources as declared, nothing to do\n", "")
    verified = converged.site.pytest("-q")
    assert verified.status == 0, verified
    assert {node.name: node.state() for node in converged} == before


def test_a_rotated_password_replaces_the_old_one(converged):
    def password():
        store = open_store(load_settings(converged.site.folder).secrets, converged.site.folder)
        return Secret("samba/heads", store).reveal().decode()

    alpha, beta = converged["alpha"], converged["beta"]
    old = password()
    assert login(beta, alpha, old) == "in"
    assert REFUSED in login(beta, alpha, "not " + old)

    rotated = converged.site.run("secrets", "rotate", "samba/heads")
    assert rotated.status == 0, rotated
    planned = converged.site.run("plan")
    applied = converged.apply("-v")

    new = password()
    assert (planned.status, applied.status) == (2, 0), applied
    assert old != new != FIRST_PASSWORD
    assert REFUSED in login(beta, alpha, old)
    assert login(beta, alpha, new) == "in"
    shown = "".join((*rotated[1:], *planned[1:], *applied[1:]))
    assert "<secret samba/heads>" in shown
    assert old not in shown
    assert new not in shown


def test_drift_is_repaired_on_the_node_where_it_is(converged):
    alpha, *others = converged
    alpha.run(
        "sed -i s/rw/ro/ /etc/exports.d/phoenix-tank.media.exports; exportfs -ra; systemctl stop smbd; "
        "chmod 0777 /tank/media; sed -i 's/read only = no/read only = yes/' /etc/samba/phoenix.d/work.conf"
    )
    before = {node.name: node.state() for node in others}

    planned = converged.site.run("plan", "--json")
    applied = converged.apply("--json")

    drifted = {entry["resource"] for entry in planned.document["entries"] if entry["changes"]}
    assert planned.status == 2
    assert drifted == {
        "alpha/zfs_dataset:tank/media",
        "alpha/nfs_export:/tank/media",
        "alpha/samba_share:media",
        "alpha/samba_share:work",
    }
    assert applied.status == 0, applied
    assert {step["resource"].partition("/")[0] for step in applied.document["steps"]} == {"alpha"}
    assert {node.name: node.state() for node in others} == before
    assert alpha.run("stat -c %a /tank/media; systemctl is-active smbd") == "770\nactive\n"
    assert "(sync,wdelay,hide,no_subtree_check,sec=sys,rw," in alpha.run("exportfs -s")
    assert "read only = No" in alpha.run("testparm -s --section-name=work 2>/dev/null")


def test_a_node_that_was_rebooted_needs_nothing(converged):
    beta = converged["beta"]
    booted = beta.run("cat /proc/sys/kernel/random/boot_id; systemctl show -p ActiveEnterTimestamp smbd")
    beta.shut_down()
    beta.start()
    beta.wait()

    applied = converged.apply("--json")

    assert (applied.status, applied.document["steps"]) == (0, [])
    assert beta.run("systemctl is-active smbd nfs-server ssh") == "active\nactive\nactive\n"
    assert beta.run("cat /sys/module/zfs/parameters/zfs_arc_max") == f"{4 * 1024**3}\n"
    assert beta.run("systemctl show -p ActiveEnterTimestamp smbd") not in booted
