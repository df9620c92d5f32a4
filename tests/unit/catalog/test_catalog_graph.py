"""Chains and graphs: cycles, ranks that follow the recipients, concentration, shared fate."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.catalog.graph import (
    ChainLink,
    SharedFate,
    SharedKind,
    concentration,
    cycle,
    feeds_itself,
    ranks,
    reachable,
    shared_fate,
    top_of,
)


@pytest.mark.parametrize(
    ("edges", "ring"),
    [
        ({"a": ["b"], "b": ["c"]}, ()),
        ({"a": ["a"]}, ("a", "a")),
        ({"a": ["b"], "b": ["a"]}, ("a", "b", "a")),
        ({"a": ["x", "b"], "b": ["c"], "c": ["a"], "x": ["y"]}, ("a", "b", "c", "a")),
        ({"a": ["b"], "b": ["c"], "c": ["b"]}, ()),
    ],
)
def test_a_ring_is_shown_from_its_start_back_to_it(edges, ring):
    assert cycle(edges, "a") == ring


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=4), max_size=6))
def test_each_ring_shown_really_exists(edges):
    ring = cycle(edges, "a")
    if ring:
        assert ring[0] == ring[-1] == "a"
        assert all(there in edges[here] for here, there in pairwise(ring))
    else:
        assert all("a" not in edges.get(each, ()) for each in ["a", *reachable(edges, "a")])


def test_what_is_reachable_comes_nearest_first_and_once():
    assert reachable({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": ["a"]}, "a") == ["b", "c", "d"]


def test_the_rank_follows_the_tree_of_recipients():
    links = [
        ChainLink("3", "fiber", "hosting"),
        ChainLink("2", "hosting", "saas"),
        ChainLink("1", "saas", None),
        ChainLink("2b", "helpdesk", "saas"),
    ]
    assert ranks(links) == {"1": 1, "2": 2, "2b": 2, "3": 3}


def test_a_supplier_on_two_places_gives_what_hangs_below_it_the_nearer_rank():
    links = [ChainLink("a", "x", None), ChainLink("b", "y", "x"), ChainLink("c", "y", None), ChainLink("d", "z", "y")]
    assert ranks(links) == {"a": 1, "c": 1, "b": 2, "d": 2}


def test_a_link_that_hangs_on_nothing_has_no_rank():
    assert ranks([ChainLink("1", "saas", None), ChainLink("2", "x", "stranger")]) == {"1": 1}


def test_suppliers_that_deliver_to_each_other_are_a_ring():
    ring = feeds_itself([ChainLink("1", "a", None), ChainLink("2", "a", "b"), ChainLink("3", "b", "a")])
    assert ring == ("a", "b", "a")
    assert feeds_itself([ChainLink("1", "a", None), ChainLink("2", "b", "a")]) == ()


def test_the_ultimate_parent_is_the_end_of_the_line_even_in_a_broken_ring():
    assert top_of({"a": "b", "b": "c", "c": None}, "a") == "c"
    assert top_of({}, "a") == "a"
    assert top_of({"a": "b", "b": "a"}, "a") in {"a", "b"}


def test_concentration_counts_each_service_once_per_party():
    found = concentration([("s1", "a"), ("s1", "a"), ("s2", "a"), ("s3", "b")], frozenset({"s1", "s3"}))
    assert [(share.key, len(share.services), len(share.critical)) for share in found.shares] == [
        ("a", 2, 1),
        ("b", 1, 1),
    ]
    assert found.hhi == round((200 / 3) ** 2 + (100 / 3) ** 2)
    assert found.shares[0].share == pytest.approx(2 / 3)


def test_one_party_for_all_is_the_highest_concentration_and_none_the_lowest():
    assert concentration([("s1", "a"), ("s2", "a")], frozenset()).hhi == 10_000
    assert concentration([], frozenset()).hhi == 0


def test_what_both_sides_lean_on_is_shared_fate():
    one = {SharedKind.SUPPLIER: frozenset({"a"}), SharedKind.PARENT: frozenset({"top"}), SharedKind.DNS: frozenset()}
    other = {SharedKind.SUPPLIER: frozenset({"b"}), SharedKind.PARENT: frozenset({"top"})}
    assert shared_fate(one, other) == (SharedFate(SharedKind.PARENT, "top"),)
    assert shared_fate(one, {}) == ()


def test_one_supplier_on_both_sides_is_told_once_and_not_again_as_its_parent():
    side = {SharedKind.SUPPLIER: frozenset({"a"}), SharedKind.PARENT: frozenset({"a"})}
    assert shared_fate(side, side) == (SharedFate(SharedKind.SUPPLIER, "a"),)
