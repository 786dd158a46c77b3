"""What Proxmox puts on a machine's cloud-init drive, and `qm cloudinit`."""

import ipaddress
import os
from urllib.parse import unquote

import guest_volumes
import model
import qm_conf
import qm_drives
import qm_formats
from guest_conf import Refused
from guest_options import Call
from qm_conf import MachineConf

FILES = {"user": "user-data", "network": "network-config", "meta": "meta-data"}
KEYS = (
    "cicustom",
    "cipassword",
    "citype",
    "ciupgrade",
    "ciuser",
    "name",
    "nameserver",
    "searchdomain",
    "sshkeys",
)


def run(call: Call) -> int:
    verb = call.verb.removeprefix("cloudinit ")
    conf = qm_conf.load(call.vmid)
    if verb == "dump":
        print(document(conf, call.values["type"]))
        return 0
    if verb == "update":
        with qm_conf.locked(call.vmid):
            conf = qm_conf.load(call.vmid)
            _drive(conf)
            print("generating cloud-init ISO")
            generate(conf)
            qm_conf.save(conf)
        return 0
    for key in sorted({*_settings(conf), *conf.drive.values}):
        if key in ("ciuser", "cipassword", "sshkeys") or key in conf.values:
            value = "**********" if key == "cipassword" else conf.values.get(key, "")
            print(f"cur {key}: {value}")
    return 0


def hashed(password: str) -> str:
    """Return a password as Proxmox keeps it, unless it is a hash already."""
    if password.startswith("$"):
        return password
    import crypt

    return crypt.crypt(password, "$5$" + os.urandom(4).hex())


def _settings(conf: MachineConf) -> dict[str, str]:
    return {
        key: value
        for key, value in conf.values.items()
        if key in KEYS or key.startswith("ipconfig") or (key.startswith("net") and key[3:].isdecimal())
    }


def _drive(conf: MachineConf) -> str:
    for drive in qm_drives.every(conf).values():
        if qm_drives.is_cloudinit(drive):
            return drive["file"]
    raise Refused(f"no cloud-init drive found for VM {conf.vmid}", 2)


def generate(conf: MachineConf) -> None:
    """Write the cloud-init drive's files."""
    folder = model.path(qm_drives.content(_drive(conf)))
    os.makedirs(folder, exist_ok=True)
    for kind, name in FILES.items():
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write(document(conf, kind))
    conf.drive.values.clear()


def document(conf: MachineConf, kind: str) -> str:
    """Return one of the three documents: the snippet that is named, or what Proxmox makes up."""
    custom = qm_formats.parse("cicustom", conf.values["cicustom"]) if "cicustom" in conf.values else {}
    if kind in custom:
        path = model.path(guest_volumes.image(custom[kind]))
        guest_volumes.ready(guest_volumes.split(custom[kind])[0])
        try:
            with open(path, encoding="utf-8") as file:
                return file.read()
        except OSError as error:
            raise Refused(f"can't open '{guest_volumes.image(custom[kind])}' - {error.strerror}", 2) from None
    if kind == "user":
        return user(conf)
    if kind == "network":
        return network(conf)
    import hashlib

    text = document(conf, "user") + document(conf, "network")
    return f"instance-id: {hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()}\n"


def user(conf: MachineConf) -> str:
    values = conf.values
    name = values.get("name", f"VM{conf.vmid}")
    domain = values.get("searchdomain", "").split()
    fqdn = name if "." in name else f"{name}.{domain[0]}" if domain else name
    lines = ["#cloud-config", f"hostname: {name.partition('.')[0]}", "manage_etc_hosts: true"]
    lines += [f"fqdn: {fqdn}"] if "." in fqdn else []
    lines += [f"user: {values['ciuser']}"] if "ciuser" in values else []
    if "cipassword" in values:
        lines.append(f"password: {values['cipassword']}")
    keys = unquote(values.get("sshkeys", "")).split("\n")
    if any(keys):
        lines += ["ssh_authorized_keys:", *(f"  - {key}" for key in keys if key)]
    lines += ["chpasswd:", "  expire: False", "users:", "  - default"]
    lines += ["package_upgrade: true"] if values.get("ciupgrade", "1") == "1" else []
    return "\n".join(lines) + "\n"


def network(conf: MachineConf) -> str:
    lines = ["version: 1", "config:"]
    for key in sorted(key for key in conf.values if key.startswith("net") and key[3:].isdecimal()):
        number = key[3:]
        address = qm_formats.parse(f"ipconfig{number}", conf.values.get(f"ipconfig{number}", ""))
        net = qm_formats.parse(key, conf.values[key])
        lines += ["    - type: physical", f"      name: eth{number}"]
        lines += [f"      mac_address: '{net.get('macaddr', '').lower()}'", "      subnets:"]
        lines += _subnets(address)
    servers = conf.values.get("nameserver", "").split()
    domains = conf.values.get("searchdomain", "").split()
    if servers or domains:
        lines += ["    - type: nameserver"]
        lines += ["      address:", *(f"      - '{one}'" for one in servers)] if servers else []
        lines += ["      search:", *(f"      - '{one}'" for one in domains)] if domains else []
    return "\n".join(lines) + "\n"


def _subnets(address: dict[str, str]) -> list[str]:
    lines = []
    ip, ip6 = address.get("ip", ""), address.get("ip6", "")
    if ip == "dhcp":
        lines.append("      - type: dhcp4")
    elif ip:
        found = ipaddress.ip_interface(ip)
        lines += [
            "      - type: static",
            f"        address: '{found.ip}'",
            f"        netmask: '{found.netmask}'",
        ]
        lines += [f"        gateway: '{address['gw']}'"] if "gw" in address else []
    if ip6 in ("dhcp", "auto"):
        lines.append(f"      - type: {'dhcp6' if ip6 == 'dhcp' else 'ipv6_slaac'}")
    elif ip6:
        lines += ["      - type: static6", f"        address: '{ip6}'"]
        lines += [f"        gateway: '{address['gw6']}'"] if "gw6" in address else []
    return lines
