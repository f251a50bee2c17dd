"""The suites catch what they are there to catch."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

pytestmark = pytest.mark.slow

CAUGHT_BY = {
    "LosesUpdates": "test_no_increment_is_lost_and_no_sum_given_twice",
    "TakesEmptyForAbsent": "test_whatever_a_field_holds_it_is_there",
    "RepeatsWhilePaging": "test_paging_gives_every_field_exactly_once_and_never_all_at_once",
    "SkipsWhilePaging": "test_paging_gives_members_that_stay_exactly_once_while_others_come_and_go",
    "LooksKeyByKey": "test_no_snapshot_has_half_of_a_step_over_several_keys",
    "LooksAtTheExpired": "test_a_look_tells_the_seconds_left_and_nothing_of_what_has_expired",
    "LeavesHalf": "test_a_change_of_another_shape_undoes_those_before_it",
    "AsksBefore": "test_what_must_be_absent_is_created_by_one_worker",
    "LeavesOldChildren": "test_a_record_is_deleted_with_its_children",
    "MakesOrphans": "test_a_child_is_not_made_without_its_owner",
    "RevivesRecords": "test_a_record_is_not_written_where_it_is_absent",
    "ForgetsTheMarker": "test_a_record_that_is_emptied_keeps_the_marker_and_its_deadline",
    "ForgetsDeadlines": "test_every_later_write_keeps_the_deadline",
    "RoundsDeadlines": "test_deadlines_keep_their_fractions_of_a_second",
    "OverwritesOtherShapes": "test_a_method_of_another_shape_raises_and_changes_nothing",
    "MarksWhatItDeletes": "test_no_item_is_mistaken_for_a_mark",
    "InsertsNegativeFirst": "test_pop_and_insert_go_by_the_index_of_a_list",
    "LeavesEmptied": "test_an_emptied_collection_does_not_exist",
    "FoldsCase": "test_any_name_goes_and_no_two_collide",
    "ListsByPattern": "test_keys_lists_the_keys_that_start_with_the_very_prefix",
    "IgnoresOwners": "test_a_child_that_is_made_takes_the_deadline_of_its_owner",
    "CountsLooselyWritten": "test_increment_leaves_what_is_no_integer",
    "SetsOneByOne": "test_no_reader_sees_half_of_a_write_of_several_fields",
    "MakesInTwoSteps": "test_no_reader_sees_half_of_a_record_that_is_made_again",
    "CountsAllAdded": "test_add_and_remove_count_what_they_changed",
}
MODULE = """
import pytest
from persistent_collections.testing.backends import BackendSuite
from persistent_collections.testing.contention import ContentionSuite
from {module} import {kind}

class TestBackend(BackendSuite, ContentionSuite):
    @pytest.fixture
    def backend(self):
        return {kind}()
"""


def failed_tests(pytester: pytest.Pytester, module: str, kind: str, test: str) -> set[str]:
    """Run one test of the suites on a backend and return the names of the tests that failed."""
    path = pytester.makepyfile(MODULE.format(module=module, kind=kind))
    # importing hypothesis takes a second
    run = pytester.inline_run(path, "-k", test, "-m", "not slow", "-p", "no:hypothesispytest", "-q")
    passed, skipped, failed = run.listoutcomes()
    assert passed or failed, f"there is no {test}"
    assert not skipped
    return {report.nodeid.rpartition("::")[2].partition("[")[0] for report in failed}


@pytest.mark.parametrize(
    ("kind", "test"),
    [
        ("KeepsTheFirst", "test_each_piece_is_sold_once"),
        ("KeepsTheFirst", "test_each_piece_of_an_entry_is_sold_once"),
        ("KeepsTheFirst", "test_an_item_is_deleted_by_the_one_who_expected_it"),
        ("AsksBefore", "test_each_piece_is_sold_once"),
        ("AsksBefore", "test_each_task_is_taken_by_one_worker"),
        ("RevivesRecords", "test_no_write_brings_an_expired_record_back_without_its_deadline"),
    ],
)
def test_a_broken_backend_is_caught_by_what_applications_do(pytester: pytest.Pytester, kind: str, test: str) -> None:
    assert failed_tests(pytester, "tests.backends.broken", kind, test) == {test}


@pytest.mark.parametrize("kind", CAUGHT_BY)
def test_a_broken_backend_is_caught_by_the_test_of_the_promise_it_breaks(pytester: pytest.Pytester, kind: str) -> None:
    assert failed_tests(pytester, "tests.backends.broken", kind, CAUGHT_BY[kind]) == {CAUGHT_BY[kind]}


def test_a_sound_backend_passes_where_the_broken_ones_fail(pytester: pytest.Pytester) -> None:
    tests = " or ".join(CAUGHT_BY.values())
    assert failed_tests(pytester, "persistent_collections.backends.memory", "MemoryBackend", tests) == set()
