"""NVIDIA's driver: one version everywhere, modules for every kernel, its cards, nodes and units."""

import pytest

from phoenix_hypervisor.dialects import dpkg, nvidia
from phoenix_hypervisor.kinds.nvidia_driver import NOTE, OFF, UNITS, Seen

RUNFILE = "test ! -e /var/lib/nvidia/log || head -n 1 /var/lib/nvidia/log"
LIST = f"dpkg-query -W -f '{dpkg.FORMAT}'"
LOADED = "test ! -e /proc/driver/nvidia/version || head -n 1 /proc/driver/nvidia/version"
PROGRAMS = "nvidia-smi -h"
CARDS = f"nvidia-smi --query-gpu={nvidia.FIELDS} --format=csv,noheader"
DKMS = "dkms status -m nvidia"
NODES = "find /dev/ -maxdepth 2 -name 'nvidia*' -xtype c"
OWNERS = r"""
for link in /sys/bus/pci/devices/*/driver; do
    [ -L "$link" ] || continue
    slot=${link%/driver} driver=$(readlink "$link")
    echo "${slot##*/} ${driver##*/}"
done
"""
FILES = f"grep -sH '' {OFF} {UNITS}/phoenix-nvidia*.service || :"
INITRAMFS = f"find /boot -maxdepth 1 -name 'initrd.img-*' ! -newer {OFF}"
OFFERED = "grep -hsE '^Package: (proxmox|pve|linux)-headers-' /var/lib/apt/lists/*_Packages || :"
KERNELS = r"""
running=$(uname -r) || exit 3
echo "running $running"
for image in /boot/vmlinuz-*; do
    kernel=${image#/boot/vmlinuz-}
    [ -e "$image" ] || continue
    echo "kernel $kernel"
    [ ! -d "/usr/src/linux-headers-$kernel" ] || echo "headers $kernel"
    version=$(modinfo -k "$kernel" -F version nvidia 2>/dev/null) || { [ $? = 1 ] && continue || exit 3; }
    sort=$(modinfo -k "$kernel" -F license nvidia) || exit 3
    echo "module $kernel $version $sort"
done
sed 's/^/pin /' /etc/kernel/next-boot-pin /etc/kernel/proxmox-boot-pin 2>/dev/null
sed -n 's/^GRUB_DEFAULT=/grub /p' /etc/default/grub /etc/default/grub.d/*.cfg 2>/dev/null
for file in /usr/src/nvidia-*/dkms.conf; do
    [ ! -e "$file" ] || echo "source $(dirname "${file#/usr/src/nvidia-}")"
done
"""
USERS = r"""
running=$(lxc-ls --running -1) || exit 3
for vmid in $running; do
    conf=/etc/pve/lxc/$vmid.conf
    [ -e "$conf" ] || continue
    if sed '/^\[/,$d' "$conf" | grep -qE '^(dev[0-9]+|lxc\.mount\.entry): */dev/nvidia'; then
        printf 'lxc:%s\n' "$vmid"
    fi
done
find /proc/[0-9]*/fd -lname '/dev/nvidia*' 2>/dev/null | cut -d/ -f3 | sort -un | while read -r pid; do
    name=$(cat "/proc/$pid/comm" 2>/dev/null) || continue
    [ "$name" = nvidia-persiste ] || printf 'process:%s(%s)\n' "$pid" "$name"
done
"""
"""Who would notice that the driver goes: as the scripts ask it."""
DRIVERS = ("nvidia-driver", "nvidia-kernel-", "nvidia-open", "nvidia-smi", "cuda-drivers")
"""How packages of the driver begin, whoever made them."""


def test_present(host, nvidia_driver):
    assert (nvidia_driver.source in _sources(host)) == nvidia_driver.present


@pytest.mark.precondition
def test_no_other_driver(host, nvidia_driver):
    """One that came another way is not replaced."""
    others = [source for source in _sources(host) if source != nvidia_driver.source]
    assert {"source": others[0] if others else nvidia_driver.source} == {"source": nvidia_driver.source}


@pytest.mark.precondition
def test_nobody_uses_another_driver(host, nvidia_driver):
    other = _loaded(host) not in ("", nvidia_driver.module)
    assert {"in_use": _users(host) if other else ()} == {"in_use": ()}


@pytest.mark.precondition
def test_no_other_driver_has_a_card(host, nvidia_driver):
    """Nouveau, or what gives cards to virtual machines."""
    assert {"taken": _taken(host, nvidia_driver)} == {"taken": []}


