"""What the repositories that the lab knows offer. A package that is not here does not exist in the lab."""

from typing import NamedTuple

SUBSCRIPTION = frozenset({"enterprise.proxmox.com"})
"""Hosts that let nobody in without a subscription."""


class Row(NamedTuple):
    """One version of a package; `depends` is a list of `name` or `name (= version)`."""

    name: str
    version: str
    depends: str = ""


_DEBIAN = """\
bzip2 1.0.8-5+b1; ca-certificates 20230311+deb12u1; chrony 4.3-2+deb12u1; curl 7.88.1-10+deb12u12;
ethtool 1:6.1-1; git 1:2.39.5-0+deb12u2; gnupg 2.2.40-1.1; htop 3.2.2-2; iperf3 3.12-1+deb12u1;
iotop 0.6-42-ga14256a-0.1; libfdt1 1.6.1-4+b1; lm-sensors 1:3.6.0-7.1; locales 2.36-9+deb12u10;
logrotate 3.21.0-1; lsof 4.95.0-1; nfs-common 1:2.6.2-4; nfs-kernel-server 1:2.6.2-4; nvme-cli
2.4+really2.3-3; pciutils 1:3.9.0-4; python3-pip 23.0.1+dfsg-1; python3-venv 3.11.2-1+b1; rsync
3.2.7-1+deb12u2; s-tui 1.1.4-1; samba 2:4.17.12+dfsg-0+deb12u1; samba-common-bin
2:4.17.12+dfsg-0+deb12u1; smartmontools 7.3-1+b1; smbclient 2:4.17.12+dfsg-0+deb12u1;
systemd-timesyncd 252.36-1~deb12u1; tcpdump 4.99.3-1; tmux 3.3a-3; tree 2.1.0-1; tzdata
2025b-0+deb12u1; unzip 6.0-28; vim 2:9.0.1378-2+deb12u2; wget 1.21.3-1+deb12u1; zstd 1.5.4+dfsg2-5
"""
_PROXMOX = "proxmox-backup-client 3.4.1-1; pve-headers 8.4.0; libproxmox-acme-perl 1.6.0"
_DOCKER = """\
containerd.io 1.7.27-1; docker-ce 5:28.1.1-1~debian.12~bookworm; docker-ce-cli
5:28.1.1-1~debian.12~bookworm
"""
_NVIDIA = "nvidia-container-toolkit 1.17.6-1"

_OF_HOSTS = {"download.proxmox.com": _PROXMOX, "download.docker.com": _DOCKER, "nvidia.github.io": _NVIDIA}
_SEVERAL = (
    Row("libjq1", "1.6-2.1"),
    Row("jq", "1.6-2.1", "libjq1 (= 1.6-2.1)"),
    Row("libjq1", "1.6-2.1+deb12u1"),
    Row("jq", "1.6-2.1+deb12u1", "libjq1 (= 1.6-2.1+deb12u1)"),
)
"""A package of two versions, whose library must be of the same one: the older first."""
UNITS = {
    "chrony": "chrony", "nfs-kernel-server": "nfs-server", "samba": "smbd", "docker-ce": "docker",
    "systemd-timesyncd": "systemd-timesyncd", "smartmontools": "smartmontools",
}  # fmt: skip
"""Which unit a package brings."""
RIVALS = {"chrony": ("systemd-timesyncd",), "systemd-timesyncd": ("chrony",)}
"""Packages that cannot be there together."""


MIRRORS = {"debian": "deb.debian.org", "ubuntu": "archive.ubuntu.com"}
"""Where a distribution's own packages are. The lab has Debian 12's for all releases of both."""


def fresh(system: str, codename: str) -> dict[str, str]:
    """Return what a fresh container of a distribution has of all this: path → text."""
    base = ("apt", "base-files", "bash", "coreutils", "dpkg", "libc6", "systemd", "tzdata")
    status = "".join(
        f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.0\n\n"
        for name in base
    )
    lines = [
        f"deb http://{MIRRORS[system]}/{system} {suite} main\n" for suite in (codename, f"{codename}-updates")
    ]
    return {
        "etc/apt/sources.list": "".join(lines),
        "etc/logrotate.conf": "weekly\nrotate 4\ncreate\ninclude /etc/logrotate.d\n",
        "var/lib/dpkg/status": status,
    }


def offers(uri: str, suite: str, component: str) -> list[Row]:
    """Return what a repository has; one the lab does not know is empty."""
    host = uri.split("/")[2] if "://" in uri else ""
    if host in (*MIRRORS.values(), "mirror.example.org") and "-" not in suite and component == "main":
        return [*_rows(_DEBIAN), *_SEVERAL]
    return _rows(_OF_HOSTS.get(host, ""))


def _rows(text: str) -> list[Row]:
    return [Row(*words.split()) for words in text.split(";") if words.strip()]
