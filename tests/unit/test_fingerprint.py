"""Fingerprints of layers: what they are of, and that a node can tell them too."""

import shlex

import pytest

from phoenix_hypervisor.containers import fingerprint
from phoenix_hypervisor.process import run

SETTINGS = {"memory": 1024, "gpus": ("gpu0",), "tags": frozenset({"b", "a"}), "hostname": "x", "net": {}}


@pytest.mark.parametrize("change", [{"memory": 2048}, {"gpus": ()}, {"raw": {"lxc.cap.drop": ("x",)}}])
def test_what_clones_take_over_makes_another_one(change: dict) -> None:
    assert fingerprint.own({**SETTINGS, **change}, "c") != fingerprint.own(SETTINGS, "c")


@pytest.mark.parametrize(
    "change",
    [{"hostname": "y"}, {"onboot": True}, {"net": {"eth0": {}}}, {"state": "stopped"}, {"after": ("x",)}],
)
def test_how_a_layer_itself_is_run_does_not(change: dict) -> None:
    assert fingerprint.own({**SETTINGS, **change}, "c") == fingerprint.own(SETTINGS, "c")


def test_what_is_inside_and_what_is_below_make_another_one() -> None:
    one = fingerprint.own(SETTINGS, "c")
    assert one != fingerprint.own(SETTINGS, "d")
    assert fingerprint.joined(one, "") != fingerprint.joined(one, "0123456789abcdef")


def test_sets_have_no_order() -> None:
    again = {**SETTINGS, "tags": frozenset({"a", "b"})}
    assert fingerprint.own(again, "c") == fingerprint.own(SETTINGS, "c")


def test_a_node_computes_the_same() -> None:
    own, parent = fingerprint.own(SETTINGS, "c"), "0123456789abcdef"
    said = run(["sh", "-c", f"printf '%s:%s' {shlex.quote(own)} {parent} | sha256sum | cut -c1-16"]).stdout
    assert said.decode().strip() == fingerprint.joined(own, parent)


@pytest.mark.parametrize(
    ("origin", "parent"),
    [("from 900 abc", "abc"), ("from iso:vztmpl/x.tar.zst", ""), ("", "declared"), ("from base", "")],
)
def test_a_note_says_what_a_layer_was_cloned_from(origin: str, parent: str) -> None:
    assert fingerprint.cloned_from(origin, "declared") == parent
