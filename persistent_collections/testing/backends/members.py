"""The promises of a set."""

from __future__ import annotations

from itertools import chain, combinations

from persistent_collections.backends.base import PAGE_SIZE, Backend
from persistent_collections.backends.handles import SetOperation
from persistent_collections.backends.keys import Key
from persistent_collections.testing.backends.base import KEY, OTHER, StoreTests, exists
from persistent_collections.testing.backends.data import FIELDS


class MemberTests(StoreTests):
    """Texts that are present or absent, like in a ``set`` of them."""

    def test_members_lie_in_the_medium_as_they_were_added(self, backend: Backend) -> None:
        backend.members(KEY).add({"b", "a"})
        self.assert_stored(backend, KEY, {"a", "b"})

    def test_members_put_into_the_medium_are_read(self, backend: Backend) -> None:
        self.store(backend, KEY, {"b", "a"})
        members = backend.members(KEY)
        assert members.get_all() == {"a", "b"}
        assert (members.size(), members.contains("a"), members.contains("c")) == (2, True, False)

    def test_any_text_is_a_member_and_no_two_are_taken_for_one(self, backend: Backend) -> None:
        members = backend.members(KEY)
        assert members.add(set(FIELDS)) == len(FIELDS)
        self.assert_stored(backend, KEY, set(FIELDS))
        assert members.get_all() == set(FIELDS)
        assert set(chain.from_iterable(members.pages())) == set(FIELDS)
        for left, member in enumerate(FIELDS, start=1):
            assert members.contains(member), f"{member[:20]!r} is there"
            assert members.remove({member}) == 1, f"{member[:20]!r} was there"
            assert not members.contains(member), f"{member[:20]!r} is gone"
            assert members.size() == len(FIELDS) - left, f"only {member[:20]!r} was removed"

    def test_add_and_remove_count_what_they_changed(self, backend: Backend) -> None:
        members = backend.members(KEY)
        assert members.add({"a", "b"}) == 2
        assert members.add({"b", "c"}) == 1
        assert members.add({"a", "b", "c"}) == 0
        assert members.remove({"a", "x"}) == 1
        assert members.remove({"a", "x"}) == 0
        self.assert_stored(backend, KEY, {"b", "c"})

    def test_no_members_change_nothing_but_retain_and_replace(self, backend: Backend) -> None:
        members = backend.members(KEY)
        assert members.add(set()) == 0
        assert not exists(backend, KEY), "an empty collection does not exist"
        members.add({"a"})
        assert members.add(set()) == 0
        assert members.remove(set()) == 0
        members.toggle(set())
        self.assert_stored(backend, KEY, {"a"})

    def test_members_may_be_given_as_any_set(self, backend: Backend) -> None:
        members = backend.members(KEY)
        assert members.add(dict.fromkeys("abc").keys()) == 3
        assert members.remove(frozenset("a")) == 1
        members.retain(dict.fromkeys("bcd").keys())
        members.toggle(dict.fromkeys("cd").keys())
        self.assert_stored(backend, KEY, {"b", "d"})
        members.replace(dict.fromkeys("xy").keys())
        self.assert_stored(backend, KEY, {"x", "y"})

    def test_retain_and_toggle_do_what_the_operators_of_a_set_do(self, backend: Backend) -> None:
        members = backend.members(KEY)
        subsets = [set(chosen) for size in range(4) for chosen in combinations("abc", size)]
        for before in subsets:
            for given in subsets:
                members.replace(before)
                members.toggle(given)
                assert members.get_all() == before ^ given, f"toggle of {given} in {before}"
                members.replace(before)
                members.retain(given)
                assert members.get_all() == before & given, f"retain of {given} in {before}"

    def test_pop_any_takes_each_member_once(self, backend: Backend) -> None:
        members = backend.members(KEY)
        members.add({"a", "b", "c"})
        popped = [members.pop_any() for _ in range(4)]
        assert popped.pop() is None, "an empty set has no member to pop"
        assert sorted(map(str, popped)) == ["a", "b", "c"]
        assert not exists(backend, KEY)

    def test_replace_puts_members_in_place_of_all(self, backend: Backend) -> None:
        members = backend.members(KEY)
        members.add({"a", "b"})
        members.replace({"b", "c"})
        self.assert_stored(backend, KEY, {"b", "c"})

    def test_combine_does_what_the_methods_of_a_set_do_and_changes_nothing(self, backend: Backend) -> None:
        keys = [KEY, OTHER, Key("Thing:x", "child"), Key("Thing:absent")]
        contents = [{"a", "b", "c"}, {"b", "c", "d"}, {"c", "e"}, set[str]()]
        for key, content in zip(keys, contents, strict=True):
            backend.members(key).replace(content)
        operations: tuple[SetOperation, ...] = ("union", "intersection", "difference")
        for operation in operations:
            for others in ([], [1], [2], [3], [0], [1, 2], [2, 1, 1], [0, 1], [1, 3], [3, 3]):
                expected = getattr(contents[0], operation)(*(contents[other] for other in others))
                found = backend.members(KEY).combine(operation, [keys[other] for other in others])
                assert found == expected, f"{operation} with {others}"
        assert backend.members(keys[3]).combine("union", [OTHER]) == contents[1]
        for key, content in zip(keys, contents, strict=True):
            self.assert_stored(backend, key, content)

    def test_many_members_go_in_one_call(self, backend: Backend, many: int) -> None:
        members, texts = backend.members(KEY), {f"member {number}" for number in range(many)}
        assert members.add(texts) == many
        assert members.get_all() == texts
        members.retain(texts - {"member 1"})
        assert members.remove(texts) == many - 1
        members.toggle(texts)
        assert members.size() == many
        members.replace(texts | {"x"})
        assert members.get_all() == texts | {"x"}

    def test_paging_gives_every_member_exactly_once_and_never_all_at_once(self, backend: Backend) -> None:
        many = {f"member {number}" for number in range(2500)}
        backend.members(KEY).add(many)
        pages = list(backend.members(KEY).pages())
        assert sorted(chain.from_iterable(pages)) == sorted(many), "each member exactly once"
        assert max(map(len, pages)) <= 2 * PAGE_SIZE, "a page holds about PAGE_SIZE members"

    def test_paging_gives_members_that_stay_exactly_once_while_others_come_and_go(self, backend: Backend) -> None:
        members = backend.members(KEY)
        many = {f"member {number}" for number in range(2500)}
        gone = {member for member in many if member.endswith("7")}
        members.add(many)
        pages = members.pages()
        found = next(pages)
        members.add({f"new {number}" for number in range(5000)})
        found += next(pages, [])
        members.remove(gone)
        found += chain.from_iterable(pages)
        assert len(set(found)) == len(found), "no member twice"
        assert many - gone <= set(found), "every member that was there from start to end"

    def test_members_given_and_got_are_the_callers(self, backend: Backend) -> None:
        members, given = backend.members(KEY), {"a", "b"}
        members.replace(given)
        given.clear()
        members.get_all().clear()
        members.combine("union", []).clear()
        assert members.get_all() == {"a", "b"}, "later changes to arguments and results do not reach the store"
