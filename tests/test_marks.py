"""The marks that records and stored classes share."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, get_args

import pytest

from persistent_collections import formerly
from persistent_collections.marks import SAME_TYPE, former_of


def test_a_former_name_may_have_a_conversion_and_a_former_type() -> None:
    assert formerly("mail").convert is None
    lowered = formerly("mail", str.lower)
    assert (lowered.declared, lowered.convert) == (SAME_TYPE, str.lower)
    born = formerly("born", str, date.fromisoformat)
    assert (born.name, born.declared, born.convert) == ("born", str, date.fromisoformat)


def test_former_names_are_found_among_other_marks_in_their_order() -> None:
    marks = get_args(Annotated[str, "other", formerly("mail"), formerly("e_mail")])
    assert [mark.name for mark in former_of(marks)] == ["mail", "e_mail"]


def test_equal_marks_are_one() -> None:
    assert formerly("mail", str.lower) == formerly("mail", str.lower)
    assert len({formerly("mail"), formerly("mail")}) == 1
    assert Annotated[str, formerly("mail")] == Annotated[str, formerly("mail")]


@pytest.mark.parametrize("arguments", [(), ("",), (1,), ("mail", "x"), ("mail", str, "x"), ("mail", str, int, int)])
def test_anything_else_is_refused(arguments: tuple[Any, ...]) -> None:
    make: Any = formerly
    with pytest.raises(TypeError, match=r"formerly|argument"):
        make(*arguments)
