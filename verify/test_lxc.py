"""Containers: there, in their place, as declared, running or not, with what they need on the node."""

import shlex

import pytest

from phoenix_hypervisor.containers import changes, conf, devices, idmap, parts
from phoenix_hypervisor.containers import seen as sight
from phoenix_hypervisor.dialects import lxc_conf, vmlist

# Anything below 126 is the guest's own answer; above, nobody was asked.
ANSWERED = range(126)
ATTACH = "lxc-attach -n %s --clear-env -- /bin/sh -c %s"


def test_present(host, lxc):
    # one that a run of ours left half-made is made as if it were not there
    found = lxc.vmid in _confs(host) and _note(host, lxc).whole
    assert (lxc.vmid in _confs(host) if not lxc.present else found) == lxc.present


@pytest.mark.precondition
def test_place(host, lxc):
    """A VMID is there once in a cluster; somebody else's guest, or one on another node, is not replaced."""
    assert {"place": _place(host, lxc)} == {"place": ""}


@pytest.mark.precondition
def test_needs(host, lxc):
    """What it is to be given is there: devices nobody else brings, and folders of datasets that are there."""
    sources = {
        mount.source: max(
            given.key for given in lxc.given("path") if f"{mount.source}/".startswith(f"{given.key}/")
        )
        for mount in lxc.mounts.values()
        if mount.source
    }
    there = _stat(host, [*lxc.needed_devices, *sources, *sources.values()])
    wanted = [f"nodes.{path}" for path in lxc.needed_devices]
    wanted += [f"sources.{source}" for source, dataset in sources.items() if dataset in there]
    actual = {name: "there" if name.partition(".")[2] in there else "missing" for name in wanted}
    assert actual == dict.fromkeys(wanted, "there")


def test_foreign(host, lxc):
    """What we were to make is not changed when it is there already, by another name and by somebody else."""
    made = lxc.template or lxc.clone
    found = sight.stranger(_conf(host, lxc), lxc.own_hostname) if made else ""
    assert {"foreign": found} == {"foreign": ""}


def test_settings(host, lxc):
    noted = _note(host, lxc).parts
    assert conf.actual(lxc, _conf(host, lxc), noted) == conf.desired(lxc, noted)


def test_noted(host, lxc):
    """What it was given is noted as ours, or it would not go with the files."""
    note = _note(host, lxc)
    actual = note.parts & lxc.parts if note.origin else lxc.parts
    assert {"noted": sorted(actual)} == {"noted": sorted(lxc.parts)}


def test_power(host, lxc):
    actual = "running" if lxc.vmid in _running(host) else "stopped"
    assert {"power": actual} == {"power": lxc.power(_conf(host, lxc), _note(host, lxc).origin)}


def test_pending(host, lxc):
    """Nothing that is declared waits for the next start."""
    assert {"pending": conf.waiting(lxc, seen(host, lxc))} == {"pending": []}


def test_node(host, lxc):
    """Its devices and folders are there: without them it would not be started again."""
    wanted = [f"nodes.{path}" for path in lxc.needed_devices]
    wanted += [f"sources.{mount.source}" for mount in lxc.all_mounts.values() if mount.source]
    there = _stat(host, [name.partition(".")[2] for name in wanted])
    actual = {name: "there" if name.partition(".")[2] in there else "missing" for name in wanted}
    assert actual == dict.fromkeys(wanted, "there")


def test_delegated(host, lxc):
    """The node's root may hand out the ids of its map: else it does not start."""
    desired = {f"delegated.{file}": list(lines) for file, lines in lxc.delegated.items()}
    texts = {file: host.run_expect([0, 1], f"cat {file}").stdout for file in lxc.delegated}
    lost = {file: idmap.missing(texts[file], lines) for file, lines in lxc.delegated.items()}
    actual = {
        f"delegated.{file}": [line for line in lines if line not in lost[file]]
        for file, lines in lxc.delegated.items()
    }
    assert actual == desired


def test_owners(host, lxc):
    """Folders of the node that are mounted belong to whom they should inside."""
    folders = {target: mount.source for target, mount in lxc.mounts.items() if changes.owner(lxc, mount)}
    there = _stat(host, list(folders.values()))
    desired = {f"owners.{target}": changes.owner(lxc, lxc.mounts[target]) for target in folders}
    actual = {
        f"owners.{target}": _as_declared(there[source], desired[f"owners.{target}"])
        for target, source in folders.items()
        if source in there  # that one is missing is said elsewhere
    }
    assert actual == {name: owner for name, owner in desired.items() if name in actual}


