"""Cut at any point while containers are made, sealed, changed or removed: run again, and arrive."""

import re

import pytest
from tests.lab.containers import BASE
from tests.lab.running import Sort, statuses
from tests.lab.small import DATABASE, GUESTS, SmallSite
from tests.lab.test_apply_cuts import KILLED, content, wait_for

OF_ONE_LIFE = re.compile(r"(?<=hwaddr=)[0-9A-F:]{17}|(?<=snaptime: )\d+|(?<=subvol-...-disk-)\d")
"""What another container made the same way would have otherwise."""


@pytest.fixture(scope="module")
def _without_guests(_small_once, tmp_path_factory):
    site = SmallSite.fresh(tmp_path_factory.mktemp("cuts") / "site")
    for name in GUESTS:
        (site.folder / f"configs/guests/{name}.yaml").unlink()
    assert site.run("apply", "--yes").status == 0
    site.declare(GUESTS)
    return site


@pytest.fixture
def empty(_without_guests, tmp_path):
    """The small site on a node that has all but its containers."""
    return _without_guests.copy(tmp_path / "empty")


@pytest.fixture(scope="module")
def whole(_small_once):
    """What there is to see when nothing was cut."""
    return seen(_small_once)


def seen(site):
    return {
        name: OF_ONE_LIFE.sub("*", text)
        for name, text in site.all_of_it().items()
        if not name.startswith("pid ") and name != "storages"
    }


def each_once(state):
    return {name: "".join(dict.fromkeys(text.splitlines(keepends=True))) for name, text in state.items()}


def arrives(site, whole, *, cut_inside=False):
    """`cut_inside` a step of another lane: Proxmox may then have made a volume that no conf names yet."""
    applied = site.apply()
    assert (applied["exit"], applied["stuck"], statuses(applied)) == (0, {}, {})
    assert each_once(seen(site)) == each_once(whole)
    assert cut_inside or seen(site) == whole
    with site.nothing_done():
        assert site.run("apply", "--yes").status == 0


def test_killed_again_and_again_it_arrives_at_the_same_containers(empty, whole):
    """A chain: each run carries out a few acts, is killed before the next one, and the next run goes on."""
    at, before, kills = 12, content(empty), 0
    while True:
        empty.faults.clear()
        empty.fault(Sort.KILL, at)
        ran = empty.run("apply", "--yes")
        if ran.status != KILLED:
            break
        kills, after = kills + 1, content(empty)
        assert at < 60, f"no progress after {empty.all_acts()[-at:]}"
        # what comes before is done again, to no effect
        at = at + 6 if after == before else 12
        before = after
    empty.faults.clear()
    assert (ran.status, kills > 2) == (0, True), ran
    arrives(empty, whole, cut_inside=True)


HELD = """\
#!/bin/sh
hold() {
    [ "$(cat /root/hold 2>/dev/null)" = "$1" ] || return 0
    rm /root/hold
    : >/root/held
    sleep infinity
}
hold "before $1 $2"
/usr/local/sbin/pct.real "$@" || exit
hold "after $1 $2"
"""


def hold_pct(site):
    folder = site.node.root / "usr/local/sbin"
    (folder / "pct").rename(folder / "pct.real")
    (folder / "pct").write_text(HELD)
    (folder / "pct").chmod(0o755)


def killed_at(site, moment, *arguments):
    """Run, and kill it when `pct` is called as said, before or after it did its work."""
    root = site.node.root / "root"
    (root / "hold").write_text(moment + "\n")
    started = site.start("apply", "--yes", *arguments)
    wait_for(lambda: (root / "held").exists() or not started.alive)
    assert (root / "held").exists(), (moment, started.end())
    started.kill()
    assert started.end().status == KILLED
    (root / "held").unlink()


OF_LAYER = tuple(f"after {verb} 900" for verb in ("create", "set", "start", "shutdown", "snapshot"))
OF_CLONE = ("before clone 900", "after clone 900", "after mount 950", "after unmount 950", "after set 950")


def test_killed_in_the_middle_of_each_script_it_arrives_at_the_same_containers(empty, whole):
    """One lane at a time: a kill that meets another one may leave a volume that no conf names yet."""
    hold_pct(empty)
    for moment in OF_LAYER:
        killed_at(empty, moment, "--target", "base")
    assert empty.run("apply", "--yes", "--target", "base").status == 0
    for moment in OF_CLONE:
        killed_at(empty, moment, "--target", "web")
    arrives(empty, whole)


