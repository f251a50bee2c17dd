from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from persistent_collections import PersistentDict
from tests.cli.conftest import MODELS, Run
from tests.cli.models import Sailor
from tests.test_imports import BLOCK

START = "from persistent_collections.cli import main\nmain()"


@pytest.fixture(autouse=True)
def main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


def test_a_script_from_a_pipe_has_the_store_the_classes_and_the_public_names(url: str, run: Run) -> None:
    script = """
from threading import Thread

ann = Sailor("ann", name="Ann", ports={"Oslo"})
thread = Thread(target=lambda: PersistentDict("settings", {"theme": "dark"}))
thread.start()
thread.join()
print(store is current_backend(), Sailor.load("ann").name)
"""
    assert run("--url", url, *MODELS, "shell", given=script) == "True Ann\n"
    assert Sailor.load("ann", backend=url).ports == {"Oslo"}
    assert PersistentDict("settings", backend=url) == {"theme": "dark"}


def test_a_class_that_names_another_store_keeps_it(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "stores.toml"
    file.write_text('[backends]\ndefault = "memory:one"\nother = "memory:two"\n', "utf-8")
    script = "PersistentDict('here', {'a': 1})\nPersistentDict('there', {'a': 1}, backend='other')"
    run("--config", str(file), "shell", given=script)
    assert PersistentDict("here", backend="memory:one")
    assert PersistentDict("there", backend="memory:two")


def test_a_class_made_in_the_shell_may_name_itself(run: Run) -> None:
    script = """
class InTheShell(Record):
    others: PersistentList["InTheShell"] = child()

first = InTheShell("first", others=[InTheShell.ref("second")])
print(first.others[0].key)
"""
    assert run("--url", "memory:shell", "shell", given=script) == "InTheShell:second\n"


@pytest.mark.parametrize(
    ("script", "status", "told"),
    [
        ("", 0, ""),
        ("exit(7)", 7, ""),
        ("Sailor.load('nobody')", 1, 'File "<stdin>", line 1, in <module>'),
        ("\n1 / 0", 1, 'File "<stdin>", line 2, in <module>'),
        ("x = (", 1, "SyntaxError"),
        (b"'\xff'", 1, "SyntaxError"),
    ],
)
def test_a_script_ends_with_the_code_it_gives_or_with_one(
    script: str | bytes, status: int, told: str, run: Run
) -> None:
    output = run("--url", "memory:", *MODELS, "shell", given=script, status=status)
    assert told in output
    assert output.startswith("Traceback") == (status == 1 and "Error" not in told)
    assert "cli/shell.py" not in output


@pytest.mark.slow
@pytest.mark.parametrize("ipython", [True, False], ids=["IPython", "Python"])
def test_at_a_terminal_it_says_which_store_and_writes_down_nothing_that_is_typed(ipython: bool, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = ["--url", "redis://ann:hunter2@127.0.0.1:1/0", *MODELS, "shell"]
    script = START if ipython else BLOCK.format(module="IPython") + START
    environment = {**os.environ, "HOME": str(tmp_path), "IPYTHONDIR": str(tmp_path / "ipython"), "TERM": "dumb"}
    with subprocess.Popen(
        [sys.executable, "-c", script, *command],
        cwd=Path(__file__).parents[2],
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as running:
        os.close(theirs)
        os.write(ours, b"print('is', Sailor.ref('ann').key, store.url, len('TheForce'))\n")
        os.write(ours, b"1 / 0\n")
        os.write(ours, b"exit\n" if ipython else b"exit(3)\n")
        told = b""
        try:
            while piece := os.read(ours, 65536):
                told += piece
        except OSError:  # how Linux tells that the other side is closed
            pass
        assert running.wait(60) == (0 if ipython else 3), told
    os.close(ours)
    text = told.decode()
    assert "store is redis://ann@127.0.0.1:1/0" in text
    assert "Sailor" in text
    assert "is Sailor:ann redis://ann@127.0.0.1:1/0 8" in text
    assert ("IPython" in text) == ipython
    assert "ZeroDivisionError" in text
    assert "another exception" not in text, "an error at the prompt comes from what was typed there alone"
    assert "hunter2" not in text
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and b"TheForce" in file.read_bytes()]
