"""dkms: builds modules of /usr/src for the node's kernels; in the lab those of NVIDIA's driver.

Its tree is as on a node: /var/lib/dkms/NAME/VERSION/KERNEL/ARCH, and a link `kernel-KERNEL-ARCH` for what
is installed. A "module" is a text with the driver's version and sort.
"""

import os
import re
import sys

import dpkg_status
import kernels
import model
import tool_nvidia_smi

TREE = "/var/lib/dkms"
ARCH = "x86_64"
OLD = re.compile(r"^(3\d\d|4\d\d|5[0-4]\d)\.")
"""Drivers that do not compile against a kernel of today."""


class FailedError(Exception):
    """What dkms says, and its status."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


def main(argv: list[str]) -> int:
    if dpkg_status.state(dpkg_status.read().get("dkms")) != "installed":
        return tool_nvidia_smi.not_installed("dkms")
    try:
        return run(argv)
    except FailedError as failed:
        print(f"\nError! {failed}", file=sys.stderr)
        return failed.status


def run(argv: list[str]) -> int:
    verb, words = (argv[0], argv[1:]) if argv else ("", [])
    given: dict[str, str] = {}
    flags = set()
    while words:
        word = words.pop(0)
        if word in ("-m", "-v", "-k") and words:
            given[word[1]] = words.pop(0)
        elif word in ("--all", "--force", "-q", "--quiet"):
            flags.add(word)
        elif re.fullmatch(r"[a-z-]+/[^/ ]+", word):
            given["m"], _, given["v"] = word.partition("/")
        else:
            model.not_simulated("dkms", argv)
    name, _, version = given.get("m", "").partition("/")
    version = version or given.get("v", "")
    kernel = given.get("k", kernels.running()).partition("/")[0]
    if verb == "status":
        return _status(name)
    if verb == "autoinstall":
        for one, other in _added():
            _install(one, other, kernel, force=False)
        return 0
    if not name or not version:
        raise FailedError(
            "Invalid number of parameters passed.\nUsage: " + f"{verb} <module>/<module-version>", 1
        )
    if verb == "add":
        _add(name, version)
    elif verb == "build":
        _build(name, version, kernel, "--force" in flags)
    elif verb == "install":
        _install(name, version, kernel, force="--force" in flags)
    elif verb == "remove":
        _remove(name, version, None if "--all" in flags else kernel)
    else:
        model.not_simulated("dkms", argv)
    return 0


def _place(*parts: str) -> str:
    return model.path("/".join((TREE, *parts)))


def _added() -> list[tuple[str, str]]:
    return [
        (name, version)
        for name in listed()
        for version in listed(name)
        if os.path.islink(_place(name, version, "source"))
    ]


def listed(*parts: str) -> list[str]:
    folder = _place(*parts)
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def _status(wanted: str) -> int:
    for name, version in _added():
        if wanted and name != wanted:
            continue
        built = [kernel for kernel in listed(name, version) if kernel not in ("source", "build")]
        for kernel in built:
            link = _place(name, f"kernel-{kernel}-{ARCH}")
            here = os.path.islink(link) and os.readlink(link).startswith(f"{version}/")
            print(f"{name}/{version}, {kernel}, {ARCH}: {'installed' if here else 'built'}")
        if not built:
            print(f"{name}/{version}: added")
    return 0


def _add(name: str, version: str) -> None:
    source = f"/usr/src/{name}-{version}"
    if not os.path.isdir(model.path(source)):
        raise FailedError(f"Could not find module source directory.\nDirectory: {source} does not exist.", 2)
    if not os.path.exists(model.path(f"{source}/dkms.conf")):
        raise FailedError(f"Could not locate dkms.conf file.\nFile: {source}/dkms.conf does not exist.", 1)
    if os.path.lexists(_place(name, version, "source")):
        said = "You cannot add the same module/version combo more than once."
        raise FailedError(f"DKMS tree already contains: {name}/{version}\n{said}", 3)
    os.makedirs(_place(name, version), exist_ok=True)
    os.symlink(source, _place(name, version, "source"))
    print(f"Creating symlink {TREE}/{name}/{version}/source -> {source}")


def _build(name: str, version: str, kernel: str, force: bool) -> None:
    if not os.path.lexists(_place(name, version, "source")):
        _add(name, version)
    target = _place(name, version, kernel, ARCH, "module")
    if os.path.isdir(target) and not force:
        return
    if not os.path.isdir(model.path(f"/usr/src/linux-headers-{kernel}")):
        raise FailedError(
            f"Your kernel headers for kernel {kernel} cannot be found at /lib/modules/{kernel}/build or "
            f"/lib/modules/{kernel}/source.\nPlease install the linux-headers-{kernel} package or use the "
            "--kernelsourcedir option to tell DKMS where it's located.",
            1,
        )
    found = kernels.text(f"/usr/src/{name}-{version}/lab-source").split()
    packages = dpkg_status.read()
    tools = all(dpkg_status.state(packages.get(tool)) == "installed" for tool in ("gcc", "make"))
    if not found or OLD.match(found[0]) or not tools:
        log = f"{TREE}/{name}/{version}/build/make.log"
        raise FailedError(
            f"Bad return status for module build on kernel: {kernel} ({ARCH})\n"
            f"Consult {log} for more information.",
            10,
        )
    os.makedirs(target, exist_ok=True)
    with open(os.path.join(target, "nvidia.ko"), "w", encoding="ascii") as file:
        file.write(" ".join(found) + "\n")
    print("Building module:\nCleaning build area... done.\nBuilding module(s)... done.")


def _install(name: str, version: str, kernel: str, *, force: bool) -> None:
    _build(name, version, kernel, False)
    link = _place(name, f"kernel-{kernel}-{ARCH}")
    target = f"{version}/{kernel}/{ARCH}"
    if os.path.islink(link) and os.readlink(link) == target:
        return
    there = kernels.text(f"{TREE}/{name}/kernel-{kernel}-{ARCH}/module/nvidia.ko").split()
    if (
        there
        and there[:1] == kernels.text(f"{TREE}/{name}/{target}/module/nvidia.ko").split()[:1]
        and not force
    ):
        raise FailedError(
            f"Module version {there[0]} for nvidia.ko\nis not newer than what is already found", 6
        )
    if os.path.lexists(link):
        os.unlink(link)
    os.symlink(target, link)
    print(f"Installing /lib/modules/{kernel}/updates/dkms/nvidia.ko\nRunning depmod... done.")


def _remove(name: str, version: str, kernel: str | None) -> None:
    if not os.path.lexists(_place(name, version, "source")):
        raise FailedError(f"The module/version combo: {name}-{version} is not located in the DKMS tree.", 3)
    for link in listed(name):
        place = _place(name, link)
        if os.path.islink(place) and os.readlink(place).startswith(f"{version}/{kernel or ''}"):
            os.unlink(place)
    _delete(_place(name, version, kernel) if kernel else _place(name, version))


def _delete(folder: str) -> None:
    for entry in list(os.scandir(folder)) if os.path.isdir(folder) else []:
        if entry.is_dir(follow_symlinks=False):
            _delete(entry.path)
        else:
            os.unlink(entry.path)
    if os.path.isdir(folder):
        os.rmdir(folder)
