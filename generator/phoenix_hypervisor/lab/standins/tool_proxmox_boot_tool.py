"""proxmox-boot-tool: which kernels the node's boot partitions hold, and which of them is started."""

import os
import sys

import kernels
import model
import tool_update_grub

ME = "/usr/sbin/proxmox-boot-tool"
HOOK = "/etc/kernel/postinst.d/zz-proxmox-boot"
AGAIN = "Re-executing '{0}' in new private mount namespace.."


def main(argv: list[str]) -> int:
    match argv:
        case ["kernel", "list"]:
            return _list()
        case ["kernel", "add", version]:
            return _add(version)
        case ["kernel", "remove", version]:
            return _remove(version)
        case ["kernel", "pin", version]:
            return _pin(version, kernels.PIN)
        case ["kernel", "pin", version, "--next-boot"] | ["kernel", "pin", "--next-boot", version]:
            return _pin(version, kernels.NEXT)
        case ["kernel", "unpin"]:
            return _unpin(both=True)
        case ["kernel", "unpin", "--next-boot"]:
            return _unpin(both=False)
        case ["refresh"]:
            print("Running hook script 'proxmox-auto-removal'..\nRunning hook script 'zz-proxmox-boot'..")
            return refresh()
        case ["status"] | ["status", "--quiet"]:
            return _status(quiet="--quiet" in argv)
    return model.not_simulated("proxmox-boot-tool", argv)


def _warn(text: str) -> None:
    print(text, file=sys.stderr)


def _list() -> int:
    manual = kernels.text(kernels.MANUAL).split()
    print("Manually selected kernels:", *(manual or ["None."]), sep="\n")
    own = [version for version in kernels.chosen() if version not in manual]
    print("", "Automatically selected kernels:", *own, sep="\n")
    for title, path in (("Pinned kernel:", kernels.PIN), ("Kernel pinned on next-boot:", kernels.NEXT)):
        if kernels.first_line(path):
            print("", title, kernels.first_line(path), sep="\n")
    return 0


def _there(version: str, refusal: str) -> bool:
    if version in kernels.installed():
        return True
    _warn(f"E: no kernel image found in /boot for '{version}', {refusal}.")
    return False


def _add(version: str) -> int:
    if not _there(version, "not adding"):
        return 1
    _write(kernels.MANUAL, "".join(f"{one}\n" for one in sorted({*_manual(), version})))
    print(f"Added kernel '{version}' to manual kernel list. Use the 'refresh' command to update the ESPs.")
    return 0


def _remove(version: str) -> int:
    if version not in _manual():
        print(f"Kernel '{version}' not found in manual kernel list.")
        return 0
    _write(kernels.MANUAL, "".join(f"{one}\n" for one in _manual() if one != version))
    print(
        f"Removed kernel '{version}' from manual kernel list. Use the 'refresh' command to update the ESPs."
    )
    return 0


def _manual() -> list[str]:
    return kernels.text(kernels.MANUAL).split()


def _pin(version: str, path: str) -> int:
    if not _there(version, "not setting default"):
        _warn("\nPossible Proxmox kernel versions are:\n" + "\n".join(kernels.chosen()))
        return 1
    old = kernels.first_line(path)
    if old and old != version:
        print(f"Overriding previously pinned version '{old}' with '{version}'")
    _write(path, version + "\n")
    if kernels.by_partitions():
        print(f"Set kernel '{version}' in {path}. Use the 'refresh' command to update the ESPs.")
        return 0
    pinned = kernels.first_line(kernels.NEXT) or version
    print(f"Setting '{pinned}' as grub default entry and running update-grub.", flush=True)
    tool_update_grub.pin(pinned)
    return tool_update_grub.main([])


def _unpin(*, both: bool) -> int:
    last = kernels.first_line(kernels.NEXT)
    _forget(kernels.NEXT)
    if both:
        last = kernels.first_line(kernels.PIN) or last
        _forget(kernels.PIN)
    if kernels.by_partitions():
        if last:
            print(f"Unpinned kernel '{last}'. Use the 'refresh' command to update the ESPs.")
        return 0
    print("Reset default grub entry and running update-grub.", flush=True)
    tool_update_grub.pin(kernels.first_line(kernels.PIN))
    return tool_update_grub.main([])


def _forget(path: str) -> None:
    if os.path.exists(model.path(path)):
        os.unlink(model.path(path))
    print(f"Removed {path}.")


def refresh() -> int:
    """Copy the kernels to the partitions, with the command line of /etc/kernel/cmdline."""
    print(AGAIN.format(HOOK))
    if not kernels.by_partitions():
        _warn(f"No {kernels.UUIDS} found, skipping ESP sync.")
        return 0
    line = kernels.first_line("/etc/kernel/cmdline")
    if not os.path.exists(model.path("/etc/kernel/cmdline")):
        _warn("No /etc/kernel/cmdline found - falling back to /proc/cmdline")
        booted = str(model.section(model.read(), "boot").get("cmdline", ""))
        line = " ".join(word for word in booted.split() if not word.startswith("initrd="))
    elif "root=" not in line:
        _warn("No root= parameter in /etc/kernel/cmdline found!")
        return 1
    wanted = [version for version in kernels.chosen() if _complete(version)]
    pinned = kernels.first_line(kernels.NEXT) or kernels.first_line(kernels.PIN)
    for uuid in kernels.text(kernels.UUIDS).split():
        _warn(f"Copying and configuring kernels on /dev/disk/by-uuid/{uuid}")
        for version in wanted:
            _warn(f"\tCopying kernel and creating boot-entry for {version}")
        with model.change() as state:
            esp = model.section(state, "esp")
            for version in sorted({*esp.get("entries", {})} - {*wanted}):
                _warn(f"\tRemoving old version {version}")
            esp["entries"] = dict.fromkeys(wanted, " ".join(line.split()))
            esp["default"] = f"proxmox-{pinned}.conf" if pinned else "proxmox-*"
    return 0


def _complete(version: str) -> bool:
    for what, name in (("linux-image", f"vmlinuz-{version}"), ("initrd-image", f"initrd.img-{version}")):
        if not os.path.exists(model.path(f"/boot/{name}")):
            _warn(f"No {what} /boot/{name} found - skipping")
            return False
    return True


def _status(*, quiet: bool) -> int:
    if not kernels.by_partitions():
        if not quiet:
            print(AGAIN.format(ME))
            _warn(f"E: {kernels.UUIDS} does not exist.")
        return 2
    if quiet:
        return 0
    efi = os.path.isdir(model.path("/sys/firmware/efi"))
    print(AGAIN.format(ME))
    print(f"System currently booted with {'uefi' if efi else 'legacy bios'}")
    entries = model.section(model.read(), "esp").get("entries", {})
    for uuid in kernels.text(kernels.UUIDS).split():
        print(f"{uuid} is configured with: uefi (versions: {', '.join(sorted(entries))})")
    return 0


def _write(path: str, text: str) -> None:
    place = model.path(path)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(place + ".new", place)
