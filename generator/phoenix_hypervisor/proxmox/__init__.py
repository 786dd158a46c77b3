"""Proxmox's API, read over HTTPS through proxmoxer with a token. Nothing is ever changed over it."""
