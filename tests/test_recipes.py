"""Recipes of the documentation that promise something about every store, or about workers that are killed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any, Final, NamedTuple

import pytest

from persistent_collections import Backend, PersistentList, TransactionError
from tests.test_docs import ROOT, blocks

TASKS: Final = [f"t{number}" for number in range(60)]
WORKERS: Final = 3
KILLS: Final = 8
CLAIM_S: Final = 0.4
PATIENCE_S: Final = 60.0


class Recipe(NamedTuple):
    """A recipe for workers.

    Attributes:
        page: The page that shows it.
        names: The definitions of the page that belong to it; the effect of a job is ``done.append(…)``.
        fill: Code that stores a job for each of ``tasks``.
        work: Code that works until no job is left; ``worker`` is the worker's name.
    """

    page: str
    names: set[str]
    fill: str
    work: str


QUEUE: Final = Recipe(
    "many-processes.md",
    {"done", "work_once"},
    fill="PersistentList('jobs', tasks)",
    work="""
jobs = PersistentList("jobs")
while work_once():
    pass
""",
)
CLAIMS: Final = Recipe(
    "records.md",
    {"Job", "Claim", "take", "done", "finish"},
    fill="[Job.create(task, task=task) for task in tasks]",
    work=f"""
while Job.count():
    job = take(worker)
    if job:
        time.sleep(random.choice([0] * 9 + [{2 * CLAIM_S}]))  # some take so long that the claim expires
        finish(job, worker)
""",
)


def code_of(page: str) -> str:
    return "\n".join(blocks(ROOT / "docs" / page, "python"))


@pytest.mark.parametrize(
    ("page", "not_on_a_cluster"), [("finding.md", "'Article:a1' and 'Tagged:"), ("records.md", "'Claim:.*' and 'Job:")]
)
def test_a_page_runs_on_the_store_except_its_transactions_on_a_cluster(
    page: str, not_on_a_cluster: str, store: Backend, store_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = ModuleType("recipes.<locals>")
    monkeypatch.setitem(sys.modules, written.__name__, written)  # where annotations look for names
    end: AbstractContextManager[Any] = nullcontext()
    if store_kind == "cluster":
        end = pytest.raises(TransactionError, match=not_on_a_cluster)
    with end:
        exec(code_of(page).replace('configure("memory:")', ""), vars(written))


@pytest.mark.slow
@pytest.mark.parametrize("store_kind", ["json", "sqlite", "server"])
@pytest.mark.parametrize("recipe", [QUEUE, CLAIMS], ids=["queue", "claims"])
def test_workers_that_are_killed_do_each_job_once(recipe: Recipe, store: Backend, url: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", program(recipe, url) + recipe.fill], check=True)
    script = tmp_path / "worker.py"
    script.write_text(program(recipe, url) + recipe.work, "utf-8")
    kill_workers(script, Random(recipe.page))
    assert sorted(PersistentList[str]("done")) == sorted(TASKS)
    assert list(store.keys("Job:")) == list(store.keys("PersistentList:jobs")) == []


def program(recipe: Recipe, url: str) -> str:
    """Return the code of a recipe on a store, slowed down so that workers are killed amid a job."""
    tree = ast.parse(code_of(recipe.page))
    tree.body = [each for each in tree.body if isinstance(each, ast.ImportFrom) or _named(each) in recipe.names]
    shown = ast.unparse(tree).replace("expire=60", f"expire={CLAIM_S}")
    pause = "time.sleep(0.01)"
    slow = re.sub(r"^( +)(done\.append\(.*\))$", rf"\1{pause}\n\1\2\n\1{pause}", shown, flags=re.MULTILINE)
    assert slow != shown
    head = "import random, sys, time\nfrom persistent_collections import PersistentList, configure"
    return f"{head}\nconfigure({url!r})\ntasks, worker = {TASKS}, sys.argv[-1]\n{slow}\n"


def _named(statement: ast.stmt) -> str | None:
    match statement:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]):
            return name
    return None


def kill_workers(script: Path, random: Random) -> None:
    """Run workers until all have ended by themselves, and kill some on the way, for which others start."""
    working: list[subprocess.Popen[bytes]] = []
    started, end = 0, time.monotonic() + PATIENCE_S
    while working or started < WORKERS + KILLS:
        while len(working) < WORKERS and started < WORKERS + KILLS:
            working.append(subprocess.Popen([sys.executable, str(script), f"worker {started}"]))
            started += 1
        time.sleep(random.uniform(0, 0.6))
        if started < WORKERS + KILLS:
            victim = working.pop(0)
            victim.kill()
            victim.wait()
        assert {each.poll() for each in working} <= {None, 0}
        working = [each for each in working if each.poll() is None]
        assert time.monotonic() < end, "the workers do not end"
