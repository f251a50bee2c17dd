"""What IPython shows of an object: its first parts, read at once, and nothing that is secret."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from cryptography.fernet import Fernet
from IPython.core.completer import IPCompleter, provisionalcompleter
from IPython.core.formatters import DisplayFormatter
from IPython.lib.pretty import pretty

from persistent_collections import (
    Backend,
    Password,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    child,
    codec,
    connect,
    get_codec,
)
from persistent_collections.backends import Key
from persistent_collections.codecs import Compressed, Encrypted

SEALED = Compressed(Encrypted(get_codec("json"), [Fernet.generate_key()]), "sealed")


class Onlooker(Record):
    name: str
    password: Password
    note: Annotated[str, codec(SEALED)]
    partner: Onlooker | None
    stays: PersistentList[str] = child()


def shown(thing: Any) -> tuple[str, str]:
    """Return the text and the HTML that IPython shows."""
    formats, _ = DisplayFormatter().format(thing)  # type: ignore[no-untyped-call]
    return formats["text/plain"], formats["text/html"]


def test_a_record_shows_its_fields_without_secrets(store: Backend) -> None:
    luke = Onlooker.create("luke", name="Luke <3", password="TheForce", note="chosen", partner=None)
    luke.partner = luke
    text, html = shown(luke)
    assert text.splitlines() == [
        "Onlooker('luke')",
        "  name: 'Luke <3'",
        "  password: hidden",
        "  note: hidden",
        "  partner: Onlooker('luke')",
        "  stays: PersistentList, not read",
    ]
    assert "<tr><th>name</th><td>&#x27;Luke &lt;3&#x27;</td></tr>" in html
    assert not [secret for secret in ("TheForce", "$2b$", "chosen", "<3") if secret in html]


def test_a_collection_shows_its_first_items(store: Backend) -> None:
    assert shown(PersistentDict("settings", {"theme": "dark"}))[0] == "PersistentDict('settings')\n  'theme': 'dark'"
    text, html = shown(PersistentList("numbers", [*range(1000)]))
    assert text.splitlines()[1::19] == ["  0: 0", "  19: 19"]
    assert text.splitlines()[-1] == "  …"
    assert html.count("<tr>") == 20
    for many in (
        PersistentDict("many", {str(n): n for n in range(1000)}),
        PersistentSet("many", map(str, range(1000))),
    ):
        assert shown(many)[1].count("<tr>") == 20
    assert shown(PersistentSet("tags", {"<b>"})) == (
        "PersistentSet('tags')\n  '<b>'",
        "<p>PersistentSet(&#x27;tags&#x27;)</p><table><tr><td>&#x27;&lt;b&gt;&#x27;</td></tr></table>",
    )
    assert shown(PersistentList("none"))[0] == "PersistentList('none')\n  empty"
    assert len(shown(PersistentList("long", ["x" * 10_000]))[0]) < 150


@pytest.mark.parametrize("kind", [PersistentDict, PersistentList])
def test_a_collection_with_a_secret_codec_shows_no_value(store: Backend, kind: Any) -> None:
    sealed = kind("sealed", [("a", "b")], codec=SEALED)
    assert shown(sealed)[0].endswith(": hidden")


def test_what_cannot_be_shown_is_its_repr_with_a_reason(store: Backend) -> None:
    assert shown(Onlooker.ref("nobody"))[0].startswith(
        "Onlooker('nobody') (not shown: ObjectNotFound: 'Onlooker:nobody' does"
    )
    store.mapping(Key("Onlooker:luke")).set_many({"password": b'"no hash"' if store.medium == "json" else b"no hash"})
    store.sequence(Key("PersistentList:x")).push_right([b"<not JSON>" if store.medium == "bytes" else b'{"$no":1}'])
    text, html = shown(PersistentList("x"))
    assert text.startswith("PersistentList('x') (not shown: DecodeError: item 0 of")
    assert html.startswith("<p>PersistentList(&#x27;x&#x27;) (not shown")
    assert "hidden" in shown(Onlooker.ref("luke"))[0]

    class Shy(PersistentDict[str, int]):
        def __repr__(self) -> str:
            return "<shy>"

    unreachable = Shy("x", backend=connect("redis://127.0.0.1:1?retry_for_s=0"))
    assert shown(unreachable)[0].startswith("<shy> (not shown: BackendUnavailable: ")


def test_objects_within_others_are_not_read(store: Backend) -> None:
    assert pretty([Onlooker.ref("nobody")]) == "[Onlooker('nobody')]"  # type: ignore[no-untyped-call]
    assert repr(PersistentList("numbers", [1])) == "PersistentList('numbers')"


def completed(thing: Any) -> list[str]:
    make: Any = IPCompleter
    shell = make(namespace={"thing": thing}, use_jedi=False)
    with provisionalcompleter():
        return [each.text for each in shell.completions('thing["n', 8)]


def test_names_and_keys_are_completed(store: Backend) -> None:
    assert completed(Onlooker.ref("luke")) == ["name", "note"]
    assert completed(PersistentDict("d", {"name": 1, "size": 2})) == ["name"]


def test_queries_show_their_fields_and_no_values(store: Backend) -> None:
    assert repr(Onlooker.find(name="Luke")) == "<Onlooker.find(name=…)>"
    assert (repr(Onlooker.find()), repr(Onlooker.all())) == ("<Onlooker.find()>", "<Onlooker.all()>")
