"""Classes that are defined again, as when a cell of a notebook is run twice, and classes that were renamed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from persistent_collections import Backend, EncodeError, Record, UnknownFieldError

IMPORTS = "from dataclasses import dataclass\nfrom persistent_collections import PersistentList, Record, child\n"
ADDRESS = "@dataclass(frozen=True)\nclass Address:\n    street: str\n"
USER = (
    "class Hacker(Record):\n"
    "    name: str\n"
    "    address: Address | None\n"
    "    boss: 'Hacker | None' = None\n"
    "    friends: PersistentList['Hacker'] = child()\n"
)
Run = Callable[[str], Any]


@pytest.fixture
def run(store: Backend) -> Iterator[Run]:
    """Give what runs a cell of a notebook, and returns its namespace."""
    notebook = ModuleType("notebook_of_a_test")
    sys.modules[notebook.__name__] = notebook

    def run(cell: str) -> Any:
        exec(compile(cell, "<cell>", "exec"), vars(notebook))
        return notebook

    run(IMPORTS)
    yield run
    del sys.modules[notebook.__name__]


def test_a_cell_may_be_run_twice(run: Run) -> None:
    first = run(ADDRESS + USER).Hacker
    luke = first.create("luke", name="Luke", address=run("").Address("x"))
    han = first.create("han", name="Han", boss=luke)
    luke.friends.append(han)
    notebook = run(ADDRESS + USER)
    again = notebook.Hacker
    assert again is not first
    assert again.load("luke") == luke
    assert again.load("luke").address == notebook.Address("x")
    assert again.load("han").boss.name == han.boss.name == "Luke"
    han.boss = again.load("luke")
    again.load("han").boss = luke
    again.load("luke").friends.append(luke)
    assert luke.friends[:] == again.load("luke").friends[:] == [han, luke]


def test_a_cell_may_be_changed(run: Run) -> None:
    first = run(ADDRESS + USER).Hacker
    luke = first.create("luke", name="Luke")
    han = first.create("han", name="Han", boss=luke)
    again = run(USER + "    age: int = 7\n").Hacker
    assert again.load("han").boss.age == 7
    assert luke.name == han.boss.name == "Luke"
    with pytest.raises(UnknownFieldError, match="no field 'age' in Hacker"):
        _ = luke.age


def test_a_value_of_a_class_that_was_defined_again_is_told_apart(run: Run) -> None:
    user = run(ADDRESS + USER).Hacker
    luke = user.create("luke", name="Luke")
    new = run(ADDRESS).Address("x")
    with pytest.raises(EncodeError, match=r"not another class notebook_of_a_test\.Address, such as one"):
        luke.address = new
    run(USER).Hacker.load("luke").address = new
    assert luke.address.street == "x"


def test_two_modules_with_one_name_are_refused(run: Run) -> None:
    run(ADDRESS + USER)
    other = ModuleType("other_notebook_of_a_test")
    sys.modules[other.__name__] = other
    with pytest.raises(TypeError, match=r"both claim the type name 'Hacker'; give one of them another name"):
        exec(IMPORTS + ADDRESS + USER, vars(other))
    exec((IMPORTS + ADDRESS + USER).replace("(Record)", "(Record, name='OtherHacker')"), vars(other))
    assert vars(other)["Hacker"].create("x", name="y").key == "OtherHacker:x"
    del sys.modules[other.__name__]


def test_a_class_may_be_renamed_and_keep_its_records(store: Backend) -> None:
    class OldName(Record):
        name: str

    OldName.create("luke", name="Luke")

    class NewName(Record, name="OldName"):
        name: str

    assert NewName.load("luke").name == "Luke"
    assert [record.id for record in NewName.all()] == ["luke"]
    assert OldName.load("luke") == NewName.load("luke")
