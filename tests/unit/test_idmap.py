"""Shared ids: solved into a map, named where they contradict each other, and read back."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoenix_hypervisor.containers import idmap
from phoenix_hypervisor.containers.idmap import BASE, RANGE, IdMap, Span


def test_one_shared_user_and_group() -> None:
    found = idmap.solve({1000: 1000}, {1000: 1000, 44: 44})
    assert idmap.lines(found) == (
        "u 0 100000 1000",
        "u 1000 1000 1",
        "u 1001 101001 64535",
        "g 0 100000 44",
        "g 44 44 1",
        "g 45 100045 955",
        "g 1000 1000 1",
        "g 1001 101001 64535",
    )
    assert idmap.delegated(found) == (
        ("root:100000:65536", "root:1000:1"),
        ("root:100000:65536", "root:44:1", "root:1000:1"),
    )
    assert found.mapped(1000, 44) == (1000, 44)
    assert found.mapped(0, 1001) == (100000, 101001)
    assert found.mapped(65535, 65536) == (165535, None)
    assert found.seen(1000, 100000) == (1000, 0)
    assert found.seen(101000, 0) == (None, None)


def test_neighbours_are_one_piece() -> None:
    found = idmap.solve({1000: 2000, 1001: 2001, 1002: 2003, 65535: 7}, {})
    assert idmap.lines(found) == (
        "u 0 100000 1000",
        "u 1000 2000 2",
        "u 1002 2003 1",
        "u 1003 101003 64532",
        "u 65535 7 1",
        "g 0 100000 65536",
    )


def test_nothing_shared_is_what_proxmox_does_anyway() -> None:
    assert idmap.solve({}, {}) == idmap.DEFAULT == idmap.read([], unprivileged=True)
    assert idmap.lines(idmap.DEFAULT) == idmap.lines(idmap.SAME) == ()
    assert idmap.DEFAULT.mapped(0, 65535) == (100000, 165535)


def test_a_privileged_container() -> None:
    same = idmap.read([], unprivileged=False)
    assert same.mapped(0, 1000) == (0, 1000)
    assert same.seen(4294967294, 5) == (4294967294, 5)
    assert idmap.delegated(same) == ((), ())
    # Proxmox takes the lines of a privileged container too
    assert idmap.read(["u 0 5 10", "g 0 5 10"], unprivileged=False).mapped(1, 2) == (6, 7)


@pytest.mark.parametrize(
    ("shared", "said"),
    [
        ({1000: 1000, 1001: 1000}, "container ids 1000 and 1001 cannot both be node id 1000"),
        ({1000: 101000}, "node id 101000 lies in 100000 to 165535, where the containers' own ids are"),
        ({1000: 165535}, "node id 165535 lies in"),
        ({65536: 7}, "container id 65536 is outside of 0 to 65535"),
        ({-1: 7}, "container id -1 is outside of 0 to 65535"),
        ({5: -7}, "node id -7 is outside of 1 to 4294967294"),
        ({5: 2**32 - 1}, "node id 4294967295 is outside of 1 to 4294967294"),
        ({0: 1000}, "container id 0 must stay node id 100000"),
        ({1000: 0}, "container id 1000 would be the node's root"),
        ({n: n for n in range(2, 2000, 2) if n < 400}, "that makes 399 pieces, and the kernel takes 340"),
    ],
)
def test_conflicts_are_named(shared: dict[int, int], said: str) -> None:
    assert [why for why in idmap.conflicts(shared) if said in why]
    with pytest.raises(ValueError, match="gids: ") as told:
        idmap.solve({}, shared)
    assert said in str(told.value)


@pytest.mark.parametrize("shared", [{1000: 99999}, {1: 1}, {65535: 165536}, {1000: 2**32 - 2}])
def test_the_edges_are_allowed(shared: dict[int, int]) -> None:
    assert list(idmap.conflicts(shared)) == []


def test_all_conflicts_are_told_at_once() -> None:
    with pytest.raises(ValueError) as told:
        idmap.solve({1: 0, 2: 100001}, {65536: 65536})
    assert str(told.value).count("; ") == 2


@pytest.mark.parametrize(
    "value", ["", "u 0 100000", "x 0 100000 65536", "u 0 100000 65536 1", "u -1 1 1", "u a b c"]
)
def test_what_is_no_map_is_told(value: str) -> None:
    with pytest.raises(ValueError, match="is not `u` or `g` and three numbers"):
        idmap.read([value], unprivileged=True)


def test_a_map_in_another_order_and_in_more_pieces_is_the_same() -> None:
    values = ["g 1000 101000 64536", "u 1001 101001 64535", "u 0 100000 500", "u 500 100500 500"]
    values += ["g 0 100000 1000", "u  1000 1000\t1"]
    assert idmap.read(values, unprivileged=True) == idmap.solve({1000: 1000}, {})


def test_maps_that_were_not_solved_from_shared_ids() -> None:
    assert idmap.shared_ids((Span(0, 100000, 1000),)) is None
    assert idmap.shared_ids((Span(0, 200000, 65536),)) is None
    assert idmap.shared_ids(()) is None
    assert idmap.shared_ids(idmap.ALL) is None
    assert idmap.shared_ids(idmap.DEFAULT.uids) == {}


def test_what_is_missing_in_subuid() -> None:
    needed = idmap.delegated(idmap.solve({1000: 1000, 1001: 1001, 33: 33}, {})).subuid
    assert needed == ("root:100000:65536", "root:33:1", "root:1000:2")
    text = "# by hand\nroot:100000:65536\nsomebody:1000:2\nroot:30:10\nroot:1000:1\nroot:1001:1\nroot:x:1\n"
    assert idmap.missing(text, needed) == ("root:1000:2",)
    assert idmap.missing("0:0:4294967295\n", needed) == ()
    assert idmap.missing("", needed) == needed


inside = st.integers(1, RANGE - 1)
outside = st.integers(1, BASE - 1) | st.integers(BASE + RANGE, 2**32 - 2)


@st.composite
def shares(draw: st.DrawFn) -> dict[int, int]:
    """Ids that can be shared: single ones and runs of neighbours."""
    found: dict[int, int] = {}
    for first, host in draw(st.lists(st.tuples(inside, outside), max_size=8)):
        for step in range(draw(st.integers(1, 4))):
            found[first + step] = host + step
    unique = {host: guest for guest, host in found.items() if 0 < guest < RANGE}
    return {guest: host for host, guest in unique.items() if host < BASE or BASE + RANGE <= host < 2**32 - 1}


@given(shares(), shares())
def test_a_solved_map_reads_back_and_maps_every_id_once(uids: dict[int, int], gids: dict[int, int]) -> None:
    found = idmap.solve(uids, gids)
    assert idmap.read(idmap.lines(found), unprivileged=True) == found
    assert (idmap.shared_ids(found.uids), idmap.shared_ids(found.gids)) == (uids, gids)
    for spans, shared in ((found.uids, uids), (found.gids, gids)):
        assert sum(span.length for span in spans) == RANGE
        whole = IdMap(spans, spans)
        for guest in {0, 1, RANGE - 1, *shared, *(guest + 1 for guest in shared if guest + 1 < RANGE)}:
            host = shared.get(guest, BASE + guest)
            assert whole.mapped(guest, guest) == (host, host)
            assert whole.seen(host, host) == (guest, guest)


@given(
    st.dictionaries(
        st.integers(-5, 5) | inside, st.integers(-5, 5) | outside | st.integers(BASE - 2, BASE + 2)
    )
)
def test_what_is_solved_has_no_overlap_and_what_is_not_is_told(shared: dict[int, int]) -> None:
    told = list(idmap.conflicts(shared))
    if told:
        with pytest.raises(ValueError, match="uids"):
            idmap.solve(shared, {})
        return
    spans = sorted((span.outside, span.length) for span in idmap.solve(shared, {}).uids)
    assert all(first + length <= following for (first, length), (following, _) in pairwise(spans))
    assert idmap.missing("root:0:4294967295", idmap.delegated(idmap.solve(shared, {})).subuid) == ()


@given(shares())
def test_the_needed_lines_are_enough_and_all_needed(shared: dict[int, int]) -> None:
    needed = idmap.delegated(idmap.solve(shared, {})).subuid
    assert idmap.missing("\n".join(needed), needed) == ()
    assert set(idmap.missing("\n".join(needed[1:]), needed)) == {needed[0]}
