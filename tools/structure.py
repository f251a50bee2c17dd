"""Measure the structure of the package, and end with status 1 if something is not as it should be.

No function has a complexity over 10 as radon counts it. None uses a private name of another class's objects. Imports
never go in a circle, those for type checkers included. Nothing outside ``backends`` imports or names a store, and no
text names a module of a higher layer. Every public name has a docstring.
"""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from inspect import isroutine
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

from radon.complexity import cc_visit  # type: ignore[import-untyped]  # radon brings no types

PACKAGE: Final = "persistent_collections"
ROOT: Final = Path(__file__).parent.parent / PACKAGE
PUBLIC: Final = ["", ".backends", ".checking", ".codecs", ".moving", ".testing"]
STORES: Final = {"fakeredis", "json", "memory", "redis", "sqlite"}
HIGHEST: Final = 10
OF_NAMED_TUPLES: Final = {"_asdict", "_fields", "_make", "_replace"}
WORDS: Final = {"mapping": "mapping Mapping", "sequence": "sequence Sequence", "members": "members Members Member"}
OF_PYTHON: Final = {"Mapping", "MutableMapping", "MutableSequence", "Sequence"}


class Module(NamedTuple):
    """One module of the package.

    Attributes:
        name: With dots.
        path: Its file.
        tree: What it says.
    """

    name: str
    path: Path
    tree: ast.Module

    @property
    def room(self) -> str:
        """The module or package right under ``persistent_collections`` that it is in."""
        return room_of(self.name)

    def at(self, node: Any) -> str:
        """Return where ``node`` is, for people."""
        return f"{self.path.relative_to(ROOT)}:{node.lineno}"


class Import(NamedTuple):
    """One module that another imports.

    Attributes:
        name: The imported module's.
        node: The statement.
        runs: Whether it is imported at run time, if only within a function.
    """

    name: str
    node: ast.stmt
    runs: bool


def room_of(name: str) -> str:
    """Return the module or package right under ``persistent_collections`` that a module is in."""
    return f"{name}..".split(".")[1]


def modules() -> dict[str, Module]:
    """Return every module, by name."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = (PACKAGE, *path.relative_to(ROOT).with_suffix("").parts)
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = Module(name, path, ast.parse(path.read_text("utf-8")))
    return found


MODULES: Final = modules()


def private_uses() -> Iterator[str]:
    """Yield each ``x._name`` that this package defines, where ``x`` is an object of another class."""
    ours = {name for module in MODULES.values() for name in names_made_in(module.tree)}
    for module in MODULES.values():
        own = set(own_attributes(module.tree)) | set(attributes_of(module.tree, {"self", "cls", *foreign(module.tree)}))
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute) and node not in own and node.attr in ours and is_private(node.attr):
                yield f"{module.at(node)} {ast.unparse(node)}"


def is_private(name: str) -> bool:
    """Return whether a name is a private one, and not a magic or documented one."""
    return re.fullmatch(r"_[^_](.*[^_])?", name) is not None and name not in OF_NAMED_TUPLES


def own_attributes(tree: ast.AST) -> Iterator[ast.Attribute]:
    """Yield the attributes in classes whose names their class makes, and those of ``super()``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Call):
            if ast.unparse(node.value.func) == "super":
                yield node
        elif isinstance(node, ast.ClassDef):
            made = set(names_made_in(node))
            yield from (each for each in ast.walk(node) if isinstance(each, ast.Attribute) and each.attr in made)


def attributes_of(tree: ast.AST, names: Iterable[str]) -> Iterator[ast.Attribute]:
    """Yield the attributes of the objects of these names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names:
            yield node


def foreign(tree: ast.AST) -> Iterator[str]:
    """Yield the names of other packages that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = (alias.asname or alias.name).partition(".")[0]
                if name != PACKAGE:
                    yield name


