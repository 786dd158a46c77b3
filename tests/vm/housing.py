"""What stands on the machine for tests of guests: a layer of each sort, a clone of each, and the firewall."""

import base64
import tarfile
from pathlib import Path

from tests.real import template
from tests.vm.site import STORAGE, VmSite

from phoenix_hypervisor.lab.node import LabNode
from phoenix_hypervisor.lab.vm import image
from phoenix_hypervisor.secrets import Text

CABLES = {"office": "10.0.0.60", "stranger": "10.0.0.61"}
"""Machines besides the guests, each at the end of a cable from the bridge."""
CABLE = """\
ip netns add {name}
ip link add cable-{name} type veth peer name eth0 netns {name}
ip link set cable-{name} master vmbr0 up
ip -n {name} address add {address}/24 dev eth0
ip -n {name} link set eth0 up
"""
SERVE = "lxc-attach -n {vmid} --clear-env -- /bin/busybox httpd -p {port} -h /srv\n"
PING = "{ macro: Ping }"
TEMPLATE = """\
ct_template:
  busybox: {{ storage: fastData-shared-backups, file: {name}, url: "file://{path}", sha256: "{digest}" }}
"""
POLICY = """\
firewall_cluster:
  confirm_seconds: {seconds}
  management: [10.0.2.2/32]
  aliases: {{ local_network: 10.0.2.2/32, office: 10.0.0.60/32 }}
  rules: [{rules}]
firewall_node:
  confirm_seconds: {seconds}
  expose: {{ 2049: [office], 445: [web] }}
"""
GUESTS = {
    "900-base": """\
node: phoenix
lxc:
  template: busybox
  rootfs: { storage: quickOS-lxc-disks, size: 64M }
  net: { eth0: { bridge: vmbr0, ip: 10.0.0.50/24 } }
lxc_layer: { mode: snapshot }
host_file:
  /etc/made: { content: "once, in the layer\\n" }
""",
    "910-mold": """\
node: phoenix
lxc:
  template: busybox
  rootfs: { storage: quickOS-lxc-disks, size: 64M }
  net: { eth0: { bridge: vmbr0, ip: 10.0.0.54/24 } }
lxc_layer: { mode: template }
""",
    "951-chat": """\
node: phoenix
lxc:
  clone: base
  memory: 64M
  swap: 0
  cores: 1
  cpulimit: 0.5
  cpuunits: 50
  onboot: true
  net: { eth0: { bridge: vmbr0, ip: 10.0.0.51/24, firewall: true } }
  mounts:
    /mnt/theirs: { source: /fastData/shared-bulk-data }
    /mnt/ours: { source: /fastData/ours, uid: 1000, gid: 1000 }
  ready: { network: true, command: "test -s /etc/machine-id" }
host_file:
  /etc/chat.conf: { content: "port = 8000\\n" }
firewall_guest:
  policy_out: DROP
  rules: [{ direction: out, dest: web, port: 8001 }]
  expose: { 8000: [web, office], 8001: none }
""",
    "952-web": """\
node: phoenix
lxc: { clone: mold, clone_mode: linked, net: { eth0: { bridge: vmbr0, ip: 10.0.0.52/24 } } }
""",
}


def house(site: VmSite, scratch: Path, rules: str = PING, seconds: int = 120) -> None:
    """Declare the guests, and a policy with these rules."""
    template_in(scratch)
    digest = (scratch / "digest").read_text()
    brought = TEMPLATE.format(name=template.NAME, path=template.PATH, digest=digest)
    sections = STORAGE.replace("zfs_dataset:\n", "zfs_dataset:\n  fastData/ours: {}\n")
    sections = sections.replace("content: [backup]", "content: [backup, vztmpl]")
    site.declare(sections + brought + POLICY.format(rules=rules, seconds=seconds))
    site.guests.mkdir()
    for name, text in GUESTS.items():
        (site.guests / f"{name}.yaml").write_text(text)


def bring_template(node: LabNode, scratch: Path, place: str = template.PATH) -> None:
    """Put the template where its address says it is, or elsewhere on the node."""
    sent = Text(base64.b64encode(template_in(scratch).read_bytes()).decode())
    assert node.run(f"mkdir -p $(dirname {place}); base64 -d >{place}", sent).status == 0


def furnish(site: VmSite) -> None:
    """Let servers listen in the guests, and connect the other machines."""
    lines = [CABLE.format(name=name, address=address) for name, address in CABLES.items()]
    lines += [SERVE.format(vmid=vmid, port=port) for vmid in (951, 952) for port in (8000, 8001)]
    site.on_node("".join(lines))


def template_in(scratch: Path) -> Path:
    """Return the template, with its digest beside it; made of the image's busybox when it is not there."""
    made = scratch / template.NAME
    if made.exists():
        return made
    userland = next(image.folder().glob("userland-*.tar"))
    with tarfile.open(userland) as archive:
        busybox = archive.extractfile("./usr/bin/busybox")
        assert busybox is not None
        (scratch / template.BUSYBOX).parent.mkdir(exist_ok=True)
        (scratch / template.BUSYBOX).write_bytes(busybox.read())
    (scratch / template.BUSYBOX).chmod(0o755)
    (scratch / "digest").write_text(template.make(scratch, made))
    return made
