from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Imported here, since pytester forgets what a run of pytest within this process was the first to import.
import persistent_collections.backends.fakeredis
import persistent_collections.backends.json
import persistent_collections.backends.sqlite
import persistent_collections.codecs.bcrypt  # noqa: F401
from persistent_collections import PersistentDict, config, configure, current_backend
from tests.servers import RunningServer, run_server
from tests.test_imports import BLOCK

pytest_plugins = ["pytester"]

APPLICATION = """
    from persistent_collections import Password, PersistentDict, Record, configure

    configure({"backends": {
        "default": "json:./real",
        "sessions": {"url": "json:./real-sessions", "codec": "msgpack"},
        "users": "json:./real",
    }})

    class LedgerAccount(Record):
        password: Password

    class Login(Record, backend="sessions"):
        account: str

    settings = PersistentDict("settings")
    seen = PersistentDict("seen", backend="sessions")
"""

URLS = ["fakeredis://", "memory:", "json:./elsewhere?fsync=off", "sqlite:./elsewhere.db?synchronous=OFF", "server"]


@pytest.fixture(autouse=True)
def application(pytester: pytest.Pytester) -> Iterator[None]:
    pytester.makepyfile(application=APPLICATION)
    pytester.makeini(
        "[pytest]\nfilterwarnings = error\naddopts = --strict-markers --strict-config -p no:hypothesispytest"
    )
    yield
    configure({})


@pytest.fixture(params=URLS)
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "server":
        server: RunningServer = request.getfixturevalue("server")
        return f"{server.url}?prefix=app:"
    return str(request.param)


def assert_passes(pytester: pytest.Pytester, source: str, *options: str, passed: int = 1) -> pytest.RunResult:
    pytester.makepyfile(source)
    done = pytester.runpytest_inprocess("-q", *options)
    done.assert_outcomes(passed=passed)
    return done


@pytest.mark.parametrize("url", [*URLS], indirect=True)
def test_a_store_that_is_watched_warns_in_tests_and_is_forgotten_after_them(
    pytester: pytest.Pytester, url: str
) -> None:
    watched = f"{url}{'&' if '?' in url else '?'}warnings=on"
    before = set(config._connected)
    assert_passes(
        pytester,
        """
        import pytest

        from persistent_collections import PersistentList, SlowHabitWarning

        def test_it(persistent_backend):
            assert type(persistent_backend).__name__ == "WatchedBackend"
            with pytest.warns(SlowHabitWarning):
                for number in range(100):
                    PersistentList[int]("numbers").append(number)
        """,
        "--persistent-backend",
        watched,
    )
    assert set(config._connected) <= before
    pytester.makepyfile("def test_it(): pass")
    done = pytester.runpytest_inprocess("--persistent-backend", watched.replace("=on", "=often"))
    assert "option 'warnings' takes a bool ('on' or 'off' in a URL), not 'often'" in str(done.stderr)


def test_the_fixture_makes_a_fresh_fakeredis_the_default(pytester: pytest.Pytester) -> None:
    assert_passes(
        pytester,
        """
        from persistent_collections import PersistentDict, current_backend

        def test_it(persistent_backend):
            assert persistent_backend is current_backend()
            assert type(persistent_backend).__name__ == "FakeRedisBackend"
            PersistentDict("settings")["theme"] = "dark"
            assert [str(key) for key in persistent_backend.keys("")] == ["PersistentDict:settings"]
        """,
    )


def test_every_test_starts_empty_and_what_was_made_at_import_follows(pytester: pytest.Pytester, url: str) -> None:
    assert_passes(
        pytester,
        """
        import pytest
        from application import LedgerAccount, Login, seen, settings

        @pytest.mark.parametrize("number", range(2))
        def test_it(persistent_backend, number):
            assert not settings and not seen and not LedgerAccount.count() and not Login.count()
            settings["theme"], seen["x"] = "dark", number
            LedgerAccount("luke", password="TheForce")
            assert Login("luke", account="luke").account == "luke"
            assert settings == {"theme": "dark"}
            assert seen == {"x": number}
        """,
        "--persistent-backend",
        url,
        passed=2,
    )
    assert not list(pytester.path.glob("*real*"))
    assert not list(pytester.path.glob("*elsewhere*"))


