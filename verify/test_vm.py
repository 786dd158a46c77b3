"""Virtual machines: there, in their place, as declared, running or not, with what they need on the node."""

import json
import shlex

import pytest

from phoenix_hypervisor.containers import parts
from phoenix_hypervisor.dialects import qemu_conf, qemu_properties, vmlist
from phoenix_hypervisor.machines import cloud_init, conf
from phoenix_hypervisor.machines import seen as sight

# Of each PCI device below these folders: vendor and device, as the kernel numbers them.
NUMBERS = 'for one in %s; do [ ! -e "$one/vendor" ] || cat "$one/vendor" "$one/device" | paste -sd" " -; done'
PCI = "/sys/bus/pci/devices"


def test_present(host, vm):
    # one that a run of ours left half-made is made as if it were not there
    found = vm.vmid in _confs(host) and _note(host, vm).whole
    assert (vm.vmid in _confs(host) if not vm.present else found) == vm.present


@pytest.mark.precondition
def test_place(host, vm):
    """A VMID is there once in a cluster; somebody else's guest, or one on another node, is not replaced."""
    assert {"place": _place(host, vm)} == {"place": ""}


def test_foreign(host, vm):
    """What we were to make is not changed when it is there already, by another name and by somebody else."""
    found = sight.stranger(_conf(host, vm), vm.own_hostname) if vm.image else ""
    assert {"foreign": found} == {"foreign": ""}


def test_settings(host, vm):
    noted = _note(host, vm).parts
    wanted = {f"in_the_way.{key}": "" for key, address in vm.hosts_pci.items() if address}
    actual = conf.actual(vm, _conf(host, vm), noted) | {name: _user_of(host, vm, name) for name in wanted}
    assert actual == conf.desired(vm, noted) | wanted


def test_seed(host, vm):
    """Its user-data is what it was made with, passwords aside."""
    wanted = cloud_init.digest(vm.user_data) if vm.cloud_init else ""
    found = host.run_expect([0], cloud_init.without(vm.seed)).stdout.split()[0] if vm.cloud_init else ""
    assert {"seed": None if found == cloud_init.digest("") else found} == {"seed": wanted}


def test_noted(host, vm):
    """What it was given is noted as ours, or it would not go with the files."""
    note = _note(host, vm)
    actual = note.parts & vm.parts if note.origin else vm.parts
    assert {"noted": sorted(actual)} == {"noted": sorted(vm.parts)}


def test_power(host, vm):
    """It runs or not as declared, and nothing that is declared waits for its next start."""
    actual = "running" if vm.vmid in _running(host) else "stopped"
    waits = conf.waiting(vm, seen(host, vm))
    assert {"power": actual, "pending": waits} == {"power": vm.state, "pending": []}


@pytest.mark.notice
def test_stale(host, vm):
    """The image it was made from is another one by now; `phoenix recreate` builds it anew."""
    origin = _note(host, vm).origin or vm.origin  # of what we did not make, we do not know it
    assert {"made": origin} == {"made": vm.origin}


@pytest.mark.probe
def test_ready(host, vm):
    """Its agent answers, and what is declared as `ready` holds."""
    if vm.state == "stopped" or not vm.agent.enabled:
        pytest.skip("it should not run, or nobody sees inside")
    asked = f"qm guest exec {vm.vmid} --timeout 60 -- /bin/sh -c"
    answer = host.run_expect([0, 255], f"{asked} %s", vm.ready.command or ":")
    actual = {"agent": answer.rc == 0, "command": '"exitcode" : 0' in answer.stdout}
    assert actual == {"agent": True, "command": True}


@pytest.mark.probe
def test_first_start(host, vm):
    """cloud-init has finished, and had nothing to complain about."""
    if vm.state == "stopped" or not (vm.agent.enabled and vm.cloud_init):
        pytest.skip("there is nothing to see")
    answer = host.run_expect(
        [0, 255], f"qm guest exec {vm.vmid} --timeout 60 -- cat /run/cloud-init/result.json"
    )
    if answer.rc:
        pytest.skip("its agent does not answer: that is said elsewhere")
    assert {"errors": '\\"errors\\": []' in answer.stdout} == {"errors": True}


@pytest.mark.probe
def test_devices(host, vm):
    """What was given to it of the node's PCI devices is seen inside, with all its functions."""
    given = [address for address in vm.hosts_pci.values() if address]
    if vm.state == "stopped" or not (vm.agent.enabled and given):
        pytest.skip("there is nothing to see")
    places = " ".join(f"{PCI}/{address}{'' if '.' in address else '.*'}" for address in given)
    wanted = sorted(host.run_expect([0], NUMBERS % places).stdout.splitlines())
    asked = shlex.quote(NUMBERS % f"{PCI}/*")
    answer = host.run_expect([0, 255], f"qm guest exec {vm.vmid} --timeout 60 -- /bin/sh -c {asked}")
    if answer.rc:
        pytest.skip("its agent does not answer: that is said elsewhere")
    inside = json.loads(answer.stdout).get("out-data", "").splitlines()
    missing = [numbers for numbers in wanted if inside.count(numbers) < wanted.count(numbers)]
    assert {"seen": bool(wanted), "missing": missing} == {"seen": True, "missing": []}


def seen(host, vm):
    """The machine as a whole: what steps depend on besides the differences."""
    window = vm.restart_window is not None and parts.in_window(
        vm.restart_window, host.run_expect([0], sight.CLOCK).stdout.strip()
    )
    text = _confs(host).get(vm.vmid, "")
    started = sight.was_started(host.run_expect([0, 1, 2], sight.NOTES).stdout, vm.vmid)
    return sight.Seen(text, vm.vmid in _running(host), _note(host, vm), window, started)


def owned(host):
    """Machines that carry our tag, but for templates of images."""
    return {vmid for vmid, text in _confs(host).items() if sight.marked(qemu_conf.parse(text))}


def _confs(host):
    return qemu_conf.split_all(host.run_expect([0], qemu_conf.QUESTION).stdout)


def _conf(host, vm):
    return qemu_conf.parse(_confs(host)[vm.vmid])


def _note(host, vm):
    return sight.note_of(host.run_expect([0, 1, 2], sight.NOTES).stdout, vm.vmid)


def _user_of(host, vm, name):
    """Which other machine that runs has a PCI device of this one, in words; empty for none."""
    address = vm.hosts_pci[name.partition(".")[2]]
    for vmid, text in _confs(host).items():
        keys = qemu_conf.parse(text).keys if vmid != vm.vmid and vmid in _running(host) else {}
        for key, value in keys.items():
            has = key.startswith("hostpci") and qemu_properties.parse(key, value).get("host", "")
            if has and has.removeprefix("0000:") == address.removeprefix("0000:"):
                return f"the machine {vmid} has {address} at this moment"
    return ""


def _running(host):
    return sight.running(host.run_expect([0, 2], sight.RUNNING).stdout)


def _place(host, vm):
    """Who has the VMID, in words; empty if nobody has, or a machine of ours that is half-made."""
    if vm.vmid in _confs(host):
        return "a machine on this node" if _note(host, vm).whole else ""
    place = vmlist.parse(host.run_expect([0], vmlist.QUESTION).stdout).get(vm.vmid)
    what = {"lxc": "a container", "qemu": "a virtual machine"}
    return f"{what.get(place.type, 'a guest')} on the node {place.node}" if place else ""
