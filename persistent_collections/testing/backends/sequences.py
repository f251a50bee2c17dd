"""The promises of a sequence."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import product

import pytest

from persistent_collections.backends.base import Backend
from persistent_collections.backends.handles import SequenceStore
from persistent_collections.testing.backends.base import KEY, StoreTests
from persistent_collections.testing.backends.data import A, B, C, D, samples

FAR = (2**31, 2**53, 2**63, 2**70)
BOUNDS = (None, *range(-7, 8))
FEW_BOUNDS = (None, -9, -5, -4, -2, -1, 0, 1, 3, 4, 5, 9)
SPLICE_BOUNDS = (None, -6, -4, -1, 0, 2, 4, 6)
STRIDES = (-3, -2, -1, 2, 3)


def items_of(sequence: SequenceStore) -> list[bytes]:
    """Return all items."""
    return sequence.get_slice(slice(None))


def numbers(count: int) -> list[bytes]:
    """Return ``count`` different items."""
    return [b"%d" % number for number in range(count)]


def strides(size: int) -> Iterator[tuple[slice, list[int]]]:
    """Yield extended slices with the indexes they select of ``size`` items."""
    for start, stop, step in product(FEW_BOUNDS, FEW_BOUNDS, STRIDES):
        where = slice(start, stop, step)
        yield where, list(range(size))[where]


class SequenceTests(StoreTests):
    """Indexes to bytes, as a ``list`` of them."""

    def test_a_sequence_lies_in_the_medium_as_it_was_pushed(self, backend: Backend) -> None:
        backend.sequence(KEY).push_right([B, A, B])
        self.assert_stored(backend, KEY, [B, A, B])

    def test_a_sequence_put_into_the_medium_is_read(self, backend: Backend) -> None:
        self.store(backend, KEY, [B, A, B])
        sequence = backend.sequence(KEY)
        assert items_of(sequence) == [B, A, B]
        assert (sequence.size(), sequence.get(1), sequence.find(A)) == (3, A, 1)

    def test_any_items_of_the_medium_come_back_byte_for_byte(self, backend: Backend) -> None:
        sequence, data = backend.sequence(KEY), samples(backend.medium)
        sequence.push_right(data)
        self.assert_stored(backend, KEY, data)
        assert [sequence.get(index) for index in range(len(data))] == data

    def test_items_are_told_apart_by_their_bytes_alone(self, backend: Backend) -> None:
        sequence, data = backend.sequence(KEY), samples(backend.medium)
        sequence.replace(data + data)
        for index, datum in enumerate(data):
            assert sequence.find(datum) == index
            assert sequence.find(datum, index + 1) == index + len(data)
            assert sequence.count(datum) == 2

    def test_no_item_is_mistaken_for_a_mark(self, backend: Backend) -> None:
        sequence, model = backend.sequence(KEY), samples(backend.medium)
        sequence.replace(model)
        for step, datum in enumerate(samples(backend.medium)):
            middle = (7 * step) % len(model)
            assert sequence.pop(middle) == model.pop(middle)
            sequence.insert(middle // 2, datum)
            model.insert(middle // 2, datum)
            sequence.splice(middle, middle + 1, [datum, datum])
            model[middle : middle + 1] = [datum, datum]
            sequence.push_left([datum])
            model.insert(0, datum)
            assert sequence.remove(datum)
            model.remove(datum)
            expected = model.pop(-1 - step % 3)
            assert sequence.pop(-1 - step % 3, expected) == expected
            assert items_of(sequence) == model

    def test_an_item_of_ten_mebibytes_comes_back(self, backend: Backend) -> None:
        sequence, datum = backend.sequence(KEY), b'"%s"' % (b"0123456789abcdef" * (10 * 2**16))
        sequence.push_right([A, datum, A])
        assert sequence.get(1) == datum
        assert sequence.find(datum) == 1
        assert sequence.pop(1) == datum
        self.assert_stored(backend, KEY, [A, A])

    @pytest.mark.parametrize("size", [0, 1, 4])
    def test_an_index_means_what_it_means_to_a_list(self, backend: Backend, size: int) -> None:
        sequence = backend.sequence(KEY)
        for index in range(-size - 3, size + 3):
            model = numbers(size)
            sequence.replace(model)
            there = -size <= index < size
            expected = model[index] if there else None
            assert sequence.get(index) == expected, f"get({index})"
            assert sequence.set(index, A) is there, f"set({index})"
            if there:
                model[index] = A
            assert items_of(sequence) == model, f"set({index})"

    @pytest.mark.parametrize("size", [0, 1, 4])
    def test_pop_and_insert_go_by_the_index_of_a_list(self, backend: Backend, size: int) -> None:
        sequence = backend.sequence(KEY)
        for index in range(-size - 3, size + 3):
            there = -size <= index < size
            model = numbers(size)
            sequence.replace(model)
            assert sequence.pop(index) == (model.pop(index) if there else None), f"pop({index})"
            assert items_of(sequence) == model, f"pop({index})"
            sequence.insert(index, A)
            model.insert(index, A)
            assert items_of(sequence) == model, f"insert({index}) clamps as list.insert does"

    @pytest.mark.parametrize("far", [index * sign for index in FAR for sign in (1, -1)])
    def test_an_index_of_any_magnitude_is_out_of_range(self, backend: Backend, far: int) -> None:
        sequence = backend.sequence(KEY)
        sequence.push_right([A, B, C])
        assert sequence.get(far) is None
        assert not sequence.set(far, D)
        assert not sequence.compare_and_set(far, A, D)
        assert sequence.pop(far) is None
        assert sequence.pop(far, A) is None
        self.assert_stored(backend, KEY, [A, B, C])

    @pytest.mark.parametrize("far", [index * sign for index in FAR for sign in (1, -1)])
    def test_bounds_of_any_magnitude_are_clamped(self, backend: Backend, far: int) -> None:
        sequence, model = backend.sequence(KEY), [A, B, C]
        sequence.push_right(model)
        assert sequence.get_slice(slice(far, None)) == model[far:]
        assert sequence.get_slice(slice(None, far)) == model[:far]
        assert sequence.get_slice(slice(None, None, far)) == model[::far]
        assert sequence.find(B, far) == (None if far > 0 else 1)
        assert sequence.find(B, None, far) == (1 if far > 0 else None)
        sequence.splice(far, None, [D])
        model[far:] = [D]
        assert items_of(sequence) == model
        nearer = max(-sys.maxsize - 1, min(far, sys.maxsize))
        sequence.insert(nearer, A)
        model.insert(nearer, A)
        self.assert_stored(backend, KEY, model)

    def test_a_slice_selects_what_it_selects_of_a_list(self, backend: Backend) -> None:
        sequence, model = backend.sequence(KEY), numbers(5)
        sequence.push_right(model)
        for start, stop, step in product(BOUNDS, BOUNDS, (None, 1, *STRIDES)):
            where = slice(start, stop, step)
            assert sequence.get_slice(where) == model[where], f"get_slice({where})"

    @pytest.mark.parametrize("size", [0, 1])
    def test_a_slice_of_few_or_no_items_selects_what_it_selects_of_a_list(self, backend: Backend, size: int) -> None:
        sequence, model = backend.sequence(KEY), numbers(size)
        sequence.push_right(model)
        bounds = (None, -2, -1, 0, 1, 2)
        for start, stop, step in product(bounds, bounds, (None, 1, *STRIDES)):
            where = slice(start, stop, step)
            assert sequence.get_slice(where) == model[where], f"get_slice({where}) of {size}"

    @pytest.mark.parametrize("items", [[], [A], [A, A], [A, B, C, D, A, B]], ids=len)
    def test_a_splice_does_what_slice_assignment_does(self, backend: Backend, items: list[bytes]) -> None:
        sequence = backend.sequence(KEY)
        for start, stop in product(SPLICE_BOUNDS, SPLICE_BOUNDS):
            model = numbers(4)
            sequence.replace(model)
            sequence.splice(start, stop, items)
            model[start:stop] = items
            assert items_of(sequence) == model, f"splice({start}, {stop}) with {len(items)} items"

    def test_set_stride_sets_what_an_extended_slice_selects(self, backend: Backend) -> None:
        sequence = backend.sequence(KEY)
        model = numbers(5)
        sequence.replace(model)
        for turn, (where, selected) in enumerate(strides(5)):
            items = [b"[%d,%d]" % (turn, index) for index in selected]
            assert sequence.set_stride(where, items) == len(selected), f"set_stride({where})"
            model[where] = items
            assert items_of(sequence) == model, f"set_stride({where})"

    def test_set_stride_does_nothing_where_the_numbers_differ_and_says_how_many_it_selects(
        self, backend: Backend
    ) -> None:
        sequence = backend.sequence(KEY)
        sequence.replace(numbers(5))
        for where, selected in strides(5):
            for count in {0, len(selected) - 1, len(selected) + 1} - {-1, len(selected)}:
                assert sequence.set_stride(where, [A] * count) == len(selected), f"set_stride({where}) with {count}"
        self.assert_stored(backend, KEY, numbers(5))

    def test_delete_stride_deletes_what_an_extended_slice_selects(self, backend: Backend) -> None:
        sequence = backend.sequence(KEY)
        for where, _ in strides(5):
            model = numbers(5)
            sequence.replace(model)
            sequence.delete_stride(where)
            del model[where]
            assert items_of(sequence) == model, f"delete_stride({where})"

    def test_find_looks_where_a_slice_would(self, backend: Backend) -> None:
        sequence, model = backend.sequence(KEY), [A, B, A, C, B]
        sequence.push_right(model)
        for start, stop, data in product(FEW_BOUNDS, FEW_BOUNDS, (A, B, C, D)):
            within = range(len(model))[slice(start, stop)]
            expected = next((index for index in within if model[index] == data), None)
            assert sequence.find(data, start, stop) == expected, f"find({data!r}, {start}, {stop})"

    def test_pushing_keeps_the_order_of_the_items_at_either_end(self, backend: Backend) -> None:
        sequence = backend.sequence(KEY)
        sequence.push_left([A, B])
        sequence.push_right([C, D])
        sequence.push_left([D, C, D])
        self.assert_stored(backend, KEY, [D, C, D, A, B, C, D])

    @pytest.mark.parametrize("items", [[], [A, B]], ids=["absent", "present"])
    def test_no_items_change_nothing(self, backend: Backend, items: list[bytes]) -> None:
        sequence = backend.sequence(KEY)
        sequence.push_right(items)
        sequence.push_right([])
        sequence.push_left([])
        sequence.splice(1, 1, [])
        sequence.splice(0, 0, [])
        assert sequence.set_stride(slice(5, None, 2), []) == 0
        sequence.delete_stride(slice(5, None, 2))
        self.assert_stored(backend, KEY, items)

    def test_compare_and_set_writes_only_an_item_that_is_as_expected(self, backend: Backend) -> None:
        sequence = backend.sequence(KEY)
        sequence.push_right([A, B, C])
        assert not sequence.compare_and_set(1, A, D)
        assert not sequence.compare_and_set(3, A, D)
        assert not sequence.compare_and_set(-4, A, D)
        self.assert_stored(backend, KEY, [A, B, C])
        assert sequence.compare_and_set(1, B, D)
        assert sequence.compare_and_set(-1, C, A)
        self.assert_stored(backend, KEY, [A, D, A])

    def test_delete_deletes_only_what_is_as_expected(self, backend: Backend) -> None:
        sequence = backend.sequence(KEY)
        sequence.push_right([A, B, A, C, A])
        assert sequence.pop(1, A) is None
        assert sequence.pop(5, A) is None
        assert sequence.pop(-6, A) is None
        self.assert_stored(backend, KEY, [A, B, A, C, A])
        assert sequence.pop(2, A) == A
        assert sequence.pop(-1, A) == A
        assert sequence.pop(0, A) == A
        self.assert_stored(backend, KEY, [B, C])

    def test_empty_data_are_expected_as_any_other(self, backend: Backend) -> None:
        sequence, empty = backend.sequence(KEY), b"" if backend.medium == "bytes" else b'""'
        sequence.push_right([A, empty])
        assert sequence.pop(0, empty) is None, "expected data are compared, empty ones too"
        assert not sequence.compare_and_set(0, empty, B)
        assert sequence.compare_and_set(1, empty, empty)
        assert sequence.pop(1, empty) == empty
        self.assert_stored(backend, KEY, [A])

    def test_remove_deletes_the_first_of_equal_items(self, backend: Backend) -> None:
        sequence = backend.sequence(KEY)
        sequence.push_right([B, A, C, A])
        assert sequence.remove(A)
        self.assert_stored(backend, KEY, [B, C, A])
        assert not sequence.remove(D)
        assert sequence.count(A) == 1
        assert sequence.count(D) == 0

    @pytest.mark.parametrize("times", [-1, 0, 1, 2, 5])
    def test_repeat_does_what_multiplying_a_list_does(self, backend: Backend, times: int) -> None:
        sequence = backend.sequence(KEY)
        sequence.push_right([A, B, A])
        sequence.repeat(times)
        self.assert_stored(backend, KEY, [A, B, A] * times)

    def test_reverse_turns_the_items_round(self, backend: Backend) -> None:
        sequence = backend.sequence(KEY)
        for model in (numbers(1), numbers(4), numbers(5)):
            sequence.replace(model)
            sequence.reverse()
            assert items_of(sequence) == model[::-1]

    def test_replace_puts_items_in_place_of_all(self, backend: Backend) -> None:
        sequence = backend.sequence(KEY)
        sequence.push_right([A, B, C])
        sequence.replace([C, C])
        self.assert_stored(backend, KEY, [C, C])

    def test_replace_replaces_only_items_that_are_as_expected(self, backend: Backend) -> None:
        sequence = backend.sequence(KEY)
        sequence.push_right([A, B])
        others: list[Sequence[bytes]] = [[], [A], [B, A], [A, B, B], [A, C], [A, A, B]]
        for other in others:
            assert not sequence.replace([D], other), "what is there is not what was expected"
        self.assert_stored(backend, KEY, [A, B])
        assert sequence.replace([C], [A, B])
        self.assert_stored(backend, KEY, [C])

    def test_items_may_be_given_as_any_sequence(self, backend: Backend) -> None:
        sequence = backend.sequence(KEY)
        sequence.push_right((A,))
        sequence.push_left((B, C))
        sequence.splice(1, 1, (D,))
        assert sequence.set_stride(slice(None, None, 2), (A, A)) == 2
        assert sequence.replace((B, C), (A, D, A, A))
        self.assert_stored(backend, KEY, [B, C])

    def test_many_items_go_in_one_call(self, backend: Backend, many: int) -> None:
        sequence, items = backend.sequence(KEY), numbers(many)
        sequence.push_right(items)
        sequence.push_left(items)
        sequence.splice(5, -5, items)
        model = [*items[:5], *items, *items[-5:]]
        assert items_of(sequence) == model
        assert sequence.set_stride(slice(None, None, -2), model[::2]) == len(model[::2])
        model[::-2] = model[::2]
        assert items_of(sequence) == model
        sequence.delete_stride(slice(1, None, 2))
        assert sequence.replace(items, model[::2])
        assert items_of(sequence) == items

    def test_positions_far_inside_many_items_are_reached(self, backend: Backend, many: int) -> None:
        sequence, model = backend.sequence(KEY), numbers(many)
        sequence.replace(model)
        for index in (1, many // 3, -many // 3, many - 2, -2):
            assert sequence.pop(index) == model.pop(index)
            sequence.insert(index, A)
            model.insert(index, A)
            assert sequence.get(index) == model[index]
            sequence.splice(index, index + 2, [B, C, D])
            model[index : index + 2] = [B, C, D]
        assert items_of(sequence) == model

    def test_items_given_and_got_are_the_callers(self, backend: Backend) -> None:
        sequence, items = backend.sequence(KEY), [A, B]
        sequence.replace(items)
        items.clear()
        items_of(sequence).clear()
        assert items_of(sequence) == [A, B], "later changes to arguments and results do not reach the store"
        items = [C]
        assert sequence.replace(items, [A, B])
        items.clear()
        assert items_of(sequence) == [C]