def test_names_of_one_store_share_a_place_and_others_have_their_own(pytester: pytest.Pytester, url: str) -> None:
    assert_passes(
        pytester,
        """
        from persistent_collections import PersistentDict
        import application

        def test_it(persistent_backend):
            default, sessions, users = (
                PersistentDict("x", backend=name) for name in ("default", "sessions", "users")
            )
            default["a"] = 1
            assert users == {"a": 1}
            assert default.__pc__.now().backend == users.__pc__.now().backend != sessions.__pc__.now().backend
            assert not sessions
            sessions["b"] = 2
            assert default == {"a": 1}
            assert [default.__pc__.now().backend.codec, sessions.__pc__.now().backend.codec] == [None, "msgpack"]
        """,
        "--persistent-backend",
        url,
    )


def test_a_real_server_keeps_what_others_wrote_and_nothing_of_the_tests(
    pytester: pytest.Pytester, server: RunningServer
) -> None:
    with server.client() as client:
        client.mset({"theirs": "x", "app:theirs": "y", "PersistentDict:settings": "z"})
        before = set(client.keys())
        assert_passes(
            pytester,
            """
            from application import LedgerAccount, seen, settings
            from persistent_collections import PersistentList, PersistentSet

            def test_it(persistent_backend):
                settings["theme"], seen["x"] = "dark", 1
                LedgerAccount("luke", password="TheForce").expire(60)
                PersistentList("[*]", range(5_000))
                PersistentSet("{x}", "abc")
            """,
            "--persistent-backend",
            f"{server.url}?prefix=app:",
        )
        assert set(client.keys()) == before


def test_the_password_of_a_server_may_stand_in_a_file(pytester: pytest.Pytester) -> None:
    pytester.maketxtfile(password="hunter2")
    with run_server(None, "--requirepass", "hunter2") as guarded:
        assert_passes(
            pytester,
            """
            from persistent_collections import PersistentList

            def test_it(persistent_backend):
                assert PersistentList("x", [1]) == [1]
            """,
            "--persistent-backend",
            f"{guarded.url}?password_file=password.txt",
        )


def test_what_a_test_that_fails_stored_is_gone_too(pytester: pytest.Pytester, server: RunningServer) -> None:
    pytester.makepyfile("""
        from application import settings

        def test_it(persistent_backend):
            settings["theme"] = "dark"
            assert settings == {}
    """)
    pytester.runpytest_inprocess("-q", "--persistent-backend", server.url).assert_outcomes(failed=1)
    with server.client() as client:
        assert client.keys() == []


def test_the_marker_wins_over_the_option_and_asks_for_the_fixture(
    pytester: pytest.Pytester, server: RunningServer
) -> None:
    assert_passes(
        pytester,
        f"""
        import pytest
        from application import settings
        from persistent_collections import current_backend

        @pytest.mark.persistent_backend("{server.url}")
        def test_it():
            settings["theme"] = "dark"
            assert current_backend().url.startswith("{server.url}?prefix=pytest-")

        @pytest.mark.persistent_backend("memory:")
        class TestThese:
            def test_it(self, persistent_backend):
                assert persistent_backend.url == "memory:"

        def test_the_rest(persistent_backend):
            assert persistent_backend.url == "fakeredis://x"
        """,
        "--persistent-backend",
        "fakeredis://x",
        passed=3,
    )


@pytest.mark.parametrize(
    ("mark", "argument"),
    [
        ("persistent_backend('memory:')", ""),
        ("persistent_backend('memory:')", "persistent_backend"),
        ("usefixtures('persistent_backend')", ""),
        ("filterwarnings('error')", "persistent_backend"),
    ],
)
def test_no_fixture_of_a_test_sees_the_real_store_and_a_session_may_configure_it(
    pytester: pytest.Pytester, mark: str, argument: str
) -> None:
    pytester.makeconftest("""
        import pytest
        from persistent_collections import PersistentDict, configure

        @pytest.fixture(scope="session", autouse=True)
        def configured():
            configure({"backends": {"default": "json:./configured", "late": "json:./late"}})

        @pytest.fixture(autouse=True)
        def seeded():
            PersistentDict("x")["seed"] = PersistentDict("x", backend="late")["seed"] = 1
    """)
    assert_passes(
        pytester,
        f"""
        import pytest
        from persistent_collections import PersistentDict

        @pytest.mark.{mark}
        @pytest.mark.parametrize("number", range(2))
        def test_it({argument and argument + ", "}number):
            assert PersistentDict("x") == PersistentDict("x", backend="late") == {{"seed": 1}}
            PersistentDict("x")["number"] = number
        """,
        passed=2,
    )
    assert not list(pytester.path.glob("*configured*"))
    assert not list(pytester.path.glob("*late*"))


