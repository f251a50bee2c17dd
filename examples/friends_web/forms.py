"""The errors in a form, field by field, in words for the person who filled it in."""

from __future__ import annotations

import re
from collections.abc import Mapping

ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
LONGEST = 200
PASSWORD_CHARACTERS = 8
PASSWORD_BYTES = 72

Errors = dict[str, str]


def sign_up_errors(form: Mapping[str, str]) -> Errors:
    """Return an error for each field with an invalid value."""
    errors = {}
    if not form["name"].isprintable() or not form["name"]:
        errors["name"] = "Enter your name."
    elif len(form["name"]) > LONGEST:
        errors["name"] = f"Use at most {LONGEST} characters."
    if not _is_address(form["email"]):
        errors["email"] = "Enter an address like luke@example.com."
    if len(form["password"]) < PASSWORD_CHARACTERS:
        errors["password"] = f"Use at least {PASSWORD_CHARACTERS} characters."
    elif len(form["password"].encode()) > PASSWORD_BYTES:
        errors["password"] = f"Use at most {PASSWORD_BYTES} characters; letters with accents count for more."
    return errors


def _is_address(text: str) -> bool:
    return len(text) <= LONGEST and text.isprintable() and ADDRESS.fullmatch(text) is not None
