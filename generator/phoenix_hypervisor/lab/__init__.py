"""The lab: a Proxmox node that lives in a directory, entered without root (docs/lab.md)."""
