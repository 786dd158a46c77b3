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
bzip2 1.0.8-6; ca-certificates 20250419; chrony 4.6.1-3; curl 8.14.1-2; dkms 3.2.2-1~deb13u1; ethtool
1:6.14.2-1; gcc 4:14.2.0-1; git 1:2.47.3-0+deb13u1; gnupg 2.4.7-21; htop 3.4.1-5; iperf3 3.18-2; kmod
34.2-2; iotop 0.6-42-ga14256a-0.2; libc6 2.41-12; libc6-dev 2.41-12; libfdt1 1.7.2-2; lm-sensors 1:3.6.2-2;
locales 2.41-12; logrotate 3.22.0-1; lsof 4.99.4+dfsg-2; make 4.4.1-2; nfs-common 1:2.8.3-1;
nfs-kernel-server 1:2.8.3-1; nvme-cli 2.13-2; nginx 1.26.3-3+deb13u1; prometheus 2.53.3+ds1-2;
prometheus-node-exporter 1.9.1-1; prometheus-nginx-exporter 1.1.0-1; openssl 3.5.1-1+deb13u1; pciutils
1:3.13.0-2; python3-pip 25.1.1+dfsg-1; python3-venv 3.13.5-1; qemu-guest-agent 1:10.0.3+ds-0+deb13u1; rsync
3.4.1+ds1-5; s-tui 1.1.6-1; samba 2:4.22.6+dfsg-0+deb13u1; samba-common-bin 2:4.22.6+dfsg-0+deb13u1;
smartmontools 7.4-3; smbclient 2:4.22.6+dfsg-0+deb13u1; systemd-timesyncd 257.8-1~deb13u2;
systemd-journal-remote 257.8-1~deb13u2; tcpdump 4.99.5-2;
tmux 3.5a-3; tree 2.2.1-1; tzdata 2025b-4+deb13u1; unzip 6.0-29; vim 2:9.1.1230-2; wget 1.25.0-2; xfce4
4.20; xfce4-goodies 4.18.0; xorgxrdp 1:0.10.2-2; xrdp 0.10.1-3.1; dbus-x11 1.16.2-2; lightdm 1.32.0-6; zstd
1.5.7+dfsg-1; fuse-overlayfs 1.14-1
"""
_PROXMOX = """\
proxmox-backup-client 4.0.14-1; pve-headers 9.0.0; libproxmox-acme-perl 1.7.0; pve-manager 9.0.10;
proxmox-default-headers 2.0.0; proxmox-headers-6.14.11-4-pve 6.14.11-4; proxmox-headers-6.14.11-5-pve
6.14.11-5
"""
_KERNELS = tuple(
    row
    for version in ("6.14.11-4", "6.14.11-5")
    for row in (
        Row(f"proxmox-kernel-{version}-pve-signed", version),
        Row("proxmox-kernel-6.14", version, f"proxmox-kernel-{version}-pve-signed (= {version})"),
    )
)
"""A package that always needs the newest kernel, and each of these a package of its own."""
_DOCKER = (
    ("docker-ce", "5:28.5.1-1~", "5:28.5.2-1~"),
    ("docker-ce-cli", "5:28.5.1-1~", "5:28.5.2-1~"),
    ("containerd.io", "1.7.28-1~", "1.7.28-2~"),
    ("docker-compose-plugin", "2.40.2-1~", "2.40.3-1~"),
    ("docker-buildx-plugin", "0.29.1-1~"),
)
"""Docker's own packages, the newest last; each is there for every release, and says for which."""
_RELEASES = {"trixie": "debian.13", "bookworm": "debian.12", "noble": "ubuntu.24.04", "jammy": "ubuntu.22.04"}
_TOOLKIT = tuple(
    row
    for version in ("1.17.8-1", "1.18.0-1")
    for row in (
        Row("libnvidia-container1", version),
        Row("libnvidia-container-tools", version, f"libnvidia-container1 (= {version})"),
        Row("nvidia-container-toolkit-base", version),
        Row(
            "nvidia-container-toolkit",
            version,
            f"libnvidia-container-tools (= {version}), nvidia-container-toolkit-base (= {version})",
        ),
    )
)
_DRIVER = ("nvidia-driver-cuda", "nvidia-kernel-open-dkms", "nvidia-modprobe", "nvidia-persistenced")
_CUDA = "; ".join(f"{name} {version}" for version in ("575.57.08-1", "580.65.06-1") for name in _DRIVER)

_OF_HOSTS = {
    "download.proxmox.com": _PROXMOX,
    "developer.download.nvidia.com": _CUDA,
}
_SEVERAL = (
    Row("libjq1", "1.6-2.1"),
    Row("jq", "1.6-2.1", "libjq1 (= 1.6-2.1)"),
    Row("libjq1", "1.6-2.1+deb12u1"),
    Row("jq", "1.6-2.1+deb12u1", "libjq1 (= 1.6-2.1+deb12u1)"),
)
"""A package of two versions, whose library must be of the same one: the older first."""
UNITS = {
    "chrony": "chrony", "nfs-kernel-server": "nfs-server", "samba": "smbd", "docker-ce": "docker",
    "containerd.io": "containerd",
    "prometheus": "prometheus", "prometheus-node-exporter": "prometheus-node-exporter",
    "prometheus-nginx-exporter": "prometheus-nginx-exporter",
    "systemd-timesyncd": "systemd-timesyncd", "smartmontools": "smartmontools", "nginx": "nginx",
    "qemu-guest-agent": "qemu-guest-agent", "xrdp": "xrdp", "lightdm": "lightdm",
}  # fmt: skip
"""Which unit a package brings."""
RIVALS = {"chrony": ("systemd-timesyncd",), "systemd-timesyncd": ("chrony",)}
"""Packages that cannot be there together."""


MIRRORS = {"debian": "deb.debian.org", "ubuntu": "archive.ubuntu.com"}
"""Where a distribution's own packages are. The lab has Debian 13's for all releases of both."""


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
    if host == "download.docker.com":
        release = f"{_RELEASES.get(suite, suite)}~{suite}"
        return [Row(name, version + release) for name, *versions in _DOCKER for version in versions]
    if host == "nvidia.github.io":
        return [*_TOOLKIT]
    kernels = _KERNELS if component.startswith("pve-") else ()
    return [*_rows(_OF_HOSTS.get(host, "")), *kernels]


def _rows(text: str) -> list[Row]:
    return [Row(*words.split()) for words in text.split(";") if words.strip()]
