"""What comes before what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoenix_hypervisor.graph import Loop, closure, order

nodes = st.integers(0, 12)
graphs = st.dictionaries(nodes, st.lists(nodes, max_size=4), max_size=12)
without_loops = st.dictionaries(nodes, st.lists(nodes, max_size=4), max_size=12).map(
    lambda needs: {node: [need for need in found if need < node] for node, found in needs.items()}
)


@given(without_loops)
def test_everything_comes_once_and_after_what_it_needs(needs: dict[int, list[int]]) -> None:
    found = order(needs)
    assert sorted(found) == sorted(needs)
    late = [
        (node, need)
        for node in needs
        for need in needs[node]
        if need in needs and found.index(need) > found.index(node)
    ]
    assert late == []


@given(graphs)
def test_either_there_is_an_order_or_a_true_loop_is_shown(needs: dict[int, list[int]]) -> None:
    try:
        found = order(needs)
    except Loop as loop:
        steps = list(zip(loop.path, loop.path[1:], strict=False))
        assert (len(steps) >= 1, loop.path[0]) == (True, loop.path[-1])  # noqa: PT017
        assert [step for step in steps if step[1] not in needs[step[0]]] == []
    else:
        assert sorted(found) == sorted(needs)


@given(without_loops, st.lists(nodes, max_size=3))
def test_a_closure_is_the_starts_and_all_they_need(needs: dict[int, list[int]], starts: list[int]) -> None:
    found = closure(starts, needs)
    again = set(starts) | {need for node in found for need in needs.get(node, ())}
    assert found == again


def test_what_needs_nothing_keeps_its_order() -> None:
    assert order({"c": [], "a": [], "b": ["a"], "d": []}) == ["c", "a", "b", "d"]


def test_what_is_needed_and_unknown_is_left_out() -> None:
    assert order({"a": ["x"]}) == ["a"]


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        ({"a": ["a"]}, "a → a"),
        ({"a": ["b"], "b": ["c"], "c": ["a"]}, "a → b → c → a"),
        ({"a": ["b"], "b": ["c"], "c": ["b"]}, "b → c → b"),
        ({"x": [], "a": ["x", "b"], "b": ["x", "a"]}, "a → b → a"),
    ],
)
def test_a_loop_is_shown_from_start_to_start(needs: dict[str, list[str]], said: str) -> None:
    with pytest.raises(Loop) as caught:
        order(needs)
    assert str(caught.value) == said


def test_chains_may_be_longer_than_the_recursion_limit() -> None:
    needs = {n: [n + 1] for n in range(20_000)}
    assert order(needs) == list(reversed(range(20_000)))
    assert closure([0], needs) == set(range(20_001))
