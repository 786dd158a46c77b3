"""What packages do in their scripts to the modules of kernels: headers come, modules are built for them."""

import os
import re
import sys

import dpkg_status
import kernels
import model
import tool_dkms

HEADERS = re.compile(r"(?:proxmox|pve|linux)-headers-(?P<kernel>[0-9]+\.[0-9]+\.[0-9]+-.+)")
MODULES = {"nvidia-kernel-open-dkms": "open", "nvidia-kernel-dkms": "proprietary"}


def after(come: dict[str, str], go: list[str]) -> None:
    """Do what the packages that came and went would."""
    for name in go:
        _removed(name)
    for name, version in come.items():
        found = HEADERS.fullmatch(name)
        if found:
            os.makedirs(model.path(f"/usr/src/linux-headers-{found['kernel']}"), exist_ok=True)
            _built(found["kernel"])
        if name in MODULES:
            _sources(version.partition("-")[0], MODULES[name])


def _removed(name: str) -> None:
    found = HEADERS.fullmatch(name)
    if found and os.path.isdir(model.path(f"/usr/src/linux-headers-{found['kernel']}")):
        os.rmdir(model.path(f"/usr/src/linux-headers-{found['kernel']}"))
    if name in MODULES:
        _forget()


def _forget() -> None:
    for version in tool_dkms.listed("nvidia"):
        if not version.startswith("kernel-"):
            _quietly(["remove", f"nvidia/{version}", "--all"])


def _sources(version: str, sort: str) -> None:
    """A package of sources: its script adds them to DKMS, and builds them for each kernel with headers."""
    _forget()
    folder = model.path(f"/usr/src/nvidia-{version}")
    os.makedirs(folder, exist_ok=True)
    for file, text in (("dkms.conf", 'AUTOINSTALL="yes"\n'), ("lab-source", f"{version} {sort}\n")):
        with open(os.path.join(folder, file), "w", encoding="ascii") as target:
            target.write(text)
    _quietly(["add", f"nvidia/{version}"])
    for kernel in kernels.installed():
        if os.path.isdir(model.path(f"/usr/src/linux-headers-{kernel}")):
            _built(kernel)


def _built(kernel: str) -> None:
    if dpkg_status.state(dpkg_status.read().get("dkms")) == "installed":
        print(f"dkms: running auto installation service for kernel {kernel}.")
        _quietly(["autoinstall", "-k", kernel])


def _quietly(argv: list[str]) -> None:
    try:
        tool_dkms.run(argv)
    except tool_dkms.FailedError as failed:
        print(f"dkms: {failed}", file=sys.stderr)
