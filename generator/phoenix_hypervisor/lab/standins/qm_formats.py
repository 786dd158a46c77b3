"""What settings of virtual machines may look like, and Proxmox' words for what they may not."""

import re

import guest_formats
import guest_values
from guest_formats import BOOL, NotParsedError, Rule
from storage_rules import words

MANY = {
    "hostpci": 16, "ide": 4, "ipconfig": 32, "net": 32, "sata": 6, "scsi": 31, "serial": 4,
    "unused": 256, "usb": 14, "virtio": 16, "virtiofs": 10,
}  # fmt: skip
"""Settings with a number in their name → how many there can be."""
CARDS = (
    "e1000 e1000-82540em e1000-82544gc e1000-82545em e1000e i82551 i82557b i82559er ne2k_isa ne2k_pci pcnet "
    "rtl8139 virtio vmxnet3"
)
BUSES = ("ide", "sata", "scsi", "virtio")


def _boot(value: str) -> str:
    devices = re.fullmatch(r"order=((?:(?:ide|sata|scsi|virtio|net|hostpci|usb)\d+;?)*)", value)
    return "" if devices or re.fullmatch(r"(legacy=)?[acdn]{1,4}", value) else "invalid boot order"


def _cpu(value: str) -> str:
    kind = next((part.removeprefix("cputype=") for part in value.split(",") if "=" not in part or
                 part.startswith("cputype=")), "")  # fmt: skip
    good = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", kind)
    return "" if good else f"invalid CPU type '{kind}'"


def _hotplug(value: str) -> str:
    if value in ("0", "1"):
        return ""
    wrong = [
        word for word in words(value) if word not in ("network", "disk", "cpu", "memory", "usb", "cloudinit")
    ]
    return f"value does not look like a valid hotplug feature '{wrong[0]}'" if wrong else ""


def _file(value: str) -> str:
    if value in ("none", "cdrom") or value.startswith("/"):
        return ""
    return guest_values.FORMATS["pve-volume-id"](value) and "invalid format - unable to parse volume ID"


def _anything(value: str) -> str:  # noqa: ARG001  (nothing is known of it here)
    return ""


def _addresses(value: str) -> str:
    return guest_values.FORMATS["lxc-ip-with-ll-iface-list"](value)


