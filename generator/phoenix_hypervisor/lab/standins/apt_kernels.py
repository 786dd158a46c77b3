"""What a kernel's package brings: files in /boot, modules by DKMS, a place in the boot menu."""

import re

import dpkg_status
import kernels
import model

_NAME = re.compile(r"proxmox-kernel-(\d\S*-pve)(?:-signed)?")


def after(names: list[str]) -> None:
    """Do what the scripts of these packages do when they are set up."""
    found = [match[1] for name in names if (match := _NAME.fullmatch(name))]
    for version in found:
        for file in ("vmlinuz", "initrd.img"):
            with open(model.path(f"/boot/{file}-{version}"), "w", encoding="ascii") as out:
                out.write("of the lab: never started\n")
        if dpkg_status.state(dpkg_status.read().get("dkms")) == "installed":
            import tool_dkms

            tool_dkms.main(["autoinstall", "-k", version])
    if found and kernels.by_partitions():
        import tool_proxmox_boot_tool

        tool_proxmox_boot_tool.refresh()
    elif found:
        import tool_update_grub

        tool_update_grub.main([])
