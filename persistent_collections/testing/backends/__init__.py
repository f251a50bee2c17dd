"""The suite that every backend must pass."""

from persistent_collections.testing.backends.changes import ChangeTests
from persistent_collections.testing.backends.deadlines import DeadlineTests
from persistent_collections.testing.backends.indexes import IndexTests
from persistent_collections.testing.backends.lifecycle import LifecycleTests
from persistent_collections.testing.backends.looks import LookTests
from persistent_collections.testing.backends.mappings import MappingTests
from persistent_collections.testing.backends.members import MemberTests
from persistent_collections.testing.backends.names import NameTests
from persistent_collections.testing.backends.ownership import OwnershipTests
from persistent_collections.testing.backends.sequences import SequenceTests
from persistent_collections.testing.backends.shapes import ShapeTests
from persistent_collections.testing.backends.snapshots import SnapshotTests
from persistent_collections.testing.backends.walks import WalkTests

__all__ = ["BackendSuite"]


class BackendSuite(
    MappingTests,
    SequenceTests,
    MemberTests,
    ShapeTests,
    NameTests,
    ChangeTests,
    DeadlineTests,
    SnapshotTests,
    LookTests,
    OwnershipTests,
    IndexTests,
    LifecycleTests,
    WalkTests,
):
    """Tests of every promise of a store, method by method, against plain dicts, lists and sets.

    Subclass it, and write a fixture ``backend`` that yields a backend on an empty store and closes it::

        class TestShelfBackend(BackendSuite):
            @pytest.fixture
            def backend(self, tmp_path):
                with ShelfBackend(tmp_path / "shelf") as backend:
                    yield backend

            def stored(self, backend, key):
                ...  # read the content of key, without the backend

            def store(self, backend, key, content):
                ...  # write the content of key, without the backend

            def reopen(self, backend: Backend) -> Backend:
                return ShelfBackend(backend.url.removeprefix("shelf:"))

    The three hooks are optional; each makes the suite stricter. Do not override or skip any test: the suite knows from
    ``medium``, ``ordered`` and ``indexing`` what the store does not promise. Tests that take seconds have the marker
    ``slow``. Add :class:`~persistent_collections.testing.contention.ContentionSuite`, and for a store that outlives its
    process :class:`~persistent_collections.testing.crashes.CrashSuite`.
    """