guest_values.FORMATS.update(
    {
        "address-list": _addresses,
        "pve-bridge-id": lambda value: "" if re.fullmatch(r"[-_.\w\d]+", value) else "invalid bridge ID",
        "pve-cpuset": lambda value: "" if re.fullmatch(r"[\d,-]+", value) else "invalid CPU set",
        "pve-hotplug-features": _hotplug,
        "pve-qm-boot": _boot,
        "pve-qm-bootdisk": _anything,
        "pve-qm-rng": _anything,
        "pve-qm-sev-fmt": _anything,
        "pve-qemu-sev-fmt": _anything,
        "pve-qm-smbios1": _anything,
        "pve-qm-watchdog": _anything,
        "pve-vm-cpu-conf": _cpu,
        "pve-volume-id-or-qm-path": _file,
        "urlencoded": lambda value: (
            "" if re.fullmatch(r"[-%a-zA-Z0-9_.!~*'()]*", value) else "invalid urlencoded"
        ),
    }
)
_NUMBERED = {
    name: Rule("integer" if name.startswith(("bps", "iops")) else "number")
    for first in ("bps", "iops", "mbps")
    for name in (first, f"{first}_rd", f"{first}_wr", f"{first}_max", f"{first}_rd_max", f"{first}_wr_max")
}
_FILE = Rule(form="pve-volume-id-or-qm-path", required=True, first=True)
_IMAGE = Rule(enum="raw qcow qed qcow2 vmdk cloop")
DISK = {
    "file": _FILE,
    "aio": Rule(enum="native threads io_uring"),
    "backup": BOOL,
    "cache": Rule(enum="none writethrough writeback unsafe directsync"),
    "detect_zeroes": BOOL,
    "discard": Rule(enum="ignore on"),
    "format": _IMAGE,
    "import-from": Rule(),
    "iothread": BOOL,
    "media": Rule(enum="cdrom disk"),
    "queues": Rule("integer", low=2),
    "replicate": BOOL,
    "ro": BOOL,
    "serial": Rule(form="urlencoded", longest=60),
    "shared": BOOL,
    "size": Rule(form="disk-size"),
    "snapshot": BOOL,
    "ssd": BOOL,
    "wwn": Rule(pattern="(0x)[0-9a-fA-F]{16}"),
    **_NUMBERED,
}
_NOT_ON = {
    "ide": ("iothread", "queues", "ro"),
    "sata": ("iothread", "queues", "ro"),
    "scsi": (),
    "virtio": ("queues", "ssd", "wwn"),
}
NET = {
    "model": Rule(enum=CARDS, required=True, first=True),
    "bridge": Rule(form="pve-bridge-id"),
    "firewall": BOOL,
    "link_down": BOOL,
    "macaddr": Rule(form="mac-addr"),
    "mtu": Rule("integer", low=1, high=65520),
    "queues": Rule("integer", low=0, high=64),
    "rate": Rule("number", low=0),
    "tag": Rule("integer", low=1, high=4094),
    "trunks": Rule(pattern=r"\d+(?:-\d+)?(?:;\d+(?:-\d+)?)*"),
}
EFI = {
    "file": _FILE,
    "efitype": Rule(enum="2m 4m"),
    "format": _IMAGE,
    "import-from": Rule(),
    "ms-cert": Rule(enum="2011 2023 2023w 2023k"),
    "pre-enrolled-keys": BOOL,
    "size": Rule(form="disk-size"),
}
TPM = {
    "file": _FILE,
    "import-from": Rule(),
    "size": Rule(form="disk-size"),
    "version": Rule(enum="v1.2 v2.0"),
}
IPCONFIG = {
    "gw": Rule(form="ipv4"),
    "gw6": Rule(form="ipv6"),
    "ip": Rule(form="pve-ipv4-config"),
    "ip6": Rule(form="pve-ipv6-config"),
}
HOSTPCI = {
    "host": Rule(pattern=r"([a-f0-9]{4,}:)?[a-f0-9]{2}:[a-f0-9]{2}(\.[a-f0-9])?(;.*)?", first=True),
    "device-id": Rule(),
    "legacy-igd": BOOL,
    "mapping": Rule(form="pve-configid"),
    "mdev": Rule(),
    "pcie": BOOL,
    "rombar": BOOL,
    "romfile": Rule(),
    "sub-device-id": Rule(),
    "sub-vendor-id": Rule(),
    "vendor-id": Rule(),
    "x-vga": BOOL,
}
CICUSTOM = {name: Rule(form="pve-volume-id") for name in ("meta", "network", "user", "vendor")}
AGENT = {
    "enabled": Rule("boolean", required=True, first=True),
    "freeze-fs-on-backup": BOOL,
    "fstrim_cloned_disks": BOOL,
    "type": Rule(enum="virtio isa"),
}
_MACHINE = (
    r"(pc|pc(-i440fx)?-\d+(\.\d+)+(\+pve\d+)?(\.pxe)?|q35|pc-q35-\d+(\.\d+)+(\+pve\d+)?(\.pxe)?|"
    r"virt(?:-\d+(\.\d+)+)?(\+pve\d+)?)"
)
VGA = {
    "type": Rule(
        enum="cirrus qxl qxl2 qxl3 qxl4 none serial0 serial1 serial2 serial3 std virtio virtio-gl vmware",
        first=True,
    ),
    "clipboard": Rule(enum="vnc"),
    "memory": Rule("integer", low=4, high=512),
}
SETTINGS = {
    "acpi": BOOL,
    "affinity": Rule(form="pve-cpuset"),
    "agent": Rule(parts=AGENT),
    "arch": Rule(enum="x86_64 aarch64"),
    "args": Rule(),
    "autostart": BOOL,
    "balloon": Rule("integer", low=0),
    "bios": Rule(enum="seabios ovmf"),
    "boot": Rule(form="pve-qm-boot"),
    "bootdisk": Rule(form="pve-qm-bootdisk", pattern=r"(ide|sata|scsi|virtio)\d+"),
    "cicustom": Rule(parts=CICUSTOM),
    "cipassword": Rule(),
    "citype": Rule(enum="configdrive2 nocloud opennebula"),
    "ciupgrade": BOOL,
    "ciuser": Rule(),
    "cores": Rule("integer", low=1),
    "cpu": Rule(form="pve-vm-cpu-conf"),
    "cpulimit": Rule("number", low=0, high=128),
    "cpuunits": Rule("integer", low=1, high=262144),
    "description": Rule(longest=8192),
    "efidisk0": Rule(parts=EFI),
    "freeze": BOOL,
    "hookscript": Rule(form="pve-volume-id"),
    "hostpci": Rule(parts=HOSTPCI),
    "hotplug": Rule(form="pve-hotplug-features"),
    "ipconfig": Rule(parts=IPCONFIG),
    "keyboard": Rule(),
    "kvm": BOOL,
    "localtime": BOOL,
    "lock": Rule(
        enum="backup clone create migrate rollback snapshot snapshot-delete suspending suspended"
    ),
    "machine": Rule(parts={
        "type": Rule(pattern=_MACHINE, longest=40, first=True),
        "enable-s3": BOOL,
        "enable-s4": BOOL,
        "viommu": Rule(enum="intel virtio"),
    }),
    "memory": Rule(parts={"current": Rule("integer", low=16, required=True, first=True)}),
    "name": Rule(form="dns-name"),
    "nameserver": Rule(form="address-list"),
    "net": Rule(parts=NET),
    "numa": BOOL,
    "onboot": BOOL,
    "ostype": Rule(enum="other wxp w2k w2k3 w2k8 wvista win7 win8 win10 win11 l24 l26 solaris"),
    "protection": BOOL,
    "reboot": BOOL,
    "rng0": Rule(form="pve-qm-rng"),
    "scsihw": Rule(enum="lsi lsi53c810 virtio-scsi-pci virtio-scsi-single megasas pvscsi"),
    "searchdomain": Rule(),
    "serial": Rule(pattern="(/dev/.+|socket)"),
    "shares": Rule("integer", low=0, high=50000),
    "smbios1": Rule(form="pve-qm-smbios1", longest=512),
    "sockets": Rule("integer", low=1),
    "sshkeys": Rule(),
    "startup": Rule(form="pve-startup-order"),
    "tablet": BOOL,
    "tags": Rule(form="pve-tag-list"),
    "template": BOOL,
    "tpmstate0": Rule(parts=TPM),
    "unused": Rule(parts={"file": Rule(form="pve-volume-id", required=True, first=True)}),
    "vcpus": Rule("integer", low=1),
    "vga": Rule(parts=VGA),
    "vmgenid": Rule(pattern="(?:[a-fA-F0-9]{8}(?:-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}|[01])"),
}  # fmt: skip
SETTINGS |= {
    bus: Rule(parts={name: rule for name, rule in DISK.items() if name not in _NOT_ON[bus]}) for bus in BUSES
}
LEFT_OUT = [
    "amd-sev",
    "audio0",
    "cdrom",
    "freeze",
    "hugepages",
    "ivshmem",
    "keephugepages",
    "migrate_downtime",
    "migrate_speed",
    "numa[n]",
    "parallel0",
    "parallel1",
    "parallel2",
    "smp",
    "spice_enhancements",
    "startdate",
    "tdf",
    "usb[n]",
    "virtiofs[n]",
    "vmstatestorage",
    "watchdog",
]
"""Settings that Proxmox has and nobody here uses: refused loudly, as what is not simulated."""


