"""Formats of single values in containers' settings, and Proxmox' words for what has not got the format."""

import re

from storage_rules import storage_id, words


def _ipv4(value: str) -> bool:
    numbers = value.split(".")
    return len(numbers) == 4 and all(re.fullmatch(r"\d{1,3}", n) and int(n) < 256 for n in numbers)


def _ipv6(value: str) -> bool:
    import socket

    try:
        socket.inet_pton(socket.AF_INET6, value)
    except (OSError, ValueError):
        return False
    return True


def _cidr(value: str, bits: int) -> bool:
    address, _, prefix = value.partition("/")
    good = (_ipv4 if bits == 32 else _ipv6)(address)
    return good and prefix.isdecimal() and 7 < int(prefix) <= bits


def _good(right: bool, what: str) -> str:
    return "" if right else f"value does not look like a valid {what}"


def _address(value: str) -> str:
    return _good(value in ("dhcp", "manual") or _cidr(value, 32), "ipv4 network configuration")


def _address6(value: str) -> str:
    return _good(value in ("auto", "dhcp", "manual") or _cidr(value, 128), "ipv6 network configuration")


def _mac(value: str) -> str:
    return _good(
        re.fullmatch(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}", value, re.IGNORECASE) is not None,
        "unicast MAC address",
    )


def _dns(value: str) -> str:
    label = r"[a-zA-Z0-9]([a-zA-Z0-9\-]*[a-zA-Z0-9])?"
    return _good(re.fullmatch(rf"({label}\.)*{label}", value) is not None, "DNS name")


def _dns_list(value: str) -> str:
    return next((wrong for word in words(value) if (wrong := _dns(word))), "")


def _server(word: str) -> str:
    address, percent, zone = word.partition("%")
    right = _ipv4(word) or (_ipv6(address) and (not percent or bool(re.fullmatch(r"\w+", zone))))
    return _good(right or word == "host", "IP address")


def _servers(value: str) -> str:
    return next((wrong for word in words(value) if (wrong := _server(word))), "")


def _path_inside(value: str) -> str:
    parts = value.split("/")
    inside = any(part in (".", "..") for part in parts[1:]) or parts[0] == ".."
    return f"{value} contains illegal character sequences" if inside else ""


def _device(value: str) -> str:
    if any(part in (".", "..") for part in value.split("/")):
        return f"{value} contains illegal character sequences"
    return "" if value.startswith("/dev/") else f"{value} is not a valid device path"


def _startup(value: str) -> str:
    good = all(re.fullmatch(r"(order=|up=|down=)?\d+", part) for part in value.split(","))
    return "" if good else "unable to parse startup options"


def _tags(value: str) -> str:
    good = all(re.fullmatch(r"[a-z0-9_][a-z0-9_\-+.]*", word, re.IGNORECASE) for word in words(value))
    return "" if good else "invalid characters in tag"


def _timezone(value: str) -> str:
    if value in ("host", "UTC"):
        return ""
    try:
        with open("/usr/share/zoneinfo/zone.tab", encoding="utf-8") as file:
            known = {line.split("\t")[2].strip() for line in file if line[:1] not in "#\n"}
    except FileNotFoundError:
        # A machine without the list cannot tell; what has the shape of one is taken.
        known = {value} if re.fullmatch(r"[A-Z]\w+(/[A-Z][\w+\-]+)+", value) else set()
    return "" if value in known else f"invalid time zone '{value}'"


def _volume(value: str) -> str:
    good = re.fullmatch(r"[a-zA-Z][a-zA-Z0-9\-_.]*[a-zA-Z0-9]:.+", value)
    return "" if good else f"unable to parse volume ID '{value}'"


def _disk_size(value: str) -> str:
    good = re.fullmatch(r"\d+(\.\d+)?[KMGT]?", value)
    return "" if good else f"value does not look like a valid disk size: {value}"


def _configid(value: str) -> str:
    good = re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_\-]+", value)
    return "" if good else f"invalid configuration ID '{value}'"


def _configids(value: str) -> str:
    return next((wrong for word in words(value) if (wrong := _configid(word))), "")


def _storage(value: str) -> str:
    return "" if storage_id(value) else f"storage ID '{value}' contains illegal characters"


def _vmid(value: str) -> str:
    return "" if re.fullmatch(r"[1-9][0-9]{2,8}", value) else "value does not look like a valid VM ID"


def _node(value: str) -> str:
    good = re.fullmatch(r"[a-zA-Z0-9]([a-zA-Z0-9\-]*[a-zA-Z0-9])?", value)
    return "" if good else "value does not look like a valid node name"


def _pool(value: str) -> str:
    good = re.fullmatch(r"[A-Za-z0-9.\-_]+(/[A-Za-z0-9.\-_]+){0,2}", value)
    return "" if good else f"value '{value}' does not look like a valid pool name"


FORMATS = {
    "dns-name": _dns,
    "dns-name-list": _dns_list,
    "disk-size": _disk_size,
    "ipv4": lambda value: _good(_ipv4(value), "IPv4 address"),
    "ipv6": lambda value: _good(_ipv6(value), "IPv6 address"),
    "lxc-ip-with-ll-iface-list": _servers,
    "mac-addr": _mac,
    "pve-configid": _configid,
    "pve-configid-list": _configids,
    "pve-ct-timezone": _timezone,
    "pve-ipv4-config": _address,
    "pve-ipv6-config": _address6,
    "pve-lxc-dev-string": _device,
    "pve-lxc-mp-string": _path_inside,
    "pve-node": _node,
    "pve-poolid": _pool,
    "pve-startup-order": _startup,
    "pve-storage-id": _storage,
    "pve-tag-list": _tags,
    "pve-vmid": _vmid,
    "pve-volume-id": _volume,
}
"""Format → what is wrong with a value, in Proxmox' words, or nothing."""