def test_cards(host, lxc):
    """The driver numbers the cards in the order of their addresses; without a driver nothing is compared."""
    numbers = devices.minors_of(host.run_expect([0, 1, 2], sight.CARDS).stdout) if lxc.cards else {}
    desired = {f"cards.{pci}": minor for pci, minor in lxc.cards.items()}
    actual = {f"cards.{pci}": numbers.get(pci) if numbers else minor for pci, minor in lxc.cards.items()}
    assert actual == desired


@pytest.mark.notice
def test_stale(host, lxc):
    """What it was made from is another one by now; `phoenix recreate` builds it anew."""
    origin = _note(host, lxc).origin or lxc.origin  # of what we did not make, we do not know it
    assert {"made": origin} == {"made": lxc.origin}


@pytest.mark.probe
def test_ready(host, lxc):
    """Its shell answers, and what is declared as `ready` holds."""
    if lxc.power(_conf(host, lxc), _note(host, lxc).origin) == "stopped":
        pytest.skip("it should not run")
    address = host.run_expect([0], "lxc-info -n %s -iH", lxc.vmid).stdout.split() if lxc.ready.network else []
    answer = host.run_expect(ANSWERED, ATTACH, lxc.vmid, lxc.ready.command or ":")
    actual = {"shell": answer.rc, "network": bool(address)}
    assert actual == {"shell": 0, "network": lxc.ready.network}


@pytest.mark.probe
def test_mounted(host, lxc):
    """Every mount is there inside."""
    if lxc.power(_conf(host, lxc), _note(host, lxc).origin) == "stopped" or not lxc.all_mounts:
        pytest.skip("there is nothing to see")
    said = host.run_expect([0], ATTACH, lxc.vmid, "cat /proc/self/mounts").stdout
    there = {line.split()[1].replace("\\040", " ") for line in said.splitlines()}
    assert {target: target in there for target in lxc.all_mounts} == dict.fromkeys(lxc.all_mounts, True)


def seen(host, lxc):
    """The container as a whole: what steps depend on besides the differences."""
    vmid = lxc.vmid
    started = sight.lines_by_vmid(host.run_expect([0, 1, 2], sight.STARTED).stdout).get(vmid, "")
    rewritten = vmid in host.run_expect([0], sight.REWRITTEN).stdout.split()
    running = vmid in _running(host)
    window = lxc.restart_window is not None and parts.in_window(
        lxc.restart_window, host.run_expect([0], sight.CLOCK).stdout.strip()
    )
    text = _confs(host).get(vmid, "")
    return sight.Seen(text, running, started, rewritten, _note(host, lxc), window)


def owned(host):
    """Containers that carry our tag."""
    return {vmid for vmid, text in _confs(host).items() if sight.marked(lxc_conf.parse(text))}


def _confs(host):
    return lxc_conf.split_all(host.run_expect([0], lxc_conf.QUESTION).stdout)


def _conf(host, lxc):
    return lxc_conf.parse(_confs(host)[lxc.vmid])


def _note(host, lxc):
    return sight.note_of(host.run_expect([0, 1, 2], sight.NOTES).stdout, lxc.vmid)


def _running(host):
    return host.run_expect([0], sight.RUNNING).stdout.split()


def _place(host, lxc):
    """Who has the VMID, in words; empty if nobody has, or a container of ours that is half-made."""
    if lxc.vmid in _confs(host):
        return "a container on this node" if _note(host, lxc).whole else ""
    place = vmlist.parse(host.run_expect([0], vmlist.QUESTION).stdout).get(lxc.vmid)
    what = {"lxc": "a container", "qemu": "a virtual machine"}
    return f"{what.get(place.type, 'a guest')} on the node {place.node}" if place else ""


def _stat(host, paths):
    """uid and gid of those paths that are there."""
    if not paths:
        return {}
    asked = f"stat -L -c '%u:%g:%n' {shlex.join(dict.fromkeys(paths))}"
    lines = host.run_expect([0, 1], asked).stdout.splitlines()
    return {path: (uid, gid) for uid, gid, path in (line.split(":", 2) for line in lines)}


def _as_declared(found, wanted):
    """Of an owner, what is declared."""
    uid, _, gid = wanted.partition(":")
    return (found[0] if uid else "") + (f":{found[1]}" if gid else "")
