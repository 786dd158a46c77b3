"""The reference site, from a fresh node to a node that is as declared: plan, apply, plan, apply."""

from tests.lab.test_plan_trips import MOST, trips


def test_a_fresh_node_is_planned_applied_and_then_left_alone(whole):
    with whole.nothing_done():
        planned = whole.run("plan")
    assert planned.status == 2
    assert planned.out.splitlines()[-1] == "138 to create, 4 as declared; strongest effect: restart"
    before = whole.state()
    assert before["zpool"] == ""

    applied = whole.run("apply", "--yes")
    assert applied.status == 0, applied.err
    assert applied.out.splitlines()[-1] == "234 steps run; 142 resources as declared"

    with whole.nothing_done():
        again = whole.run("plan")
        twice = whole.run("apply", "--yes", "-v")
    assert (again.status, again.out, again.err) == (0, "142 resources as declared, nothing to do\n", "")
    assert (twice.status, twice.out) == (0, "142 resources as declared, nothing to do\n")
    assert trips(twice.err) <= MOST  # all state checks and all probes, of the node and of all guests
