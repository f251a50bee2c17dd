"""Names of a package that are imported on first use: few programs need all, and some need other packages."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazily(package: str, names: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and the ``__dir__`` of a package.

    Args:
        package: Its name.
        names: What each submodule defines for it, with spaces between.
    """
    modules = {name: f"{package}.{module}" for module, defined in names.items() for name in defined.split()}
    namespace = vars(sys.modules[package])

    def imported(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        namespace[name] = found = getattr(import_module(modules[name]), name)
        return found

    return imported, lambda: sorted({*namespace, *modules})
