"""The README in the package's metadata: a package index shows it apart from the files that its links lead to.

``hatchling`` runs this when it builds the wheel and the sdist.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)([^)#]+)(#[^)]*)?\)")


def apart(text: str, urls: dict[str, str]) -> str:
    """Return a README with absolute links; as long as the project has no such addresses, name the files instead."""
    site, source = (urls.get(name, "").rstrip("/") for name in ("Documentation", "Source"))

    def link(match: re.Match[str]) -> str:
        words, path, place = match[1], match[2], match[3] or ""
        if path.startswith("docs/"):
            return f"[{words}]({site}/{path.removeprefix('docs/').removesuffix('.md')}/{place})"
        return f"[{words}]({source}/{path}{place})"

    if not (site and source):
        named = LINK.sub(lambda match: f"{match[1]} (`{match[2]}`)", text)
        return f"{named}\nThe files named here are in the source distribution.\n"
    return LINK.sub(link, text)


def get_metadata_hook() -> type:
    """Return the class of the hook, as ``hatchling`` asks for it."""

    def update(hook: Any, metadata: dict[str, Any]) -> None:
        text = (Path(hook.root) / "README.md").read_text("utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": apart(text, metadata["urls"])}

    interface: Any = import_module("hatchling.metadata.plugin.interface")
    return type("ReadmeHook", (interface.MetadataHookInterface,), {"update": update})
