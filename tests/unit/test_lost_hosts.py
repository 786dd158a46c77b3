"""A host that is lost is said once, not once for each of its resources."""

from phoenix_hypervisor.converge.engine import Outcome
from phoenix_hypervisor.errors import ExitCode, HostError
from phoenix_hypervisor.inspect.looks import Look, Status
from phoenix_hypervisor.observe.screen import outcome_lines
from phoenix_hypervisor.resource import Ref

GONE = HostError("host `b`: the connection broke: the connection ended", hint="look at it")


def outcome():
    looks = {ref: Look(ref, Status.OK) for ref in (Ref("a", "zfs_pool", "tank"), Ref("a", "zfs_arc", "a"))}
    for name in ("one", "two"):
        ref = Ref("b", "zfs_pool", name)
        looks[ref] = Look(ref, Status.UNKNOWN, reasons=(GONE.message,))
    return Outcome(looks, lost={"b": GONE})


def test_a_host_lost_on_the_way_is_one_line_with_its_hint():
    assert "\n".join(outcome_lines(outcome())) == (
        "? host `b`: the connection broke: the connection ended\n"
        "  hint: look at it\n"
        "0 steps run; 2 resources as declared, 2 not"
    )
    assert outcome().code is ExitCode.UNKNOWN


def test_what_the_plan_has_said_is_not_said_again():
    assert list(outcome_lines(outcome(), ["b"])) == ["0 steps run; 2 resources as declared, 2 not"]