def rule_of(key: str) -> Rule | None:
    """Return the rule for a setting (`net0`, `memory`), None if there is no such setting."""
    stem = key.rstrip("0123456789")
    number = key[len(stem) :]
    if key in SETTINGS and stem not in MANY:
        return SETTINGS[key]
    if stem not in MANY or stem not in SETTINGS:
        return SETTINGS.get(key) if key not in MANY else None
    good = number.isdecimal() and str(int(number)) == number and int(number) < MANY[stem]
    return SETTINGS[stem] if good else None


def parts_of(key: str) -> dict[str, Rule]:
    rule = rule_of(key)
    assert rule is not None
    assert rule.parts is not None
    return rule.parts


def unaliased(parts: dict[str, Rule], text: str) -> str:
    """Return a network card with its model and address under names of their own: `virtio=BC:…`."""
    if parts is not NET:
        return re.sub(r"(^|,)volume=", r"\1file=", text) if "file" in parts else text
    found = []
    for part in text.split(","):
        name, equals, value = part.partition("=")
        aliased = equals and name in CARDS.split()
        found += [f"model={name}", f"macaddr={value}"] if aliased else [part]
    return ",".join(found)


def fault(rule: Rule, value: str, path: str) -> str:
    """Say what is wrong with a value, empty if nothing."""
    if rule.parts is not None:
        value = unaliased(rule.parts, value)
    return guest_formats.fault(rule, value, path)


def parse(key: str, text: str) -> dict[str, str]:
    """Read a setting that is a list of its own. Raises NotParsedError."""
    parts = parts_of(key)
    return guest_formats.parse(parts, unaliased(parts, text), key)


def spell(key: str, values: dict[str, str]) -> str:
    """Spell a list of settings as Proxmox does."""
    parts = parts_of(key)
    if parts is NET and values.get("macaddr"):
        rest = {name: value for name, value in values.items() if name not in ("model", "macaddr")}
        card = f"{values['model']}={values['macaddr']}"
        return ",".join([card, *(f"{name}={rest[name]}" for name in sorted(rest))])
    return guest_formats.spell(parts, values)


__all__ = ["NotParsedError", "fault", "parse", "parts_of", "rule_of", "spell"]