def test_killed_while_a_layer_is_cloned_the_next_run_frees_it_and_makes_the_clone(small):
    """Proxmox leaves a lock on the layer, a lock on half a clone, and nobody who will take them away."""
    small.on_node("cd /tank/disks/subvol-900-disk-0/srv && seq 2000 | xargs touch")
    small.on_node("pct delsnapshot 900 phoenix_layer")
    assert small.run("apply", "--yes").status == 0
    small.declare({"960-new": {"lxc": {"clone": "base"}}, "961-next": {"lxc": {"clone": "base"}}})
    started = small.start("apply", "--yes", "--target", "new")
    wait_for((small.node.root / "tank/disks/subvol-960-disk-0/srv").exists)
    started.kill()
    assert started.end().status == KILLED
    assert "lock: disk\n" in small.conf(900)
    assert "lock: create\n" in small.conf(960)
    applied = small.apply()
    assert (applied["exit"], applied["stuck"]) == (0, {})
    assert not any("lock:" in small.conf(vmid) for vmid in (900, 960, 961))


def test_killed_while_a_layer_is_sealed_the_next_run_seals_it(small):
    def half(text):
        snapshot = text.index("[phoenix_layer]")
        return "lock: snapshot\n" + text[:snapshot] + text[snapshot:].rstrip("\n") + "\nsnapstate: prepare\n"

    path = small.node.root / "etc/pve/nodes/pve1/lxc/900.conf"
    path.write_text(half(path.read_text()))
    applied = small.apply()
    assert (applied["exit"], applied["stuck"]) == (0, {})
    assert "lock" not in small.conf(900)
    assert "snapstate" not in small.conf(900)


def test_a_lock_of_a_snapshot_that_somebody_else_takes_is_left(small):
    small.declare({"900-base": {**GUESTS["900-base"], "lxc": {**BASE, "cores": 2, "lock_wait": 1}}})
    small.on_node("sed -i '1i lock: snapshot' /etc/pve/lxc/900.conf")
    small.on_node("printf '\\n[theirs]\\nsnapstate: prepare\\n' >>/etc/pve/lxc/900.conf")
    applied = small.apply()
    assert "is locked (snapshot) for more than 1 s" in applied["stuck"]["pve1/lxc:900"]
    assert "lock: snapshot\n" in small.conf(900)


@pytest.mark.parametrize("share", [0.2, 0.6])
def test_a_connection_lost_on_the_way_leaves_all_unknown_and_the_next_run_arrives(empty, whole, share):
    empty.fault(Sort.DROP, int(40 * share))
    ran = empty.run("apply", "--yes")
    assert ran.status == 3, ran
    assert "host `pve1`" in ran.out
    arrives(empty, whole)


def test_killed_while_a_container_goes_the_next_run_ends_it_and_its_volume_is_kept(small):
    small.on_node("echo kept >/tank/more/subvol-951-disk-0/file")
    small.change(DATABASE, state="absent")
    hold_pct(small)
    agreed = ("--allow-destroy", "lxc:951")
    for moment in ("before shutdown 951", "before destroy 951"):
        killed_at(small, moment, *agreed)
    applied = small.apply(*agreed)
    assert (applied["exit"], applied["stuck"]) == (0, {})
    assert small.on_node("cat /tank/more/subvol-951-disk-0/file") == "kept\n"
    small.declare({DATABASE: GUESTS[DATABASE]})
    for moment in ("after create 951", "before set 951", "after set 951"):
        killed_at(small, moment)
    assert small.run("apply", "--yes").status == 0
    assert "mp0: tank-more:subvol-951-disk-0,mp=/data" in small.conf(951)
    assert small.on_node("lxc-attach -n 951 --clear-env -- cat /data/file") == "kept\n"
    assert small.on_node("zfs list -Ho name -r tank/more").split() == [
        "tank/more",
        "tank/more/subvol-951-disk-0",
    ]


def test_killed_before_it_is_noted_as_ours_it_is_noted_by_the_next_run(small):
    """Else a mount would not go with the files."""
    more = {**GUESTS[DATABASE]["lxc"]["mounts"], "/two": {"source": "/tank/two"}}
    small.change(DATABASE, mounts=more)
    hold_pct(small)
    killed_at(small, "after set 951")
    assert small.run("apply", "--yes").status == 0
    small.change(DATABASE, restart="auto")
    assert small.run("apply", "--yes").status == 0
    assert "mp=/two" not in small.conf(951)
