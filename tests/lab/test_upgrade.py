"""`phoenix upgrade` on a lab node and in a guest: shown first, then done, and nothing else touched."""

import fcntl

import pytest
from tests.lab.containers import NODE

SOURCES = "/etc/apt/sources.list.d"
OLD, NEW = "6.14.11-4", "6.14.11-5"
PROXMOX = "deb http://download.proxmox.com/debian/pve trixie pve-no-subscription\n"
LOG = f"/var/log/phoenix/upgrade-{NODE}.log"
WRAPPED = """\
#!/bin/sh
case "$*" in *-s*) {simulated} ;; *dist-upgrade*) {real} ;; esac
exec /usr/local/sbin/apt-get-of-the-lab "$@"
"""


@pytest.fixture
def site(small):
    """A node without a subscription whose lists can be read, with packages that are not the newest."""
    small.on_node(f"rm {SOURCES}/pve-enterprise.sources {SOURCES}/ceph.sources")
    (small.node.root / f"{SOURCES[1:]}/proxmox.list").write_text(PROXMOX)
    small.on_node(f"apt-get update; apt-get -y install jq=1.6-2.1 proxmox-kernel-6.14={OLD}")
    return small


def version(site, name):
    return site.on_node(f"dpkg-query -W -f '${{Version}}' {name}")


def wrap(site, simulated=":", real=":"):
    """Put something in the way of apt-get."""
    site.on_node("cd /usr/local/sbin; [ -e apt-get-of-the-lab ] || cp -p apt-get apt-get-of-the-lab")
    path = site.node.root / "usr/local/sbin/apt-get"
    path.write_text(WRAPPED.format(simulated=simulated, real=real))


def test_a_node_is_shown_what_comes_then_upgraded_and_told_to_reboot(site):
    site.on_node("apt-mark hold samba")
    asked = site.run("upgrade")
    assert asked.status == 64
    assert "nobody is there to be asked" in asked.err
    shown = asked.out.splitlines()
    assert shown[0] == NODE
    assert {
        f"  ~ proxmox-kernel-6.14  {OLD} → {NEW}",
        f"  + proxmox-kernel-{NEW}-pve-signed  {NEW}",
        "  ~ jq  1.6-2.1 → 1.6-2.1+deb12u1",
        "  = samba  held",
    } <= set(shown)
    assert version(site, "jq") == "1.6-2.1"

    samba = version(site, "samba")
    done = site.run("upgrade", NODE, "--yes")
    assert (done.status, done.out.splitlines()[-1]) == (0, f"✓ {NODE} is up to date"), done.err
    assert "Setting up jq (1.6-2.1+deb12u1) ...\n" in done.err
    assert f"runs the kernel {OLD}-pve, and starts with {NEW}-pve: reboot it when it suits" in done.err
    assert (version(site, "jq"), version(site, "samba")) == ("1.6-2.1+deb12u1", samba)
    assert "--force-confold" in site.on_node(f"cat {LOG}")
    assert site.on_node("uname -r") == f"{OLD}-pve\n"

    again = site.run("upgrade", "--yes")
    assert (again.status, again.out) == (0, f"{NODE}\n  = samba  held\n  1 left as they are\n")


def test_a_guest_is_upgraded_through_its_node_and_no_other_is(site):
    done = site.run("upgrade", "950", "--yes")
    assert done.status == 0, done.err
    assert done.out == (
        "web\n  ~ libc6  1.0 → 2.41-12\n  ~ tzdata  1.0 → 2025b-4+deb13u1\n  2 to upgrade\n"
        "✓ web is up to date\n"
    )
    assert "notice: web uses libc6 of before until a `phoenix restart`\n" in done.err
    assert site.on_node("lxc-attach -n 950 -- dpkg-query -W -f '${Version}' libc6") == "2.41-12"
    assert site.on_node("lxc-attach -n 951 -- dpkg-query -W -f '${Version}' libc6") == "1.0"
    down = site.run("upgrade", "base", "web", "--yes")
    assert (down.status, "guest `base` does not run" in down.err) == (3, True)
    assert down.out == "web\n  nothing to upgrade\n"


def test_nothing_is_removed_without_a_word_more(site):
    wrap(site, simulated="echo 'Remv proxmox-ve [9.0.0]'")
    refused = site.run("upgrade", "--yes")
    assert refused.status == 1
    assert "the upgrade would remove proxmox-ve" in refused.err
    assert "  - proxmox-ve  9.0.0\n" in refused.out
    assert version(site, "jq") == "1.6-2.1"
    site.run("upgrade", "--yes", "--allow-remove")
    assert version(site, "jq") == "1.6-2.1+deb12u1"


def test_what_goes_wrong_on_the_way_is_said(site):
    wrap(site, real="echo 'E: Sub-process /usr/bin/dpkg returned an error code (1)' >&2; exit 100")
    failed = site.run("upgrade", "--yes")
    assert failed.status == 1
    assert f"`{NODE}` is not upgraded: apt-get ended with 100: E: Sub-process /usr/bin/dpkg" in failed.err
    wrap(site, real="kill -9 $PPID")
    ended = site.run("upgrade", "--yes")
    assert (ended.status, "it was ended from outside" in ended.err) == (1, True)


def test_a_node_that_is_being_upgraded_is_left_to_it(site):
    place = site.node.root / "var/log/phoenix"
    place.mkdir()
    with open(place / f"upgrade-{NODE}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        held = site.run("upgrade", "--yes")
    assert (held.status, f"an upgrade is going on there: {LOG}" in held.err) == (1, True)


def test_lists_that_cannot_be_read_change_nothing(small):
    refused = small.run("upgrade", "--yes")
    assert (refused.status, refused.out) == (1, "")
    assert "`apt-get update` failed" in refused.err
    assert "pve trixie InRelease' is not signed" in refused.err
    assert small.run("upgrade", "nobody").status == 64