def test_what_was_configured_before_holds_again_and_what_a_test_configured_does_not(pytester: pytest.Pytester) -> None:
    assert_passes(
        pytester,
        """
        import application
        from persistent_collections import configure, current_backend, use_backend

        def test_one(persistent_backend):
            configure({"backends": {"default": "memory:", "other": "memory:"}})
            use_backend("memory:").__enter__()

        def test_two(persistent_backend):
            assert current_backend() is persistent_backend
            application.seen["x"] = 1

        def test_three():
            assert current_backend().url.endswith("/real")
        """,
        passed=3,
    )
    assert Path(current_backend().url.removeprefix("json:")).name == "real"
    assert PersistentDict("x", backend="sessions").__pc__.now().backend.url.endswith("/real-sessions?codec=msgpack")


def test_a_use_backend_around_the_test_gives_way_and_comes_back(pytester: pytest.Pytester) -> None:
    assert_passes(
        pytester,
        """
        import pytest
        from persistent_collections import connect, current_backend, use_backend

        around = connect("memory:")

        @pytest.fixture(scope="module", autouse=True)
        def outer():
            with use_backend(around):
                yield
                assert current_backend() is around

        def test_it(persistent_backend):
            assert current_backend() is persistent_backend
        """,
    )


def test_threads_tasks_and_other_processes_see_the_same_store(pytester: pytest.Pytester) -> None:
    assert_passes(
        pytester,
        """
        import asyncio, pickle, subprocess, sys
        from concurrent.futures import ThreadPoolExecutor
        from application import settings

        def put(name):
            settings[name] = 1

        async def put_two():
            await asyncio.gather(asyncio.to_thread(put, "task"), asyncio.to_thread(put, "another"))

        def test_threads_and_tasks(persistent_backend):
            with ThreadPoolExecutor() as pool:
                list(pool.map(put, ["thread"]))
            asyncio.run(put_two())
            assert settings == {"thread": 1, "task": 1, "another": 1}

        def test_processes(persistent_backend):
            script = "from persistent_collections import PersistentDict; PersistentDict('settings')['process'] = 1"
            environment = {"PERSISTENT_COLLECTIONS_URL": persistent_backend.url}
            subprocess.run([sys.executable, "-c", script], env=environment, check=True)
            assert settings == {"process": 1}
            bound = type(settings)("settings", backend=persistent_backend)
            assert pickle.loads(pickle.dumps(bound)) == {"process": 1}
        """,
        "--persistent-backend",
        "json:",
        passed=2,
    )


