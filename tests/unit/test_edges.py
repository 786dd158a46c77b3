"""Offers of other hosts: of the node, of the whole site; and coming after others without needing them."""

from collections.abc import Iterable

from phoenix_hypervisor.config.edges import Edges, Surroundings, connect
from phoenix_hypervisor.config.tree import Tree
from phoenix_hypervisor.errors import Problem, Where
from phoenix_hypervisor.resource import EVERY, Kind, Offer, Ref, Want

DRIVER = Ref("pve", "driver", "driver")
A, B, GATE = Ref("a", "server", "chat"), Ref("b", "server", "embed"), Ref("gate", "gateway", "gate")


class Driver(Kind):
    version: str = "1"

    def provides(self) -> Iterable[Offer]:
        yield Offer("driver", "version", self.version)


class Server(Kind):
    after: str = ""

    def provides(self) -> Iterable[Offer]:
        yield Offer("service", self.name, f"serves {self.name}")

    def consumes(self) -> Iterable[Want]:
        yield Want("driver", "version", "version", "no driver on its node", where="node", exact=True)
        if self.after:
            yield Want("service", self.after, "after", "", where="site", soft=True, exact=True)


class Gateway(Kind):
    def provides(self) -> Iterable[Offer]:
        yield Offer("service", "gate")

    def consumes(self) -> Iterable[Want]:
        yield Want("service", EVERY, "name", "", where="site", soft=True)


def joined(resources: dict[Ref, Kind]) -> tuple[Edges, list[Problem]]:
    problems: list[Problem] = []
    places = {ref: Tree({}, Where("configs/x.yaml", 1, 1)) for ref in resources}
    around = Surroundings({"a": "pve", "b": "pve", "gate": "pve"})
    return connect(resources, places, problems, around), problems


def test_a_guest_needs_what_its_node_offers_and_gets_its_value() -> None:
    server = Server(name="chat")
    edges, problems = joined({A: server, DRIVER: Driver(name="driver", version="580")})
    assert (edges.needs[A], problems) == ((DRIVER,), [])
    assert [(one.value, one.ref) for one in server.given("driver")] == [("580", DRIVER)]


def test_what_the_node_does_not_offer_is_missing() -> None:
    _, problems = joined({A: Server(name="chat")})
    assert [str(one) for one in problems] == ["configs/x.yaml:1:1: server:chat: no driver on its node"]


def test_every_offer_of_the_site_is_given_but_ones_own_and_needed_by_nobody() -> None:
    gate = Gateway(name="gate")
    edges, problems = joined(
        {
            GATE: gate,
            A: Server(name="chat"),
            B: Server(name="embed", state="absent"),
            DRIVER: Driver(name="d"),
        }
    )
    assert (edges.needs[GATE], edges.after, problems) == ((), {GATE: (A,)}, [])
    assert edges.ordered.index(A) < edges.ordered.index(GATE)
    assert [(one.key, one.value, one.ref) for one in gate.given("service")] == [("chat", "serves chat", A)]


def test_coming_after_each_other_contradicts_itself_and_the_first_wish_holds() -> None:
    servers = {A: Server(name="chat", after="embed"), B: Server(name="embed", after="chat")}
    edges, problems = joined({**servers, DRIVER: Driver(name="d")})
    assert (edges.after, problems) == ({A: (B,)}, [])
    assert edges.ordered.index(B) < edges.ordered.index(A)