def names_made_in(tree: ast.AST) -> Iterator[str]:
    """Yield the names of functions, variables, attributes and arguments that are made in a tree."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name
            case ast.keyword(arg=str(name)) | ast.Constant(value=str(name)):
                yield name


def complexities() -> Iterator[tuple[int, str]]:
    """Yield the complexity of each function and method, and where it is."""
    for module in MODULES.values():
        for block in cc_visit(module.path.read_text("utf-8")):
            if block.letter in "FM":  # a class counts by its methods
                yield block.complexity, f"{module.at(block)} {block.name}"


def imports_of(module: Module) -> list[Import]:
    """Return what a module imports of this package."""
    for_types = {
        id(node)
        for check in ast.walk(module.tree)
        if isinstance(check, ast.If) and ast.unparse(check.test) == "TYPE_CHECKING"
        for node in ast.walk(check)
    }
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found += [Import(known(name), node, id(node) not in for_types) for name in names if is_ours(name)]
    return [each for each in found if each.name != module.name]


def is_ours(name: str) -> bool:
    """Return whether this package has what is imported."""
    return name.partition(".")[0] == PACKAGE


def known(name: str) -> str:
    """Return the module that a name is of."""
    while name not in MODULES:
        name = name.rpartition(".")[0]
    return name


IMPORTS: Final = {name: imports_of(module) for name, module in MODULES.items()}


def reach(arrows: Mapping[str, Iterable[str]], start: str) -> set[str]:
    """Return all that is reached from ``start``, which is among it only if a circle leads back."""
    seen: set[str] = set()
    left = [start]
    while left:
        found = set(arrows[left.pop()]) - seen
        seen |= found
        left += found
    return seen


def circles() -> Iterator[str]:
    """Yield the modules that import themselves through others, by groups."""
    arrows = {name: {each.name for each in imports} for name, imports in IMPORTS.items()}
    reached = {name: reach(arrows, name) for name in arrows}
    groups = {frozenset(other for other in found if name in reached[other]) for name, found in reached.items()}
    yield from (" ".join(sorted(group)) for group in groups if group)


def upward() -> Iterator[str]:
    """Yield each import and each text that names a store outside of ``backends``, and texts that name what is above."""
    arrows = {name: {each.name for each in imports if each.runs} for name, imports in IMPORTS.items()}
    for module in MODULES.values():
        for each in IMPORTS[module.name]:
            if module.room != "backends" and is_store(each.name):
                yield f"{module.at(each.node)} imports {each.name}"
        for node, name in modules_in_texts(module):
            if is_store(name) and module.room != "backends":
                yield f"{module.at(node)} names {name}"
            elif is_above(arrows, name, module):
                yield f"{module.at(node)} names {name}, which is above it"


def modules_in_texts(module: Module) -> Iterator[tuple[ast.Constant, str]]:
    """Yield each text that is the name of a module in another room."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value.partition(":")[0].rstrip(".")
            if re.fullmatch(PACKAGE + r"(\.\w+)+", name) and room_of(known(name)) not in ("", module.room):
                yield node, known(name)


def is_store(name: str) -> bool:
    """Return whether a module is a store, or of one."""
    return room_of(name) == "backends" and f"{name}..".split(".")[2] in STORES


def is_above(arrows: Mapping[str, Iterable[str]], name: str, module: Module) -> bool:
    """Return whether a module needs the room of another one that does not need it."""
    needed = {room_of(each) for each in reach(arrows, name)}
    return module.room in needed and room_of(name) not in {room_of(each) for each in reach(arrows, module.name)}


def undocumented() -> Iterator[str]:
    """Yield each name in the ``__all__`` of a public module, and each method of such a class, without a docstring."""
    texts = {name for module in MODULES.values() for name in variables_with_texts(module.tree)}
    for end in PUBLIC:
        module = import_module(PACKAGE + end)
        for name in module.__all__:
            thing = getattr(module, name)
            if isinstance(thing, type):
                yield from (f"{PACKAGE}{end}.{name}{method}" for method in bare_methods(thing))
            if not (thing.__doc__ if isinstance(thing, type) or isroutine(thing) else name in texts):
                yield f"{PACKAGE}{end}.{name}"


def variables_with_texts(tree: ast.AST) -> Iterator[str]:
    """Yield the names of the variables with a text below them."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for variable, text in pairwise(body) if isinstance(body, list) else ():
            if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                yield from names_made_in(variable)


def bare_methods(cls: type) -> Iterator[str]:
    """Yield the public methods of a class that neither it nor a class above it documents."""
    ours = [each for each in cls.__mro__ if is_ours(each.__module__)]
    for name, value in vars(cls).items():
        is_public = not name.startswith("_") and (isroutine(value) or isinstance(value, property))
        if is_public and not any(getattr(vars(each).get(name), "__doc__", None) for each in ours):
            yield f".{name}"


def files_by_shape() -> dict[str, int]:
    """Return how many files outside of the suites name each shape."""
    spoken = [set(words_in(each.tree)) for each in MODULES.values() if each.room != "testing"]
    return {shape: sum(bool(words & set(names.split())) for words in spoken) for shape, names in WORDS.items()}


def words_in(tree: ast.AST) -> Iterator[str]:
    """Yield the words of the names and short texts in a tree."""
    for node in ast.walk(tree):
        texts = [getattr(node, name, None) for name in ("id", "attr", "name", "value")]
        for text in texts:
            if isinstance(text, str) and len(text) < 40 and text not in OF_PYTHON:  # noqa: PLR2004 - no docstring
                yield from re.findall(r"[A-Z]?[a-z]+", text)


def main() -> None:
    """Print what is wrong, and the figures."""
    found = sorted(complexities(), reverse=True)
    wrong = {
        "private": list(private_uses()),
        "complexity": [f"{where} has {figure}" for figure, where in found if figure > HIGHEST],
        "circle": list(circles()),
        "upward": list(upward()),
        "no docstring": list(undocumented()),
    }
    for kind, places in wrong.items():
        for place in places:
            print(f"{kind}: {place}")
    mean = statistics.mean(figure for figure, _ in found)
    shapes = ", ".join(f"{shape} {count}" for shape, count in files_by_shape().items())
    print(f"{len(MODULES)} files, {len(found)} functions, complexity {mean:.2f} on average, {found[0][0]} at most")
    print(f"files that name a shape: {shapes}")
    sys.exit(any(wrong.values()))


if __name__ == "__main__":
    main()
