"""The state is right but using the thing fails: healed once, and reported where that does not help."""

from tests.lab.running import entry, statuses, steps

CONF = "/etc/samba/phoenix.d/bulk-data.conf"
NFS = "nfs_export:/fastData/shared-bulk-data"


def test_a_server_that_runs_with_an_old_configuration_is_made_to_read_the_new(converged):
    converged.on_node(
        f"cp {CONF} /root/; sed -i 's/valid users = heads/valid users = nobody/' {CONF}; "
        f"smbcontrol all reload-config; cat /root/bulk-data.conf > {CONF}"
    )
    assert converged.plan()["exit"] == 0  # a plan does not use things
    applied = converged.apply()
    share = entry(applied["plan"], "samba_share:bulk-data")
    assert (share["status"], share["changes"]) == ("unhealthy", [])
    assert share["reasons"][0].startswith("login: ")
    assert steps(applied) == ["systemctl reload-or-restart smbd"]
    assert (applied["exit"], statuses(applied)) == (0, {})


def test_what_healing_does_not_help_is_tried_once_and_reported(converged):
    """A client cannot mount, whatever the server does."""
    converged.on_node("printf '#!/bin/sh\\nexit 32\\n' > /usr/local/sbin/mount")
    applied = converged.apply()
    assert steps(applied) == ["systemctl reload-or-restart nfs-server"]
    assert (applied["exit"], statuses(applied)) == (1, {NFS: "unhealthy"})


def test_a_server_that_is_stopped_is_drift_and_is_started(converged):
    converged.on_node("systemctl disable --now nfs-server")
    planned = converged.plan()
    found = {c["attribute"]: (c["actual"], c["desired"]) for c in entry(planned, NFS)["changes"]}
    assert found["active"] == ("inactive", "active")
    assert found["enabled"] == ("disabled", "enabled")
    assert found["10.0.0.0/24"][0] is None  # a server that is stopped exports nothing
    applied = converged.apply()
    assert (applied["exit"], steps(applied)) == (0, ["systemctl enable --now nfs-server", "exportfs -ra"])
