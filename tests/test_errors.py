"""What errors for users are made of."""

import pytest

from hf_procedural.errors import at_least, nearest


def test_nearest_names_as_many_as_are_asked_for_and_alike():
    known = ["sort", "sorting", "stack"]
    assert nearest("sortt", known) == ": did you mean sort?"
    assert nearest("sortt", known, most=2) == ": did you mean sort, sorting?"
    assert nearest("xyz", known) == ""
    assert nearest("stk", known, cutoff=0.9) == "" != nearest("stk", known, cutoff=0)


@pytest.mark.parametrize("value", [None, 1, 2.5])
def test_at_least_lets_pass_what_is_not_below_or_not_given(value):
    at_least("limit", value, 1)


@pytest.mark.parametrize("value", [0, -1, 0.5])
def test_at_least_says_argument_bound_and_value(value):
    with pytest.raises(ValueError) as error:
        at_least("limit", value, 1)
    assert str(error.value) == f"limit must be at least 1, got {value}"
