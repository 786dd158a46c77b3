"""The appliance templates that Proxmox offers, by their real names, and what the lab gives for one.

An archive of the lab holds a small root file system of its own making: who it is, users, services; programs
come from the machine's /usr when it runs. Its checksum is not the real one's; where that is known here, the
lab's `sha512sum` tells it all the same, so that a declared checksum can be checked in the lab.
"""

import io
import tarfile

import apt_offers

SYSTEM = (
    "almalinux-9-default_20240911_amd64.tar.xz",
    "alpine-3.20-default_20240908_amd64.tar.xz",
    "alpine-3.21-default_20241217_amd64.tar.xz",
    "alpine-3.22-default_20250617_amd64.tar.xz",
    "alpine-3.23-default_20260116_amd64.tar.xz",
    "archlinux-base_20240911-1_amd64.tar.zst",
    "centos-9-stream-default_20240828_amd64.tar.xz",
    "debian-11-standard_11.7-1_amd64.tar.zst",
    "debian-12-standard_12.12-1_amd64.tar.zst",
    "debian-13-standard_13.1-2_amd64.tar.zst",
    "devuan-5.0-standard_5.0_amd64.tar.gz",
    "fedora-41-default_20241118_amd64.tar.xz",
    "fedora-42-default_20250428_amd64.tar.xz",
    "fedora-43-default_20260115_amd64.tar.xz",
    "gentoo-current-openrc_20250508_amd64.tar.xz",
    "openeuler-25.03-default_20250507_amd64.tar.xz",
    "opensuse-15.6-default_20240910_amd64.tar.xz",
    "rockylinux-9-default_20240912_amd64.tar.xz",
    "ubuntu-18.04-standard_18.04.1-1_amd64.tar.gz",
    "ubuntu-20.04-standard_20.04-1_amd64.tar.gz",
    "ubuntu-22.04-standard_22.04-1_amd64.tar.zst",
    "ubuntu-24.04-standard_24.04-2_amd64.tar.zst",
    "ubuntu-24.10-standard_24.10-1_amd64.tar.zst",
    "ubuntu-25.04-standard_25.04-1.1_amd64.tar.zst",
)
PUBLISHED = {
    "ubuntu-24.04-standard_24.04-2_amd64.tar.zst": (
        "45c2978e6b97fe292ada95fe06834276015e5739a594db4de2fdfd830fa0c379"
        "42e8ae118fc1e32ffd9154b3f9378b592738b668ea3957db41f2907b86f219de"
    ),
}
"""SHA-512 of the real archives, as Proxmox's list has it."""
SOURCE = "http://download.proxmox.com/images/system/"
CODENAMES = {"11": "bullseye", "12": "bookworm", "13": "trixie", "22.04": "jammy", "24.04": "noble"}
FAMILIES = {
    "ubuntu": "debian",
    "devuan": "debian",
    "rockylinux": "rhel",
    "almalinux": "rhel",
    "centos": "rhel",
}
USERS = {
    "root": (0, "/root", "/bin/bash"),
    "daemon": (1, "/usr/sbin", ""),
    "bin": (2, "/bin", ""),
    "sys": (3, "/dev", ""),
    "mail": (8, "/var/mail", ""),
    "www-data": (33, "/var/www", ""),
    "backup": (34, "/var/backups", ""),
    "_apt": (42, "/nonexistent", ""),
    "messagebus": (101, "/nonexistent", ""),
    "sshd": (105, "/run/sshd", ""),
    "systemd-resolve": (996, "/", ""),
    "systemd-network": (998, "/", ""),
    "nobody": (65534, "/nonexistent", ""),
}
"""User → uid, home, and a shell if it may log in."""
GROUPS = {
    "root": 0, "daemon": 1, "bin": 2, "sys": 3, "adm": 4, "tty": 5, "disk": 6, "mail": 8, "sudo": 27,
    "audio": 29, "www-data": 33, "backup": 34, "shadow": 42, "video": 44, "staff": 50, "users": 100,
    "messagebus": 101, "render": 993, "systemd-resolve": 996, "systemd-network": 998, "nogroup": 65534,
}  # fmt: skip
FOLDERS = (
    "etc/apt/apt.conf.d", "etc/apt/keyrings", "etc/apt/sources.list.d", "etc/cron.d", "etc/default",
    "etc/modprobe.d", "etc/network", "etc/profile.d", "etc/ssh", "etc/sudoers.d", "etc/sysctl.d",
    "etc/systemd/network", "etc/systemd/system", "home", "media", "mnt", "opt", "root", "run", "srv", "tmp",
    "usr/local/bin", "usr/local/lib", "usr/local/sbin", "usr/local/share", "var/cache", "var/lib", "var/log",
    "var/tmp",
)  # fmt: skip
MODES = {"root": 0o700, "tmp": 0o1777, "var/tmp": 0o1777, "etc/shadow": 0o640}


