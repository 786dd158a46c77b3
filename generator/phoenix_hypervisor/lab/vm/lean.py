"""What a boot of the lab's virtual machine need not do: emulated, all of it takes half a minute.

Most of what a boot costs there is not work but code: whatever runs for the first time is translated. So what
nobody misses in a lab is left out, and what cannot be left out is done by few programs.
"""

from . import cpio

KERNEL_WORDS = (
    # libraries lie at the same addresses in all processes, so their code is translated once
    "norandmaps "
    "init_on_alloc=0 audit=0 cryptomgr.notests nowatchdog transparent_hugepage=never "
    # filters of system calls are long programs, made anew by each unit and interpreted at each call
    "SYSTEMD_SECCOMP=0 "
    "udev.children_max=2"
)
UNITS = (
    "systemd-logind.service", "systemd-binfmt.service", "proc-sys-fs-binfmt_misc.automount",
    "systemd-pstore.service", "systemd-update-utmp.service", "systemd-update-utmp-runlevel.service",
    "getty.target", "dev-hugepages.mount", "dev-mqueue.mount", "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount", "sys-fs-fuse-connections.mount", "systemd-tmpfiles-clean.timer",
    "logrotate.timer", "systemd-sysusers.service", "systemd-user-sessions.service",
    "systemd-remount-fs.service", "systemd-network-generator.service", "systemd-networkd.service",
    "systemd-networkd.socket", "systemd-journal-flush.service", "systemd-ask-password-wall.path",
    "systemd-ask-password-console.path", "systemd-machine-id-commit.service",
    "systemd-boot-system-token.service", "systemd-firstboot.service", "systemd-hwdb-update.service",
    "systemd-update-done.service", "ldconfig.service", "sys-kernel-config.mount",
    "systemd-pcrphase.service", "systemd-pcrphase-sysinit.service", "systemd-repart.service",
    "systemd-initctl.socket", "systemd-udev-settle.service", "systemd-journald-audit.socket",
    "cryptsetup.target", "veritysetup.target", "integritysetup.target", "modprobe@.service",
)  # fmt: skip
"""Units that cost a boot time, and that nobody misses: who is logged in at which terminal, say."""
GENERATORS = (
    "cryptsetup", "debug", "getty", "gpt-auto", "hibernate-resume", "integritysetup", "rc-local", "run",
    "system-update", "sysv", "veritysetup",
)  # fmt: skip
"""Programs that systemd asks for further units: for hardware that is not there, and ways that nobody goes."""
RULES = (
    "50-firmware", "55-dm", "60-autosuspend", "60-cdrom_id", "60-drm", "60-evdev", "60-fido-id",
    "60-infiniband", "60-input-id", "60-nfs", "60-persistent-alsa", "60-persistent-input",
    "60-persistent-storage-dm", "60-persistent-storage-tape", "60-persistent-v4l", "60-sensor", "60-serial",
    "64-btrfs", "70-camera", "70-joystick", "70-memory", "70-mouse", "70-power-switch", "70-touchpad",
    "70-uaccess", "71-seat", "73-seat-late", "75-net-description", "75-probe_mtd", "78-sound-card",
    "81-net-dhcp", "85-hwclock", "80-drivers", "95-dm-notify", "96-e2scrub", "99-nfs",
)  # fmt: skip
"""Rules of udev for such hardware, and for drivers and their settings: each is asked about each device."""
TRIGGER = """\
[Service]
ExecStart=
ExecStart=-udevadm trigger --action=add --subsystem-match=block
"""
"""Of devices that are there before udev is, its rules have a word on these; `init.sh` loads the drivers."""
PATIENCE = """\
[Manager]
DefaultTimeoutStartSec=600
"""
"""On a busy machine a service takes minutes to start, and is no worse for it."""
JOURNAL = """\
[Journal]
Storage=volatile
ReadKMsg=no
"""
SSHD_CONFIG = """\
UsePAM no
GSSAPIAuthentication no
"""
NOTHING_BEFORE = """\
[Service]
ExecStartPre=
"""
"""For units that first test their configuration, or look for AppArmor: a start says as much."""
NETWORKING = """\
[Unit]
Description=Network initialization
DefaultDependencies=no
After=systemd-sysctl.service
Before=network.target
Wants=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/sbin/ip -batch /etc/network/lab
[Install]
WantedBy=multi-user.target
"""
LINKS = """\
link set lo up
link set eth0 up
address add 10.0.2.15/24 dev eth0
link add vmbr0 type bridge
address add {address} brd + dev vmbr0
link set vmbr0 up
"""
"""For `ip`: QEMU's network, and Proxmox's bridge, which leads nowhere."""


def entries(address: str) -> dict[str, cpio.Entry]:
    """Return the files by their paths; the node has that `address` with its prefix length."""
    found = {
        "etc/systemd/system/systemd-udev-trigger.service.d/lab.conf": cpio.text(TRIGGER),
        "etc/systemd/system.conf.d/lab.conf": cpio.text(PATIENCE),
        "etc/systemd/journald.conf.d/lab.conf": cpio.text(JOURNAL),
        "etc/ssh/sshd_config.d/lab.conf": cpio.text(SSHD_CONFIG),
        "etc/systemd/system/ssh.service.d/lab.conf": cpio.text(NOTHING_BEFORE),
        "etc/systemd/system/smbd.service.d/lab.conf": cpio.text(NOTHING_BEFORE),
        "etc/systemd/system/networking.service": cpio.text(NETWORKING),
        "etc/systemd/system/multi-user.target.wants/networking.service": cpio.link("../networking.service"),
        "etc/network/lab": cpio.text(LINKS.format(address=address)),
        "etc/tmpfiles.d/systemd-nologin.conf": cpio.link("/dev/null"),
    }
    nothing = cpio.link("/dev/null")
    found |= {f"etc/systemd/system/{unit}": nothing for unit in UNITS}
    found |= {f"etc/systemd/system-generators/systemd-{one}-generator": nothing for one in GENERATORS}
    return found | {f"etc/udev/rules.d/{one}.rules": nothing for one in RULES}
