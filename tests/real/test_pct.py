"""The stand-in for pct where it drives LXC itself: what a container really gets."""

import pytest

from . import template
from .hub import until

pytestmark = pytest.mark.real

STORAGES = f"""\
zpool create tank /dev/disk/by-id/nvme-alpha_A
zfs create tank/guests
zfs create tank/media
pvesm add zfspool guests --pool tank/guests --content rootdir
pvesm add dir templates --path /var/lib/templates --content vztmpl
cp {template.PATH} /var/lib/templates/template/cache
"""
CREATE = f"pct create 950 templates:vztmpl/{template.NAME} --rootfs guests:1 --unprivileged 1 --hostname one"
MEMORY = "cd /sys/fs/cgroup; cat memory/lxc/950/memory.limit_in_bytes 2>/dev/null || cat lxc/950/memory.max"


@pytest.fixture
def alpha(fresh):
    """A node with storages, and a running container 950 that Proxmox' tool has made."""
    node = fresh["alpha"]
    node.run(STORAGES)
    node.run(f"{CREATE} --net0 name=eth0,bridge=vmbr0,ip=10.77.0.50/24 --memory 64 --swap 0; pct start 950")
    return node


def inside(node, script, vmid=950):
    """Run a script in a container; what it said, and its status when it fails."""
    status, said = node.try_(f"lxc-attach -n {vmid} --clear-env -- sh", script)
    return said if status == 0 else f"{said}[{status}]"


def test_an_unprivileged_container_is_its_own_root_only(alpha):
    assert inside(alpha, "id -u; hostname; touch /new; stat -c '%u %g' /new /home/chat/notes") == (
        "0\none\n0 0\n1000 1000\n"
    )
    root = "/tank/guests/subvol-950-disk-0"
    assert alpha.run(f"stat -c '%u:%g' {root} {root}/new {root}/etc/hostname {root}/home/chat/notes") == (
        "100000:100000\n100000:100000\n100000:100000\n101000:101000\n"
    )
    init = alpha.run("lxc-info -n 950 -pH").strip()
    assert alpha.run(f"stat -c %u /proc/{init}") == "100000\n"
    alpha.run("ping -c 1 -W 5 10.77.0.50")


def test_a_running_container_gets_limits_mounts_and_devices_at_once(alpha):
    alpha.run("chmod 755 /tank/media; echo theirs >/tank/media/film")

    alpha.run(
        "pct set 950 --memory 96 --swap 32\n"
        "pct set 950 --mp0 guests:1,mp=/data --mp1 /tank/media,mp=/mnt/media\n"
        "pct set 950 --dev0 /dev/fuse,mode=0660,gid=1000"
    )

    assert (
        inside(alpha, "touch /data/mine; stat -c '%u %g %n' /data /data/mine")
        == "0 0 /data\n0 0 /data/mine\n"
    )
    assert inside(alpha, "cat /mnt/media/film; stat -c %u /mnt/media/film") == "theirs\n65534\n"
    assert "Permission denied" in inside(alpha, "touch /mnt/media/mine")
    assert (
        inside(alpha, "stat -c '%u %g %a' /dev/fuse; exec 3<>/dev/fuse && echo open") == "0 1000 660\nopen\n"
    )
    assert alpha.run("grep -c /tank/ /proc/self/mountinfo || :") == "0\n"

    alpha.run("pct reboot 950")

    assert inside(alpha, "ls /data /mnt/media; exec 3<>/dev/fuse && echo open") == (
        "/data:\nmine\n\n/mnt/media:\nfilm\nopen\n"
    )


def test_memory_beyond_the_limit_is_not_to_be_had(alpha):
    if alpha.try_(MEMORY)[0]:
        pytest.skip("this machine's control groups do not control memory")
    asked = "dd if=/dev/zero of=/dev/null bs={}M count=1 2>/dev/null && echo had"
    assert alpha.run(MEMORY) == f"{64 << 20}\n"
    assert inside(alpha, asked.format(90)).endswith("[137]")

    alpha.run("pct set 950 --memory 128")

    assert alpha.run(MEMORY) == f"{128 << 20}\n"
    assert inside(alpha, asked.format(90)) == "had\n"


def test_raw_lines_are_in_effect_from_the_next_start(alpha):
    alpha.run(
        "echo 'lxc.environment: SAID=raw' >>/etc/pve/lxc/950.conf\n"
        "echo 'lxc.mount.entry: tmpfs scratch tmpfs size=1m,create=dir 0 0' >>/etc/pve/lxc/950.conf"
    )
    asked = "tr '\\0' '\\n' </proc/1/environ | grep SAID; grep -c ' /scratch tmpfs ' /proc/mounts"
    assert inside(alpha, asked) == "0\n[1]"

    alpha.run("pct reboot 950")

    assert inside(alpha, asked) == "SAID=raw\n1\n"


def test_a_clone_has_an_identity_of_its_own(alpha):
    alpha.run(
        "pct shutdown 950; pct snapshot 950 done; pct clone 950 951 --snapname done --full 1 --hostname two"
    )
    alpha.run("pct set 951 --net0 name=eth0,bridge=vmbr0,ip=10.77.0.51/24; pct start 950; pct start 951")

    who = "hostname; cat /etc/machine-id /sys/class/net/eth0/address"
    one, two = inside(alpha, who).splitlines(), inside(alpha, who, 951).splitlines()
    assert (one[0], two[0]) == ("one", "two")
    assert len(one) == len(two) == 3
    assert not set(one) & set(two)
    assert (
        inside(alpha, "ping -c 1 -W 5 10.77.0.50 >/dev/null && stat -c %u /home/chat/notes", 951) == "1000\n"
    )


def test_what_lxc_says_of_a_start_that_fails_is_told(alpha):
    alpha.run("echo 'lxc.hook.pre-start: /bin/false' >>/etc/pve/lxc/950.conf; pct shutdown 950")

    status, said = alpha.try_("pct start 950")

    assert status == 255
    assert said.startswith("run_buffer: ")
    assert 'Failed to run lxc.hook.pre-start for container "950"' in said
    assert said.endswith("startup for container '950' failed\n")
    assert alpha.try_("systemctl is-failed pve-container@950") == (0, "failed\n")
    alpha.run("sed -i /hook/d /etc/pve/lxc/950.conf; pct start 950")
    assert alpha.run("pct status 950") == "status: running\n"


def test_nothing_is_left_of_a_container_that_was_destroyed(alpha):
    alpha.run("pct set 950 --mp0 /tank/media,mp=/mnt/media; touch /tank/media/film")

    alpha.run("pct stop 950; pct destroy 950 --purge 1")

    assert alpha.run("ls /var/lib/lxc /etc/pve/lxc /tank/guests /tank/media") == (
        "/etc/pve/lxc:\n\n/tank/guests:\n\n/tank/media:\nfilm\n\n/var/lib/lxc:\n"
    )
    assert (
        alpha.run("zfs list -H -o name -r tank/guests; ip -br link | grep -c veth || :") == "tank/guests\n0\n"
    )
    until("the control groups are gone", lambda: not alpha.run("find /sys/fs/cgroup -path '*lxc/950*'"))
