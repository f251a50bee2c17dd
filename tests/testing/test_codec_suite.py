"""The codec suite catches what it is there to catch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from persistent_collections.codecs.json import JSONCodec
from persistent_collections.testing.codecs import CodecSuite

pytest_plugins = ["pytester"]

CAUGHT_BY = {
    "LosesTypes": "test_a_tempting_value_comes_back_exactly_or_is_refused",
    "PutsSpaces": "test_the_bytes_are_of_the_declared_format",
    "ShowsValues": "test_a_refusal_is_an_encode_error_that_shows_no_value",
    "ShowsData": "test_a_decode_error_shows_no_stored_data",
    "Counts": "test_one_value_has_one_encoding",
    "ClaimsToBeCanonical": "test_canonical_bytes_are_equal_just_where_the_values_are",
    "LetsErrorsOut": "test_what_is_not_its_own_is_a_decode_error_or_a_value_it_holds",
    "RefusesByTypeError": "test_every_refusal_is_an_encode_error",
    "SortsInPlace": "test_a_value_is_not_changed_by_encoding_it",
    "Recurses": "test_nesting_without_end_in_sight_is_held_or_refused",
}
MODULE = """
import pytest
from persistent_collections.testing.codecs import CodecSuite
from {module} import {kind}

class TestCodec(CodecSuite):
    values = [None, 1, 2.5, "text", [2, 1], {{"a": {{"b": [True]}}}}]
    refused = [object(), {{"a": ["a telltale text", object()]}}]

    @pytest.fixture
    def codec(self):
        return {kind}()
"""


def failed_tests(pytester: pytest.Pytester, module: str, kind: str) -> set[str]:
    """Run the suite on a codec and return the names of the tests that failed."""
    path = pytester.makepyfile(MODULE.format(module=module, kind=kind))
    run = pytester.inline_run(path, "-p", "no:hypothesispytest", "-q")  # importing hypothesis takes a second
    passed, skipped, failed = run.listoutcomes()
    assert passed
    assert not skipped
    return {report.nodeid.rpartition("::")[2] for report in failed}


@pytest.mark.slow
@pytest.mark.parametrize("kind", CAUGHT_BY)
def test_a_broken_codec_is_caught_by_the_test_of_the_promise_it_breaks(pytester: pytest.Pytester, kind: str) -> None:
    assert CAUGHT_BY[kind] in failed_tests(pytester, "tests.testing.broken_codecs", kind)


def test_a_sound_codec_passes(pytester: pytest.Pytester) -> None:
    assert failed_tests(pytester, "persistent_collections.codecs.json", "JSONCodec") == set()


def test_a_suite_that_names_no_values_fails() -> None:
    with pytest.raises(AttributeError, match="values"):
        CodecSuite().test_every_value_comes_back_equal_and_of_the_same_types_at_every_depth(JSONCodec())


class Vector:
    """A value whose ``==`` gives no bool, as that of numpy's arrays."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = numbers

    def __eq__(self, other: object) -> Any:
        raise ValueError("the truth value of a comparison is ambiguous")

    __hash__ = None  # type: ignore[assignment] # as of anything that can change


@pytest.mark.parametrize("lost", [0, 1])
def test_values_whose_equality_is_no_bool_are_compared_as_the_suite_says(lost: int) -> None:
    class VectorCodec(JSONCodec):
        def encode(self, value: Any) -> bytes:
            return super().encode([*value.numbers])

        def decode(self, data: bytes) -> Any:
            return Vector(*super().decode(data)[lost:])

    class Suite(CodecSuite):
        values: ClassVar[Sequence[Any]] = [Vector(1, 2)]

        def equal(self, value: Any, found: Any) -> bool:
            return bool(value.numbers == found.numbers)

    if lost:
        with pytest.raises(AssertionError):
            Suite().test_every_value_comes_back_equal_and_of_the_same_types_at_every_depth(VectorCodec())
    else:
        Suite().test_every_value_comes_back_equal_and_of_the_same_types_at_every_depth(VectorCodec())
