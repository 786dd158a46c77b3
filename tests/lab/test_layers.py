"""Layers: sealed when finished, sealed anew when they change, and never made newer than they are."""

import pytest
from tests.lab.containers import BASE, Containers

from phoenix_hypervisor.errors import ExitCode

LOWER, UPPER, WORK = "900-lower", "901-upper", "950-work"


def guests(lower="1", upper="1", **further):
    """A layer, a layer on it, and a workload on that; the words are the contents of the layers' files."""
    return {
        LOWER: {"lxc": BASE, "lxc_layer": {}, "host_file": {"/etc/lower": {"content": lower}}},
        UPPER: {
            "lxc": {"clone": "lower"},
            "lxc_layer": {},
            "host_file": {"/etc/upper": {"content": upper}},
        },
        WORK: {"lxc": {"clone": "upper", "memory": "128M"}},
        **further,
    }


class Stack(Containers):
    """The site, and what its containers say."""

    def seal(self, vmid):
        lines = self.conf(vmid).partition("[phoenix_layer]\n")[2].splitlines()
        return next((line.removeprefix("#phoenix ") for line in lines if line.startswith("#")), "")

    def origin(self, vmid):
        return self.on_node(f"cat /var/lib/phoenix/made/lxc/{vmid}").strip()

    def running(self):
        return self.on_node("lxc-ls --running -1").split()

    @property
    def notes(self):
        return {vmid: self.origin(vmid) for vmid in ("901", "950")}


@pytest.fixture(scope="module")
def _made(tmp_path_factory):
    site = Stack(Containers.fresh(tmp_path_factory.mktemp("layers") / "site").folder)
    site.declare(guests())
    run = site.apply()
    assert (run.code, run.outcome.stuck) == (ExitCode.OK, {})
    return site


@pytest.fixture
def site(_made, tmp_path):
    return Stack(_made.copy(tmp_path / "site").folder)


def test_finished_layers_rest_and_their_clones_know_their_seals(site):
    assert site.running() == ["950"]
    assert site.notes == {"901": f"from 900 {site.seal('900')}", "950": f"from 901 {site.seal('901')}"}
    assert site.run().nothing
    assert site.run().notices == []


def test_a_changed_layer_is_sealed_anew_and_those_above_keep_their_seals(site):
    before, notes = {vmid: site.seal(vmid) for vmid in ("900", "901")}, site.notes
    site.declare(guests(lower="2"))
    run = site.apply()
    assert (run.code, run.outcome.stuck) == (ExitCode.OK, {})
    acted = [str(step.ref) for step in run.outcome.ran]
    assert acted == ["lxc:900", "host_file:/etc/lower", "lxc_layer:900"]
    assert site.seal("900") != before["900"]
    assert (site.seal("901"), site.notes) == (before["901"], notes)
    assert site.running() == ["950"]
    again = site.run()
    assert again.nothing
    # both were made of what is older than the files: the workload too, though its own layer has not changed
    assert len(again.notices) == 2


def test_a_new_seal_makes_nothing_newer_than_it_is(site):
    """The upper layer changes too: its clones are still told that the lower one in it is old."""
    site.declare(guests(lower="2"))
    site.apply()
    before = site.seal("901")
    site.declare(guests(lower="2", upper="2"))
    run = site.apply()
    assert (run.code, [str(step.ref) for step in run.outcome.ran]) == (
        ExitCode.OK,
        ["lxc:901", "host_file:/etc/upper", "lxc_layer:901"],
    )
    assert site.seal("901") != before
    site.declare(guests(lower="2", upper="2", **{"951-more": {"lxc": {"clone": "upper"}}}))
    run = site.apply()
    assert run.code is ExitCode.OK
    assert site.origin("951") == f"from 901 {site.seal('901')}"
    assert site.on_node("lxc-attach -n 951 --clear-env -- cat /etc/lower /etc/upper") == "12"
    assert len(site.run().notices) == 3


def test_a_layer_whose_seal_somebody_removed_is_sealed_again(site):
    before = site.seal("900")
    site.on_node("pct delsnapshot 900 phoenix_layer")
    run = site.apply()
    assert (run.code, run.outcome.stuck, site.seal("900")) == (ExitCode.OK, {}, before)
    assert site.running() == ["950"]


def test_somebody_else_s_snapshot_of_that_name_is_not_removed(site):
    site.on_node("pct delsnapshot 900 phoenix_layer; pct snapshot 900 phoenix_layer --description mine")
    run = site.apply()
    assert run.code is ExitCode.FAILED
    assert run.reasons == ["lower: somebody else made its snapshot phoenix_layer"]
    assert site.conf("900").count("#mine\n") == 1


def test_a_seal_that_was_cut_in_the_middle_is_made_again(site):
    conf = "/etc/pve/lxc/900.conf"
    site.on_node(f"sed -i 's/^snaptime: .*/&\\nsnapstate: prepare/' {conf}")
    run = site.apply()
    assert (run.code, run.outcome.stuck) == (ExitCode.OK, {})
    assert "snapstate" not in site.conf("900")
