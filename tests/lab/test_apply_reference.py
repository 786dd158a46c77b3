"""The reference site, from a fresh node to a node that is as declared: plan, apply, plan, apply."""

from tests.lab.test_plan_trips import MOST, trips


def test_a_fresh_node_is_planned_and_applied_as_planned(whole, demonstrated):
    with whole.nothing_done():
        planned = whole.plan()
    assert planned["exit"] == 2
    assert whole.state()["zpool"] == ""

    said = demonstrated.said
    counted = said.after("phoenix plan").splitlines()[-1]
    assert counted == "152 to create, 4 as declared; strongest effect: restart"
    counted = said.after("phoenix apply --yes").splitlines()[-1]
    assert counted == "257 steps run; 156 resources as declared"
    assert (demonstrated.applied[-1]["event"], demonstrated.applied[-1]["exit"]) == ("end", 0)
    assert len(demonstrated.steps) == 257

    announced = {(one["resource"], step["title"]) for one in planned["entries"] for step in one["steps"]}
    guests = {
        (step["resource"], step["title"])
        for step in demonstrated.steps
        if "lxc" in step["resource"] or not step["resource"].startswith("phoenix/")
    }
    assert guests - announced == set()


def test_then_nothing_is_left_to_do(whole_converged):
    """The demonstration's own health check agreed: else it had stopped there."""
    with whole_converged.nothing_done():
        planned = whole_converged.plan()
        applied = whole_converged.run("apply", "--yes", "-v")
    assert (planned["exit"], planned["entries"], planned["orphans"], planned["notices"]) == (0, [], [], {})
    assert (applied.status, applied.out) == (0, "156 resources as declared, nothing to do\n")
    assert trips(applied.err) <= MOST  # all state checks and all probes, of the node and of all guests