def archive(name: str) -> bytes:
    """Return the archive of an appliance by its file name: the same bytes each time."""
    packed = io.BytesIO()
    packing = {"gz": "w", "xz": "w:xz"}.get(name.rpartition(".")[2], "w")
    with tarfile.open(fileobj=packed, mode=packing, format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
        for folder in sorted(
            {"/".join(path.split("/")[:n]) for path in FOLDERS for n in range(1, path.count("/") + 2)}
        ):
            tar.addfile(_member(folder, tarfile.DIRTYPE, MODES.get(folder, 0o755)))
        for path, text in sorted(_files(*_identity(name)).items()):
            member = _member(path, tarfile.REGTYPE, MODES.get(path, 0o644))
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


def _member(path: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo("./" + path)
    member.type, member.mode, member.uname, member.gname = kind, mode, "root", "root"
    return member


def _identity(name: str) -> tuple[str, str]:
    """Return distribution and release (`ubuntu`, `24.04`) of an appliance."""
    first, _, rest = name.partition("_")[0].partition("-")
    return first, rest.partition("-")[0]


def _files(system: str, release: str) -> dict[str, str]:
    codename = CODENAMES.get(release, "")
    known = {"archlinux": "arch", "rockylinux": "rocky"}.get(system, system)
    title = {"debian": "Debian GNU/Linux"}.get(system, system.capitalize())
    lines = [f'PRETTY_NAME="{title} {release}"', f'NAME="{title}"', f'VERSION_ID="{release}"', f"ID={known}"]
    lines += [f"VERSION_CODENAME={codename}"] if codename else []
    lines += [f"ID_LIKE={FAMILIES[system]}"] if system in FAMILIES else []
    nologin = "/usr/sbin/nologin"
    files = {
        "etc/os-release": "".join(line + "\n" for line in lines),
        "etc/passwd": "".join(
            f"{user}:x:{uid}:{GROUPS.get(user, 65534)}:{user}:{home}:{shell or nologin}\n"
            for user, (uid, home, shell) in USERS.items()
        ),
        "etc/group": "".join(f"{group}:x:{gid}:\n" for group, gid in GROUPS.items()),
        "etc/shadow": "".join(f"{user}:*:19800:0:99999:7:::\n" for user in USERS),
        "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
        "etc/shells": "/bin/sh\n/bin/bash\n/usr/bin/bash\n",
        "etc/login.defs": "UID_MIN 1000\nUID_MAX 60000\nGID_MIN 1000\nGID_MAX 60000\nUMASK 022\n",
        "etc/machine-id": "uninitialized\n",
        "etc/timezone": "Etc/UTC\n",
        "etc/fstab": "# UNCONFIGURED FSTAB FOR BASE SYSTEM\n",
        "root/.bashrc": "PS1='\\u@\\h:\\w\\$ '\n",
    }
    if system in ("debian", "devuan", "alpine"):
        files["etc/network/interfaces"] = "auto lo\niface lo inet loopback\n"
    if system == "debian":
        files["etc/debian_version"] = release + "\n"
    if system in apt_offers.MIRRORS:
        files |= apt_offers.fresh(system, codename)
    return files
