"""Looking at a node costs the same few questions, however many containers it has."""

import re

from tests.lab.containers import NODE

from phoenix_hypervisor.config import load
from phoenix_hypervisor.containers.conf import KEPT, VOLUME
from phoenix_hypervisor.resource import Ref

MOST = 8
FIRST = 100
CALLS = "/root/calls"
INTO_EACH = {"lxc-attach", "lxc-info"}
"""One call for each guest in which something is declared: there is no other way in."""


def one_of_many(vmid):
    """A container with more than ten things to compare, as it was taken over from before."""
    return {
        "lxc": {
            "state": "stopped",
            "description": f"Number {vmid}",
            "tags": ["many"],
            "cores": 1,
            "memory": "64M",
            "onboot": False,
            "startup": {"order": 9},
            "features": {"nesting": True},
            "nameserver": ["10.0.0.1"],
            "rootfs": {"storage": "tank-disks", "size": "1G"},
            "net": {"eth0": {"bridge": "vmbr0", "ip": "dhcp"}},
            "mounts": {"/one": {"source": "/tank/one"}},
            "raw": {"lxc.cap.drop": ["mac_admin"]},
        },
        "host_file": {"/etc/x": {"content": f"{vmid}\n"}},
    }


def many_more(site, vmids):
    """Declare containers, and write their confs as Proxmox would have them."""
    site.declare({f"{vmid}-many{vmid}": one_of_many(vmid) for vmid in vmids})
    resources = load(site.folder).resources
    for vmid in vmids:
        conf = resources[Ref(NODE, "lxc", str(vmid))].conf
        conf = conf.replace(KEPT, f"02:00:00:00:00:{vmid - FIRST:02X}").replace(
            VOLUME, f"subvol-{vmid}-disk-0"
        )
        (site.node.root / f"etc/pve/nodes/{NODE}/lxc/{vmid}.conf").write_text(conf)


def count_calls(site):
    """Let every stand-in write down that it was called."""
    site.on_node(f"cd /usr/local/sbin && sed -i '2i echo ${{0##*/}} >>{CALLS}' *")


def called(site):
    """How often each was called since it was last asked, but for the way into guests."""
    file = site.node.root / CALLS[1:]
    names = file.read_text().split() if file.exists() else []
    file.unlink(missing_ok=True)
    return {name: names.count(name) for name in sorted(set(names) - INTO_EACH)}


def trips(said):
    (number,) = re.findall(rf"^{NODE}: (\d+) round trips$", said, re.MULTILINE)
    return int(number)


def looked_at(site, *verb):
    """Round trips and calls of a look at everything, which finds nothing to do."""
    called(site)
    ran = site.run(*verb, "-v")
    assert ran.status == 0, ran
    return trips(ran.out if verb[0] == "verify" else ran.err), called(site)


def test_a_hundred_containers_cost_as_many_questions_as_twenty(small):
    count_calls(small)
    many_more(small, range(FIRST, FIRST + 20))
    few = [looked_at(small, "plan"), looked_at(small, "apply", "--yes")]
    many_more(small, range(FIRST + 20, FIRST + 100))
    many = [looked_at(small, "plan"), looked_at(small, "apply", "--yes")]
    assert many == few
    verified = looked_at(small, "verify", "-k", "lxc and not ready")
    assert max(number for number, _ in [*many, verified]) <= MOST
    assert all("pct" not in calls for _, calls in [*many, verified])


def test_what_differs_in_many_is_found_with_the_same_questions(small):
    many_more(small, range(FIRST, FIRST + 40))
    small.on_node("sed -i 's/^memory: .*/memory: 65/' /etc/pve/lxc/1[0-3]?.conf")
    count_calls(small)
    planned = small.plan()
    differing = [one for one in planned["entries"] if one["kind"] == "lxc"]
    assert len(differing) == 40
    assert {change["attribute"] for one in differing for change in one["changes"]} == {"memory"}
    assert planned["round_trips"][NODE] <= MOST
    assert "pct" not in called(small)