def test_source(host, nvidia_driver):
    others = [source for source in _sources(host) if source != nvidia_driver.source]
    assert {"source": others[0] if others else nvidia_driver.source} == {"source": nvidia_driver.source}


def test_version(host, nvidia_driver):
    """What the programs say, and what was installed."""
    said = host.run_expect([0], PROGRAMS).stdout
    programs = said.partition("System Management Interface -- v")[2].split()
    actual = {
        "version": programs[0] if programs else "",
        "version installed": _sources(host)[nvidia_driver.source],
    }
    assert actual == dict.fromkeys(actual, nvidia_driver.version)


def test_packages(host, nvidia_driver):
    """Of the declared versions, and held."""
    there = dpkg.installed(host.run_expect([0], LIST).stdout)
    found = {name: there.get(name) for name in nvidia_driver.packages}
    actual = {
        f"package {name}": f"{one.version}{', held' if one.held else ''}" if one else ""
        for name, one in found.items()
    }
    assert actual == {
        f"package {name}": f"{version}, held" for name, version in nvidia_driver.packages.items()
    }


def test_loaded(host, nvidia_driver):
    _users(host)  # what is done about it depends on them
    assert {"loaded": _loaded(host)} == {"loaded": nvidia_driver.module}


def test_headers(host, nvidia_driver):
    """Of each kernel for which a repository has them."""
    kernels, offered = _kernels(host), _offered(host)
    wanted = [kernel for kernel in kernels.installed if kernel in offered or kernel in kernels.headers]
    actual = {f"headers {kernel}": "there" if kernel in kernels.headers else "missing" for kernel in wanted}
    assert actual == dict.fromkeys(actual, "there")


def test_modules(host, nvidia_driver):
    """On disk, of every kernel that has headers: the running one, the next one, and those to fall back to."""
    kernels = _kernels(host)
    actual = {f"module {kernel}": kernels.modules.get(kernel, "") for kernel in _buildable(host)}
    assert actual == dict.fromkeys(actual, nvidia_driver.module)


def test_dkms(host, nvidia_driver):
    """Known to DKMS, which builds it for the kernels to come."""
    known = _dkms(host)
    own = known.get(nvidia_driver.dkms, {})
    actual = {f"dkms {kernel}": own.get(kernel, "") for kernel in _buildable(host)}
    assert actual == dict.fromkeys(actual, "installed")


def test_dkms_has_no_other(host, nvidia_driver):
    """It would be built for the next kernel, too, and one of them would win."""
    others = sorted(version for version in _dkms(host) if version != nvidia_driver.dkms)
    assert {"dkms_others": others} == {"dkms_others": []}


@pytest.mark.notice
def test_next_boot(host, nvidia_driver):
    """The kernel gate: a kernel without a module, and nobody has the headers to build it."""
    kernels = _kernels(host)
    builds = _buildable(host) if kernels.next_boot in kernels.headers else _offered(host)
    ready = kernels.modules.get(kernels.next_boot) == nvidia_driver.module or kernels.next_boot in builds
    said = f"{kernels.next_boot}, for which the driver has no module, and no repository has its headers"
    assert {"next boot": "" if ready else said} == {"next boot": ""}


def test_nouveau_off(host, nvidia_driver):
    assert {"nouveau_off": _lines(host, OFF)} == {"nouveau_off": [*nvidia_driver.off]}


def test_owners(host, nvidia_driver):
    assert {"taken": _taken(host, nvidia_driver)} == {"taken": []}


def test_initramfs(host, nvidia_driver):
    """Nouveau may be loaded from an initramfs, which has its own copy of the file."""
    stale = host.run_expect([0], INITRAMFS).stdout.split() if _lines(host, OFF) else []
    assert {"initramfs": stale} == {"initramfs": []}


def test_cards(host, nvidia_driver):
    """Each declared card: there, what it is called, its UUID; none besides."""
    there = _cards(host)
    if there is None:
        pytest.skip("the driver that is loaded cannot be asked")
    actual, desired = {}, {}
    for name, card in nvidia_driver.cards.items():
        found = there.get(card["pci"])
        desired[f"card {name}"] = " ".join(filter(None, (card["pci"], card.get("model"), card.get("uuid"))))
        shown = (
            (card["pci"], card.get("model") and found.name, card.get("uuid") and found.uuid) if found else ()
        )
        actual[f"card {name}"] = " ".join(filter(None, shown)) or "no such card"
    others = sorted(there.keys() - {card["pci"] for card in nvidia_driver.cards.values()})
    assert {**actual, "cards": others} == {**desired, "cards": []}


