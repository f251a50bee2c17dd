from __future__ import annotations

import re
import unicodedata
from itertools import combinations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from persistent_collections.backends.json.names import LONGEST_BYTES, from_file_name, is_shortened, to_file_name
from persistent_collections.testing.backends.data import CHILDREN, IDS

pytestmark = pytest.mark.store("json")

SPELT = {
    "luke@example.com": "luke@example.com",
    "Zoë": "Zoë",
    "Luke Skywalker, Jr. (I)": "Luke Skywalker, Jr. (I)",
    "a%3Ab": "a%3Ab",
    "%25 %7B%7D": "%25 %7B%7D",
    "%2F": "%_2F",
    "%3a": "%_3a",
    ".": "%2E",
    "..": "%2E%2E",
    ".store": "%2Estore",
    "a.json": "a%2Ejson",
    "a.json.b": "a.json.b",
    "a/b\\c": "a%2Fb%5Cc",
    '<>"|?*': "%3C%3E%22%7C%3F%2A",
    "\n\0\x7f\x85": "%0A%00%7F%C2%85",
    "dot.": "dot%2E",
    "space ": "space%20",
    "CON": "%43ON",
    "con": "%63on",
    "nul.txt": "%6Eul.txt",
    "com1 .x": "%63om1 .x",
    "LPT¹": "%4CPT¹",
    "conin$": "%63onin$",
    "console": "console",
    "e\u0301": "e%CC%81",
    "é e\u0301": "%C3%A9 e%CC%81",
    "?\u0307": "%3F%CC%87",
    "\ud800": "%ED%A0%80",
}
FOLDED = {
    "luke": "luke",
    "Luke": "%4Cuke",
    "é": "é",
    "É": "%C3%89",
    "ß": "%C3%9F",
    "\u0131": "%C4%B1",
    "a%3Ab": "a%3Ab",
    "%A": "%_%41",
    "CON": "%43%4F%4E",
    "❤\ufe0f": "❤%EF%B8%8F",
}
NAMES = st.text(st.characters(codec=None, exclude_characters=":{}"), min_size=1) | st.text(
    "aAeE\u0301éÉ.% %3Af_~/\u017fsß\u0131iIK\u212ak\u200b\U0001f600", min_size=1
)


def folded(name: str) -> str:
    """Return what a file system that folds case, and ignores the Unicode form, compares."""
    ignored = re.sub("[\u00ad\u200b-\u200f\u2060-\u206f\ufe00-\ufe0f\ufeff]", "", unicodedata.normalize("NFD", name))
    return unicodedata.normalize("NFD", ignored.casefold())


@pytest.mark.parametrize(("name", "text"), SPELT.items())
def test_a_name_is_spelt_so(name: str, text: str) -> None:
    assert to_file_name(name, folds_case=False) == text
    assert from_file_name(text) == name


@pytest.mark.parametrize(("name", "text"), FOLDED.items())
def test_on_a_file_system_that_folds_case_a_name_is_spelt_so(name: str, text: str) -> None:
    assert to_file_name(name, folds_case=True) == text
    assert from_file_name(text) == name


def test_a_name_too_long_keeps_its_head_and_its_hash() -> None:
    text = to_file_name("n" * 1000, folds_case=False)
    assert re.fullmatch("n{48}%~[0-9a-f]{32}", text)
    assert is_shortened(text)
    assert to_file_name("n" * 999 + "m", folds_case=False) != text
    assert to_file_name("n" * LONGEST_BYTES, folds_case=False) == "n" * LONGEST_BYTES


@given(name=NAMES, folds_case=st.booleans())
@example(name="😀" * 1000, folds_case=False)
@example(name="e\u0301" * 500, folds_case=True)
def test_every_name_is_one_every_file_system_takes_and_comes_back(name: str, folds_case: bool) -> None:
    text = to_file_name(name, folds_case=folds_case)
    assert len(text.encode()) <= LONGEST_BYTES
    assert unicodedata.is_normalized("NFC", text)
    assert not re.search(r'[\x00-\x1f<>:"/\\|?*]|^\.|[. ]$|\.json$', text)
    assert is_shortened(text) or from_file_name(text) == name


@pytest.mark.parametrize("folds_case", [False, True])
@pytest.mark.parametrize("names", [IDS, CHILDREN], ids=["ids", "children"])
def test_no_two_names_are_one_to_a_file_system(names: tuple[str, ...], folds_case: bool) -> None:
    texts = [to_file_name(name, folds_case=folds_case) for name in names]
    compared = [folded(text) if folds_case else text for text in texts]
    for (one, other), (left, right) in zip(combinations(compared, 2), combinations(names, 2), strict=True):
        assert one != other, f"{left[:20]!r} and {right[:20]!r}"


@given(name=NAMES, other=NAMES)
def test_names_that_differ_differ_for_a_file_system_that_folds_case(name: str, other: str) -> None:
    for left, right in ((name, other), (name, name.swapcase()), (name, unicodedata.normalize("NFD", name))):
        if left != right:
            texts = [to_file_name(text, folds_case=True) for text in (left, right)]
            assert folded(texts[0]) != folded(texts[1])


@pytest.mark.parametrize("text", ["", "a:b", "{a}", "a%", "a%zz", "%FF", "a%~", "%"])
def test_what_is_not_spelt_as_a_name_is_none(text: str) -> None:
    assert from_file_name(text) is None
