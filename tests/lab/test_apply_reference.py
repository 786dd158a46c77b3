"""The reference site, from a fresh node to a node that is as declared: plan, apply, plan, apply."""


def test_a_fresh_node_is_planned_applied_and_then_left_alone(whole):
    with whole.nothing_done():
        planned = whole.run("plan")
    assert planned.status == 2
    assert planned.out.splitlines()[-1] == "124 to create, 4 as declared; strongest effect: reload"
    before = whole.state()
    assert before["zpool"] == ""

    applied = whole.run("apply", "--yes")
    assert applied.status == 0, applied.err
    assert applied.out.splitlines()[-1] == "206 steps run; 128 resources as declared"

    with whole.nothing_done():
        again = whole.run("plan")
        twice = whole.run("apply", "--yes")
    assert (again.status, again.out, again.err) == (0, "128 resources as declared, nothing to do\n", "")
    assert (twice.status, twice.out, twice.err) == (0, "128 resources as declared, nothing to do\n", "")