def test_programs_reach_the_driver(host, nvidia_driver):
    """The library and the loaded module are of one version, and nvidia-smi says so."""
    there = _cards(host)
    said = "no answer" if there is None else " ".join(sorted({card.driver for card in there.values()}))
    right = _loaded(host) != nvidia_driver.module or (there is not None and not there)  # not its fault
    assert {"nvidia_smi": nvidia_driver.version if right else said} == {"nvidia_smi": nvidia_driver.version}


def test_persistence(host, nvidia_driver):
    there = _cards(host) or {}
    known = {name: there.get(card["pci"]) for name, card in nvidia_driver.cards.items()}
    actual = {f"persistence {name}": card.persistence for name, card in known.items() if card}
    assert actual == dict.fromkeys(actual, "Enabled" if nvidia_driver.persistence else "Disabled")


def test_nodes(host, nvidia_driver):
    found = set(host.run_expect([0], NODES).stdout.split())
    missing = [node for node in nvidia_driver.nodes if node not in found]
    assert {"nodes": missing if _loaded(host) else []} == {"nodes": []}


def test_units(host, nvidia_driver):
    actual = {f"unit {name}": _lines(host, f"{UNITS}/{name}") for name in nvidia_driver.units}
    assert actual == {f"unit {name}": [*lines] for name, lines in nvidia_driver.units.items()}


def test_units_are_enabled(host, nvidia_driver):
    said = {name: host.run_expect([0, 1, 4], "systemctl is-enabled %s", name) for name in nvidia_driver.units}
    actual = {f"enabled {name}": answer.stdout.strip() for name, answer in said.items()}
    assert actual == dict.fromkeys(actual, "enabled")


def test_units_are_active(host, nvidia_driver):
    said = {name: host.run_expect([0, 3, 4], "systemctl is-active %s", name) for name in nvidia_driver.units}
    actual = {f"active {name}": answer.stdout.strip() for name, answer in said.items()}
    assert actual == dict.fromkeys(actual, "active")


def seen(host, nvidia_driver):
    """Who uses a card."""
    return Seen(_users(host))


def owned(host):
    """The driver that we installed."""
    return {"driver"} if host.run_expect([0, 1], "test -e %s", NOTE).rc == 0 else set()


def _sources(host):
    """How a driver came → its version."""
    found = {}
    runfile = host.run_expect([0], RUNFILE).stdout.strip()
    if runfile:
        found["runfile"] = runfile
    packages = dpkg.installed(host.run_expect([0], LIST).stdout)
    drivers = [one.version for name, one in packages.items() if name.startswith(DRIVERS)]
    if drivers:
        found["packages"] = drivers[0].partition(":")[2].partition("-")[0] or drivers[0].partition("-")[0]
    return found


def _loaded(host):
    return nvidia.loaded(host.run_expect([0], LOADED).stdout)


def _users(host):
    return tuple(host.run_expect([0], USERS).stdout.split())


def _kernels(host):
    return nvidia.kernels(host.run_expect([0], KERNELS).stdout)


def _buildable(host):
    kernels = _kernels(host)
    return [kernel for kernel in kernels.installed if kernel in kernels.headers]


def _offered(host):
    """Kernels whose headers a repository has, as of its last list."""
    lines = host.run_expect([0], OFFERED).stdout.splitlines()
    return {line.partition("-headers-")[2] for line in lines}


def _dkms(host):
    """What DKMS has, if there is a DKMS."""
    there = dpkg.installed(host.run_expect([0], LIST).stdout)
    return nvidia.dkms(host.run_expect([0], DKMS).stdout) if "dkms" in there else {}


def _taken(host, nvidia_driver):
    """Our cards that another driver has, and which."""
    owners = dict(line.split() for line in host.run_expect([0], OWNERS).stdout.splitlines())
    ours = {card["pci"]: owners.get(card["pci"], "nvidia") for card in nvidia_driver.cards.values()}
    return [f"{pci} ({owner})" for pci, owner in ours.items() if owner != "nvidia"]


def _cards(host):
    """What the driver shows; None if it cannot be asked."""
    answer = host.run_expect([0, 6, 9, 18], CARDS)
    return nvidia.cards(answer.stdout) if answer.rc == 0 else {} if answer.rc == 6 else None


def _lines(host, path):
    """The lines of a file of ours, without comments."""
    found = []
    for line in host.run_expect([0], FILES).stdout.splitlines():
        file, _, content = line.partition(":")
        if file == path and content.strip() and content.strip()[0] != "#":
            found.append(content.strip())
    return found
