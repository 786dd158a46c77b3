"""Phoenix Hypervisor: makes Proxmox VE nodes match a directory of text files, and proves it."""

__version__ = "0.1.0"
