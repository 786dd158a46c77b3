"""A virtual machine that the inventory reaches by ssh: another node stands for it, with its own sshd."""

import json

import pytest

from phoenix_hypervisor.config import load
from phoenix_hypervisor.machines import conf
from phoenix_hypervisor.resource import Ref

pytestmark = pytest.mark.real

NODE, MACHINE = "alpha", "gamma"
GUEST = """\
node: alpha
vm: { agent: { enabled: false } }
unix_user:
  desk: { home: /srv/desk }
host_file:
  /etc/desk.conf: { content: "by ssh\\n", owner: desk, mode: "0640" }
systemd_unit:
  desk.service:
    sections:
      Unit: { Description: by ssh }
      Service: { ExecStart: /bin/sleep infinity, User: desk }
      Install: { WantedBy: multi-user.target }
    watch_seconds: 0
"""
SCOPE = "/sys/fs/cgroup/qemu.slice/101.scope"


@pytest.fixture
def desk(converged):
    """The nodes; a machine is declared on one of them, is there, and is reached at another's address."""
    folder, node = converged.site.folder, converged[NODE]
    hosts, guest = folder / "inventory/hosts.yaml", folder / "configs/guests/101-desk.yaml"
    before = hosts.read_text()
    reached = json.loads(before.partition(f"{MACHINE}: ")[2].splitlines()[0])
    reached["data"] |= {"connect_seconds": 2}
    guest.parent.mkdir()
    guest.write_text(GUEST)
    hosts.write_text(f"{before}desk: {json.dumps(reached)}\n")
    resource = load(folder).resources[Ref(NODE, "vm", "101")]
    ids = {"version": 1, "ids": {"101": {"node": NODE, "type": "qemu", "version": 1}}}
    for path, text in {
        "/etc/pve/qemu-server/101.conf": conf.rendered(resource),
        "/etc/pve/.vmlist": json.dumps(ids),
        resource.note: resource.origin + "\n",
        f"{resource.note}.parts": "".join(f"{part}\n" for part in resource.noted_parts) or "\n",
    }.items():
        node.run(f"mkdir -p \"$(dirname '{path}')\"; cat >'{path}'", text)
    node.run(f"mkdir -p {SCOPE}")
    yield converged
    converged[MACHINE].plug_in()
    node.run(f"[ ! -d {SCOPE} ] || rmdir {SCOPE}")
    hosts.write_text(before)
    guest.unlink()
    guest.parent.rmdir()


def test_a_machine_that_is_reached_by_ssh_is_a_host_like_any_other(desk):
    node, machine, site = desk[NODE], desk[MACHINE], desk.site
    applied = desk.apply("--host", "desk", "--json")

    assert applied.status == 0, applied.told
    assert {step["resource"].partition("/")[0] for step in applied.document["steps"]} == {"desk"}
    assert machine.run("cat /etc/desk.conf; stat -c %U:%a /etc/desk.conf; systemctl is-active desk") == (
        "by ssh\ndesk:640\nactive\n"
    )
    assert site.run("exec", "desk", "--", "hostname").out.split()[-1] == MACHINE
    again = desk.apply("--host", "desk", "--json")
    assert (again.status, again.document["steps"]) == (0, [])

    # nobody answers, and then the node says that it does not run at all
    machine.unplug()
    planned = site.run("plan", "--host", "desk")
    assert planned.status == 3, planned.told
    assert "guest `desk` cannot be entered by ssh: " in planned.out
    node.run(f"rmdir {SCOPE}")
    assert "guest `desk` does not run" in site.run("exec", "desk", "--", "true").err