def test_passwords_cost_four_rounds_and_are_up_to_date_within_the_test_alone(pytester: pytest.Pytester) -> None:
    assert_passes(
        pytester,
        """
        from application import LedgerAccount
        from persistent_collections import get_codec

        def test_it(persistent_backend):
            password = LedgerAccount("luke", password="TheForce").password
            assert password.text.startswith("$2b$04$")
            assert password.verify("TheForce") and not password.needs_rehash

        def test_without():
            assert get_codec("bcrypt")._rounds == 12
            assert get_codec("bcrypt").encode("TheForce").startswith(b"$2b$12$")
        """,
        passed=2,
    )


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("rediss", "a store's URL starts with its scheme"),
        ("redsi://localhost", "no store is registered for 'redsi' URLs (register_backend adds one); did you mean"),
        ("redis://localhost?prefx=a", "unknown option 'prefx' for 'redis'; did you mean 'prefix'?"),
        ("json:./data?fsnyc=off", "unknown option 'fsnyc' for 'json'; did you mean 'fsync'?"),
        ("broken:", "the store for 'broken' URLs, 'nowhere:Backend', cannot be imported: No module named 'nowhere'"),
        ("plain:", "a plain: store has neither a path nor the option 'prefix'"),
    ],
)
def test_a_url_that_is_wrong_is_told_once_by_the_option_and_by_the_marker(
    pytester: pytest.Pytester, url: str, told: str
) -> None:
    pytester.makeconftest("""
        from persistent_collections import register_backend
        from persistent_collections.backends.memory import MemoryBackend
        register_backend("broken", "nowhere:Backend", replace=True)
        register_backend("plain", "conftest:Plain", replace=True)

        class Plain(MemoryBackend):
            in_process = False
            options = {}

            @classmethod
            def from_url(cls, url):
                return cls()
    """)
    pytester.makepyfile(f"""
        import pytest

        @pytest.mark.persistent_backend("{url}")
        def test_it(): ...
    """)
    done = pytester.runpytest_inprocess("-q", "--persistent-backend", url)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert f"--persistent-backend: {told}" in done.stderr.str()
    done = pytester.runpytest_inprocess("-q")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines([f"*persistent_backend: {told.replace('[', '[[]')}*"])


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_server_that_cannot_be_reached_is_told_once_before_any_test(
    pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.parametrize("number", range(3))
        def test_it(persistent_backend, number): ...
    """)
    url = "redis://:s3cret@localhost:1?retry_for_s=0"
    done = pytester.runpytest_subprocess("-q", "--persistent-backend", url, *options)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert "test_it" not in done.stdout.str()
    told = [line for line in [*done.outlines, *done.errlines] if "localhost:1" in line]
    assert len(told) == 1
    assert told[0].startswith("ERROR: --persistent-backend: ")
    assert "s3cret" not in done.stdout.str() + done.stderr.str()


def test_a_server_is_asked_only_by_those_who_run_tests_on_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(): ...")
    url = "redis://localhost:1?retry_for_s=0"
    assert pytester.runpytest_inprocess("-q", "--persistent-backend", url, "--collect-only").ret == pytest.ExitCode.OK
    assert pytester.runpytest_inprocess("-q", "--persistent-backend", "json:./nowhere").ret == pytest.ExitCode.OK
    assert not (pytester.path / "nowhere").exists()


def test_a_password_in_a_wrong_url_is_not_shown(pytester: pytest.Pytester) -> None:
    done = pytester.runpytest_inprocess("--persistent-backend", "redis://:s3cret@localhost:99999/0")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert "s3cret" not in done.stdout.str() + done.stderr.str()


def test_a_traceback_with_its_variables_does_not_show_the_password_of_the_url(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.persistent_backend("redis://:{}@127.0.0.1:1/0?retry_for_s=0".format("s3" + "cret"))
        def test_it(): ...
    """)
    done = pytester.runpytest_inprocess("--showlocals", "--full-trace")
    done.assert_outcomes(passed=1, errors=1)  # nothing can be deleted at the end
    assert "s3cret" not in done.stdout.str() + done.stderr.str()


def test_a_marker_without_a_url_says_how_it_is_written(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.persistent_backend
        def test_it(): ...
    """)
    done = pytester.runpytest_inprocess("-q")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*the marker takes one URL: @pytest.mark.persistent_backend('redis://*"])
    done.stdout.no_fnmatch_line("*During handling*")


@pytest.mark.parametrize("missing", ["fakeredis", "lupa", "redis"])
@pytest.mark.slow
def test_without_fakeredis_tests_run_in_memory(pytester: pytest.Pytester, missing: str) -> None:
    pytester.makepyfile(blocker=BLOCK.format(module=missing))
    pytester.makepyfile("""
        from application import settings

        def test_it(persistent_backend):
            settings["theme"] = "dark"
            assert persistent_backend.url == "memory:"
    """)
    pytester.runpytest_subprocess("-q", "-p", "blocker").assert_outcomes(passed=1)


@pytest.mark.slow
def test_without_bcrypt_all_else_works(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(blocker=BLOCK.format(module="bcrypt"))
    pytester.makepyfile("""
        from persistent_collections import PersistentDict

        def test_it(persistent_backend):
            PersistentDict("x")["y"] = 1
    """)
    pytester.runpytest_subprocess("-q", "-p", "blocker").assert_outcomes(passed=1)


def test_where_no_test_asks_for_it_the_plugin_loads_and_opens_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import os, sys

        def test_it(request):
            assert "persistent_collections.testing.plugin" in sys.modules
            assert not {"redis", "fakeredis", "bcrypt", "sqlite3", "filelock"} & sys.modules.keys()
            assert request.fixturenames == ["_persistent_backend_first", "request"]
            assert sorted(os.listdir()) == sorted(request.config.files)
    """)
    pytester.makeconftest("""
        import os

        def pytest_configure(config):
            config.files = os.listdir()
    """)
    options = ["-p", "no:cacheprovider", "-p", "no:xdist"]
    done = pytester.run(sys.executable, "-B", "-m", "pytest", "-q", "-W", "error", *options)
    done.assert_outcomes(passed=1)


