"""Whatever somebody changes in a container behind our back is found as just that, and put right."""

import pytest
from tests.lab.containers import BASE, NODE, Containers

from phoenix_hypervisor.config import load
from phoenix_hypervisor.containers import conf
from phoenix_hypervisor.errors import ExitCode
from phoenix_hypervisor.resource import Effect, Ref

EVERYTHING = {
    **BASE,
    "restart": "auto",
    "description": "Everything: declared",
    "tags": ["ai", "web"],
    "cores": 2,
    "cpulimit": 1.5,
    "cpuunits": 200,
    "memory": "256M",
    "swap": "64M",
    "nameserver": ["10.0.0.1", "10.0.0.2"],
    "searchdomain": ["example.test"],
    "onboot": True,
    "startup": {"order": 2, "up": 5},
    "protection": False,
    "features": {"nesting": True, "mount": ["nfs"]},
    "hookscript": "tank-hooks:snippets/one.sh",
    "timezone": "host",
    "console": True,
    "tty": 2,
    "cmode": "tty",
    "arch": "amd64",
    "ostype": "ubuntu",
    "net": {
        "eth0": {"bridge": "vmbr0", "ip": "10.0.0.50/24", "gw": "10.0.0.1", "firewall": True},
        "eth1": {"bridge": "vmbr0", "mac": "02:00:00:00:00:51"},
    },
    "mounts": {
        "/data": {"storage": "tank-disks", "size": "1G", "backup": True},
        "/one": {"source": "/tank/one", "read_only": True, "uid": 1000, "gid": 1000},
    },
    "devices": {"/dev/null": {"mode": "0666"}},
    "gpus": ["gpu0"],
    "raw": {"lxc.cap.drop": ["mac_admin", "mac_override"]},
}
CONF = "/etc/pve/lxc/101.conf"
OTHERWISE = {
    "hostname": "other", "memory": "100", "swap": "0", "cpulimit": "2", "features": "keyctl=1",
    "startup": "order=7", "cores": "1", "cpuunits": "50", "tty": "4", "timezone": "UTC",
    "hookscript": "tank-hooks:snippets/two.sh", "cmode": "shell", "arch": "i386", "ostype": "debian",
    "onboot": "0", "protection": "1", "console": "0", "nameserver": "10.0.0.9",
    "searchdomain": "other.test", "tags": "phoenix;web", "description": "Another",
}  # fmt: skip
"""What somebody writes with `pct set`."""
AT_ONCE = {
    "hostname", "memory", "swap", "cpulimit", "startup", "cores", "cpuunits", "hookscript", "onboot",
    "protection", "tags", "description",
}  # fmt: skip
REFUSED = {"unprivileged", "rootfs.storage"}
BY_HAND = {
    "net.eth0": "/^net0:/s/ip=[^,]*/ip=dhcp/",
    "net.eth1": "/^net1:/d",
    "mounts./data": "/^mp0:/s/backup=1/backup=0/",
    "mounts./data.size": "/^mp0:/s/size=1G/size=512M/",
    "mounts./one": "/mp=.one/d",
    "rootfs": "/^rootfs:/s/$/,mountoptions=noatime/",
    "rootfs.size": "/^rootfs:/s/size=1G/size=512M/",
    "rootfs.storage": "/^rootfs:/s/tank-disks/tank-more/",
    "raw.lxc.cap.drop": "/mac_override/d",
    "raw.lxc.apparmor.profile": "$a lxc.apparmor.profile: unconfined",
    "unprivileged": "/^unprivileged:/d",
    "description": "/^#/d",
    "tags": "/^tags:/s/ai;//",
}
"""How somebody edits the file: sed. Other settings are written otherwise, devices are taken out."""
HOT_BY_HAND = AT_ONCE | {"net.eth0", "net.eth1", "mounts./data.size", "mounts./one", "rootfs.size"}
"""What can be brought back into the running container; all else needs it to be started anew."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Containers.fresh(tmp_path_factory.mktemp("drift") / "site")
    made.apply()
    made.declare({"101-sample": {"lxc": EVERYTHING}})
    run = made.apply()
    assert (run.outcome.stuck, run.code) == ({}, ExitCode.OK)
    return made


@pytest.fixture(scope="module")
def lxc(site):
    return load(site.folder).resources[Ref(NODE, "lxc", "101")]


@pytest.fixture(scope="module")
def attributes(lxc):
    return list(conf.desired(lxc, frozenset()))


def by_hand(attribute):
    if attribute in BY_HAND:
        return BY_HAND[attribute]
    if attribute.startswith("devices."):
        path = attribute.removeprefix("devices.").replace("/", ".")
        return f"/^dev[0-9]*: {path}\\(,\\|$\\)/d"
    return f"s|^{attribute}: .*|{attribute}: {OTHERWISE[attribute]}|"


def declared():
    """The attributes by the declaration alone: tests are named before a node is made."""
    from phoenix_hypervisor.containers.devices import of_cards

    plain = [
        name
        for name in (*OTHERWISE, "unprivileged")
        if name in EVERYTHING or name in ("hostname", "unprivileged")
    ]
    several = [f"devices.{path}" for path in ("/dev/null", *of_cards([0]))]
    return plain + several + [name for name in BY_HAND if "." in name or name == "rootfs"]


def test_no_attribute_is_forgotten(attributes):
    assert sorted(set(declared())) == sorted(attributes)


def looked_at(site):
    """A plan, without a look for orphans: what is looked for here is there and declared."""
    return site.run(orphans=False)


def repaired(site, attribute, effect):
    """What an apply finds and plans is just that attribute; it repairs it, and then nothing differs."""
    run = site.apply(orphans=False)
    assert set(run.differences()) == {attribute}
    assert (run.plan.code, run.effect, run.reasons) == (ExitCode.PENDING, effect, [])
    assert (run.code, run.outcome.stuck) == (ExitCode.OK, {})
    assert [ran.title for ran in run.outcome.ran] == run.titles
    assert looked_at(site).nothing
    return run


@pytest.mark.parametrize("attribute", sorted(OTHERWISE))
def test_what_somebody_sets_with_proxmox_is_found_and_put_right(site, attribute):
    """What waits for a start is only taken back: nobody is interrupted for it."""
    site.on_node(f"pct set 101 --{attribute} {OTHERWISE[attribute]!r}")
    repaired(site, attribute, Effect.HOT)


@pytest.mark.parametrize("attribute", sorted(set(declared()) - REFUSED))
def test_what_somebody_writes_into_the_conf_is_found_and_put_right(site, attribute):
    site.on_node(f"sed -i '{by_hand(attribute)}' {CONF}")
    new = attribute in HOT_BY_HAND or attribute.startswith("devices.")
    repaired(site, attribute, Effect.HOT if new else Effect.RESTART)


@pytest.mark.parametrize("attribute", sorted(REFUSED))
def test_what_cannot_be_repaired_is_said_and_nothing_is_done(site, attribute):
    before = site.conf()
    site.on_node(f"sed -i '{by_hand(attribute)}' {CONF}")
    run = site.apply(orphans=False)
    assert (set(run.differences()), run.titles, run.code) == ({attribute}, [], ExitCode.FAILED)
    assert len(run.reasons) == 1
    site.on_node(f"cat >{CONF} <<'end'\n{before}end")
    assert looked_at(site).nothing


def test_a_container_that_somebody_stopped_is_started(site):
    site.on_node("pct stop 101")
    repaired(site, "power", Effect.HOT)


def test_a_folder_that_somebody_gave_away_gets_its_owner_back(site):
    site.on_node("chown 0:0 /tank/one")
    run = repaired(site, "owners./one", Effect.HOT)
    assert run.differences() == {"owners./one": ("0:0", "101000:101000")}


def test_what_is_not_declared_is_left_as_it_is(site):
    site.on_node(
        "pct set 101 --net7 name=eth7,bridge=vmbr0 --mp9 /tank/two,mp=/foreign --tags 'ai;phoenix;theirs;web'"
    )
    site.on_node(f"printf 'lxc.environment: THEIRS=1\\n' >>{CONF}")
    before = site.conf()
    assert looked_at(site).nothing
    site.on_node("pct set 101 --memory 100")
    repaired(site, "memory", Effect.HOT)
    assert site.conf() == before
