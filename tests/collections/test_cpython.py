"""CPython's own tests of ``dict``, ``list`` and ``set``, run on ours."""

from __future__ import annotations

import unittest
from collections.abc import Mapping
from typing import Any, Final

import pytest

from persistent_collections import Backend, Codec, PersistentDict, PersistentList, PersistentSet
from tests.conftest import STORES

_NOT_SHIPPED: Final = "this interpreter does not ship CPython's own tests"
list_tests: Any = pytest.importorskip("test.list_tests", reason=_NOT_SHIPPED)
mapping_tests: Any = pytest.importorskip("test.mapping_tests", reason=_NOT_SHIPPED)
test_set: Any = pytest.importorskip("test.test_set", reason=_NOT_SHIPPED)

_NO_REPR: Final = "a repr shows the key and no content, since it costs no I/O"
_ONLY_VALUES: Final = "objects of a class that no codec was taught are refused"
_IN_ONE_STEP: Final = "what fills an object goes to the store in one step, not by its __setitem__"
_PLAIN_COPIES: Final = "a copy is a plain built-in"
_OF_A_HANDLE: Final = "a pickle is of a handle, whose class another process has to find"
_OF_A_PAGE: Final = "an iterator reads from the store, and a pickle of it would not"
_HASHES: Final = "members are hashed once more to be encoded"

NOT_APPLYING: Final[Mapping[str, Mapping[str, str]]] = {
    "DictTest": {
        "test_repr": _NO_REPR,
        "test_repr_deep": _NO_REPR,
        "test_copy": _PLAIN_COPIES,
        "test_fromkeys": _IN_ONE_STEP,
        "test_eq": _ONLY_VALUES,
        "test_getitem": _ONLY_VALUES,
        "test_pop": _ONLY_VALUES,
        "test_setdefault": _ONLY_VALUES,
    },
    "DictOfPlainKeysTest": {"test_copy": _PLAIN_COPIES, "test_fromkeys": _IN_ONE_STEP},
    "ListTest": {
        "test_repr": _NO_REPR,
        "test_repr_deep": _NO_REPR,
        "test_pickle": _OF_A_HANDLE,
        "test_contains_fake": _ONLY_VALUES,
        "test_contains_order": _ONLY_VALUES,
        "test_count": _ONLY_VALUES,
        "test_index": _ONLY_VALUES,
        "test_remove": _ONLY_VALUES,
    },
    "ListOfObjectsTest": {"test_repr": _NO_REPR, "test_repr_deep": _NO_REPR, "test_pickle": _OF_A_HANDLE},
    "SetTest": {
        "test_cyclical_repr": _NO_REPR,
        "test_pickling": _OF_A_HANDLE,
        "test_iterator_pickling": _OF_A_PAGE,
        "test_badcmp": _ONLY_VALUES,
        "test_deepcopy": _ONLY_VALUES,
        "test_do_not_rehash_dict_keys": _HASHES,
    },
}
"""Every test that fails on ours, and why it has to."""


class ObjectsCodec(Codec):
    """Stores the number of an object, and keeps it."""

    name = "objects"
    format = "text"

    def __init__(self) -> None:
        self._objects: list[object] = []
        self._numbers: dict[int, int] = {}

    def encode(self, value: Any) -> bytes:
        number = self._numbers.setdefault(id(value), len(self._objects))
        if number == len(self._objects):
            self._objects.append(value)
        return b"%d" % number

    def decode(self, data: bytes) -> Any:
        return self._objects[int(data)]


@pytest.fixture
def cases(backend: Backend) -> Mapping[str, type[unittest.TestCase]]:
    """Give the tests, of classes whose objects are new ones in the store and are made as the built-ins are."""

    class Dict(PersistentDict[Any, Any]):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(None, dict(*args, **kwargs), backend=backend)

        @classmethod
        def fromkeys(cls, keys: Any, value: Any = None, /, **_: Any) -> Any:
            return cls(dict.fromkeys(keys, value))

    class List(PersistentList[Any]):
        def __init__(self, items: Any = (), /) -> None:
            super().__init__(None, items, backend=backend)

    class ListOfObjects(List, codec=ObjectsCodec()):
        pass

    class Set(PersistentSet[Any]):
        def __init__(self, items: Any = (), /) -> None:
            super().__init__(None, items, backend=backend)

    own_test: dict[str, Any] = {"test_popitem": None}  # it takes long, and stands below
    made = {
        "DictTest": (mapping_tests.TestHashMappingProtocol, {"type2test": Dict, **own_test}),
        # the tests that the former extends by keys of odd classes
        "DictOfPlainKeysTest": (mapping_tests.TestMappingProtocol, {"type2test": Dict, **own_test}),
        "DictPopitemTest": (mapping_tests.TestMappingProtocol, {"type2test": Dict}),
        "ListTest": (list_tests.CommonTest, {"type2test": List}),
        # the same with a codec that keeps any object, so that tests with odd classes apply
        "ListOfObjectsTest": (list_tests.CommonTest, {"type2test": ListOfObjects}),
        "SetTest": (test_set.TestSet, {"thetype": Set, "basetype": set}),
    }
    return {name: type(name, (base,), attributes) for name, (base, attributes) in made.items()}


def failures(case: type[unittest.TestCase], *names: str) -> dict[str, str]:
    """Run the tests of these names, or all, and return how each that fails does."""
    result = unittest.TestResult()
    for name in names or unittest.TestLoader().getTestCaseNames(case):
        case(name).run(result)
    return {test.id().rpartition(".")[2]: text for test, text in [*result.failures, *result.errors]}


@pytest.mark.slow
@pytest.mark.parametrize("name", NOT_APPLYING)
def test_ours_pass_what_the_built_in_passes_but_for_what_does_not_apply(
    cases: Mapping[str, type[unittest.TestCase]], name: str
) -> None:
    failing = failures(cases[name])
    assert failing.keys() == NOT_APPLYING[name].keys(), "\n\n".join(failing.values())


@pytest.mark.slow
@pytest.mark.parametrize("store_kind", sorted({*STORES} - {"json"}))  # 30,000 files; its handle is that of memory
def test_items_are_popped_from_the_end_where_the_store_has_an_order(
    cases: Mapping[str, type[unittest.TestCase]], backend: Backend
) -> None:
    assert bool(failures(cases["DictPopitemTest"], "test_popitem")) == (not backend.ordered)