@pytest.mark.slow
def test_the_workers_of_xdist_keep_out_of_each_other_s_way(pytester: pytest.Pytester, server: RunningServer) -> None:
    pytester.makepyfile("""
        import pytest
        from application import settings

        @pytest.mark.parametrize("number", range(40))
        def test_it(persistent_backend, number):
            assert settings.increment("count") == 1
            assert settings == {"count": 1}
    """)
    done = pytester.runpytest_subprocess("-q", "-n", "2", "--persistent-backend", server.url)
    done.assert_outcomes(passed=40)
    with server.client() as client:
        assert client.keys() == []


def test_a_store_of_one_s_own_in_the_process_or_with_a_prefix_is_given_to_tests_too(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("""
        from persistent_collections import register_backend
        from persistent_collections.backends.keys import Key
        from persistent_collections.backends.memory import MemoryBackend
        from persistent_collections.backends.urls import Option

        everything = MemoryBackend()

        class Closet(MemoryBackend): ...

        class Shared(MemoryBackend):
            in_process = False
            options = {"prefix": Option(), "codec": Option()}

            @classmethod
            def from_url(cls, url):
                shared = cls(url.path)
                shared._objects, shared.prefix = everything._objects, url.read_options(cls.options)["prefix"]
                return shared

            def _named(self, key):
                return Key(self.prefix + key.root, key.child)

            def read(self, key):
                return everything.read(self._named(key))

            def transform(self, keys, step):
                names = {self._named(key): key for key in keys}

                def renamed(stored):
                    changed = step({key: stored[name] for name, key in names.items()})
                    return {self._named(key): entry for key, entry in changed.items()}

                everything.transform(list(names), renamed)

            def stored_keys(self, prefix):
                for key in everything.stored_keys(self.prefix + prefix):
                    yield Key(key.root.removeprefix(self.prefix), key.child)

        register_backend("closet", "conftest:Closet", replace=True)
        register_backend("shared", "conftest:Shared", replace=True)
    """)
    assert_passes(
        pytester,
        """
        import pytest
        from application import settings
        from conftest import everything

        @pytest.mark.parametrize("number", range(2))
        @pytest.mark.persistent_backend("closet:")
        def test_in_the_process(persistent_backend, number):
            assert type(persistent_backend).__name__ == "Closet"
            assert settings.increment("count") == 1

        @pytest.mark.parametrize("number", range(2))
        @pytest.mark.persistent_backend("shared:?prefix=a:")
        def test_with_a_prefix(persistent_backend, number):
            assert settings.increment("count") == 1
            [key] = everything.stored_keys("a:pytest-")

        def test_nothing_is_left():
            assert not list(everything.stored_keys(""))
        """,
        passed=5,
    )


def test_a_store_of_one_s_own_that_has_a_path_is_given_one_of_its_own(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("""
        from pathlib import Path

        from persistent_collections import register_backend
        from persistent_collections.backends.memory import MemoryBackend
        from persistent_collections.backends.urls import Option

        opened = []

        class Drawer(MemoryBackend):
            in_process = False
            options = {"codec": Option()}
            path = None

            @classmethod
            def from_url(cls, url):
                url.read_options(cls.options)
                drawer = cls()
                drawer.path = Path(url.path)
                return drawer

            @property
            def url(self):
                return f"drawer:{self.path}"

            def transform(self, keys, step):
                opened.append(self.path)
                super().transform(keys, step)

        register_backend("drawer", "conftest:Drawer", replace=True)
    """)
    assert_passes(
        pytester,
        """
        import pytest
        from application import settings
        from conftest import opened

        @pytest.mark.parametrize("number", range(2))
        def test_it(persistent_backend, number):
            assert settings.increment("count") == 1
            assert opened[-1].name == "real.drawer"

        def test_each_had_its_own():
            assert len({str(path) for path in opened}) == 2
            assert "./real.drawer" not in map(str, opened)
        """,
        *("--persistent-backend", "drawer:./real.drawer"),
        passed=3,
    )


def test_the_marker_of_the_slow_suites_is_registered(pytester: pytest.Pytester) -> None:
    assert_passes(
        pytester,
        """
        import pytest
        from persistent_collections.backends.memory import MemoryBackend
        from persistent_collections.testing.crashes import CrashSuite

        class TestSlow(CrashSuite):
            pass

        @pytest.mark.slow
        def test_it(): ...
        """,
        *("-k", "test_it"),
    )
