"""Templates of containers: archives that are unpacked into a new guest's root."""

import io
import subprocess
import tarfile


def unpack(file: str, root: str) -> int | None:
    """Unpack an archive below a folder; return the bytes read, None (and words on stdout) if it is none.

    `file` and `root` are real paths. Compressions are recognised by content, not by name.
    """
    try:
        with opened(file) as archive:
            members = [member for member in archive if not _is_device(member.name)]
            if hasattr(tarfile, "tar_filter"):  # Debian 12 has Python 3.11.2, which knows no filters
                archive.extraction_filter = staticmethod(tarfile.tar_filter)
            archive.extractall(root, members=members, numeric_owner=True)  # noqa: S202  (nothing leaves root)
            return archive.offset
    except (tarfile.TarError, EOFError, OSError) as error:
        print(f"tar: {error}")
        return None


def _is_device(name: str) -> bool:
    """/dev is made anew at each start; Proxmox does not unpack it either."""
    return name.removeprefix("./").startswith("dev/")


def opened(file: str) -> tarfile.TarFile:
    """Open an archive for reading. Raises tarfile.TarError, OSError."""
    try:
        return tarfile.open(file)
    except tarfile.ReadError:
        # older interpreters know nothing of zstd
        done = subprocess.run(["zstd", "-dcq", file], capture_output=True, check=False)
        if done.returncode:
            raise
        return tarfile.open(fileobj=io.BytesIO(done.stdout))


def ostype(root: str) -> str:
    """Return the kind of system below a folder, by its /etc/os-release; empty if it does not say."""
    found = ""
    try:
        with open(root + "/etc/os-release", encoding="utf-8") as file:
            for line in file:
                name, _, value = line.strip().partition("=")
                found = value.strip("\"'") if name == "ID" else found
    except OSError:
        return ""
    same = {"arch": "archlinux", "almalinux": "centos", "rocky": "centos", "rhel": "centos"}
    return "opensuse" if found.startswith("opensuse") else same.get(found, found)
