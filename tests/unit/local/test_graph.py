"""Order among services."""

import pytest

from local.graph import dependents, start_layers, with_dependencies

NEEDS = {"postgres": [], "kafka": [], "connect": ["kafka"], "connector": ["connect", "postgres"]}


def test_services_start_in_layers_that_need_only_earlier_ones() -> None:
    """Independent services share a layer; each other one comes after all it needs."""
    assert start_layers(NEEDS) == [["kafka", "postgres"], ["connect"], ["connector"]]


def test_a_circle_is_refused_by_name() -> None:
    """Services that need each other can never start, and the message shows the circle."""
    with pytest.raises(ValueError, match=r"circle: (a -> b -> a|b -> a -> b)"):
        start_layers({"a": ["b"], "b": ["a"]})


def test_an_unknown_need_is_refused_by_name() -> None:
    """A need without a service is a mistake in the table, not an empty need."""
    with pytest.raises(ValueError, match="a needs nowhere, which is no service"):
        start_layers({"a": ["nowhere"]})


def test_a_selection_brings_what_it_needs_and_nothing_else() -> None:
    """Starting connect starts kafka too, and not PostgreSQL."""
    assert with_dependencies(NEEDS, ["connect"]) == {"connect", "kafka"}


def test_an_unknown_selection_names_the_known_services() -> None:
    """A misspelt service is answered with the list of right ones."""
    with pytest.raises(ValueError, match="no service 'kafak'; the services are postgres, kafka"):
        with_dependencies(NEEDS, ["kafak"])


def test_dependents_are_those_that_must_stop_first() -> None:
    """Only direct dependents count: theirs stop before them in turn."""
    assert dependents(NEEDS, "kafka") == {"connect"}
