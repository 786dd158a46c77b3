"""A lab node that is a virtual machine: a kernel of its own, so real ZFS, NFS, LXC and packet filter.

QEMU emulates it, so it runs on any machine; the image is built once from Debian's packages. What a Debian
lacks that a Proxmox node has (pct, pvesm …) the lab's stand-ins are put in for.
"""
