"""A hook of MkDocs: docstrings hold marks of Sphinx, which are no marks of Markdown.

They end a line before an example with ``::``, and name functions and classes as ``:func:`~moving.copy```.
"""

from __future__ import annotations

import re

ROLE = re.compile(r":[a-z]+:<code>(?:~[\w.]*\.)?([\w.]+)</code>")


def on_page_content(html: str, **_: object) -> str:
    """Return the HTML of a page without these marks."""
    return ROLE.sub(r"<code>\1</code>", html.replace("<p>::</p>\n", "").replace("::</p>", ":</p>"))
