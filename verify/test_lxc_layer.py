"""Layers: sealed, as declared, with the fingerprint of what clones take over."""

from typing import NamedTuple

import pytest

from phoenix_hypervisor.containers.fingerprint import SNAPSHOT, seal
from phoenix_hypervisor.containers.seen import NOTES as ORIGINS
from phoenix_hypervisor.containers.seen import note_of
from phoenix_hypervisor.dialects import lxc_conf
from phoenix_hypervisor.resource import made

NOTES = f"grep -sH '' {made('lxc_layer', '*')} || :"
SIGN = seal("")


class Seal(NamedTuple):
    """A container's seal: how it is sealed, and what the seal says."""

    mode: str
    sign: str


class Sight(NamedTuple):
    """What the steps depend on: how it is sealed, if it is, and the fingerprint that its seal should have."""

    mode: str
    fingerprint: str


def test_present(host, lxc_layer):
    assert (_seal(host, lxc_layer.name) is not None) == lxc_layer.present


@pytest.mark.precondition
def test_may_be_sealed(host, lxc_layer):
    """A snapshot of that name that somebody else made is not ours to remove, and a template is finished."""
    conf = _confs(host).get(lxc_layer.name, lxc_conf.parse(""))
    snapshot = conf.snapshots.get(SNAPSHOT)
    theirs = f"somebody else made its snapshot {SNAPSHOT}"
    found = theirs if snapshot is not None and not snapshot.description.startswith(SIGN) else ""
    found = "somebody else made it a template" if conf.keys.get("template") == "1" else found
    assert {"foreign": found} == {"foreign": ""}


def test_mode(host, lxc_layer):
    assert _seal(host, lxc_layer.name).mode == lxc_layer.mode


def test_fingerprint(host, lxc_layer):
    assert _seal(host, lxc_layer.name).sign.removeprefix(SIGN) == _expected(host, lxc_layer)


def seen(host, lxc_layer):
    """How it is sealed now, for a template cannot be changed, and what its seal should say."""
    found = _seal(host, lxc_layer.name)
    return Sight(found.mode if found else "", _expected(host, lxc_layer))


def owned(host):
    """Containers with a seal of ours."""
    return {vmid for vmid in _confs(host) if _seal(host, vmid)}


def _expected(host, lxc_layer):
    origin = note_of(host.run_expect([0, 1, 2], ORIGINS).stdout, lxc_layer.name).origin
    return lxc_layer.fingerprint_with(origin)


def _seal(host, vmid):
    """The seal of a container; None for one that has none of ours, or a snapshot cut in the middle."""
    conf = _confs(host).get(vmid)
    if conf is None:
        return None
    if conf.keys.get("template") == "1":
        noted = dict(line.split(":", 1) for line in host.run_expect([0], NOTES).stdout.splitlines())
        sign = noted.get(made("lxc_layer", vmid))
        return Seal("template", sign) if sign else None
    found = conf.snapshots.get(SNAPSHOT)
    whole = found is not None and found.description.startswith(SIGN) and "snapstate" not in dict(found.keys)
    return Seal("snapshot", found.description) if whole else None


def _confs(host):
    said = host.run_expect([0], lxc_conf.QUESTION).stdout
    return {vmid: lxc_conf.parse(text) for vmid, text in lxc_conf.split_all(said).items()}
