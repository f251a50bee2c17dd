from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest

from address_book import Address, Contact, Tagging, add, edit, find_person, main, next_birthday, tag, untag
from persistent_collections import Backend, NotUnique, configure

BOOK = Path(__file__).parents[2] / "examples" / "address_book.py"

LEIA = ["add", "Leia Organa", "--email", "leia@example.com", "--phone", "home=555-1977", "--city", "Aldera"]

Book = Callable[..., str]


@pytest.fixture
def book(store: Backend, capsys: pytest.CaptureFixture[str]) -> Book:
    """Give what runs a command in this process and returns what it printed."""

    def run(*arguments: str, status: int = 0) -> str:
        assert main(arguments) == status
        return "".join(capsys.readouterr())

    return run


def test_a_person_is_added_found_changed_renamed_and_deleted(book: Book) -> None:
    assert book("list") == ""
    assert book(*LEIA, "--birthday", "1977-05-25", "--tag", "rebel") == ""
    assert book("add", "leia  organa", status=1).startswith("address_book: 'leia organa' is in the book already")
    assert book("edit", "LEIA ORGANA", "--country", "Alderaan", "--phone", "home=", "--phone", "work=555-1983") == ""
    assert book("find", "ALDER").splitlines() == [
        "Leia Organa",
        "  e-mail:    leia@example.com",
        "  birthday:  1977-05-25",
        "  address:   Aldera, Alderaan",
        "  work:      555-1983",
        "  tags:      rebel",
    ]
    assert book("edit", "Leia Organa", "--rename", "Leia Solo", "--birthday", "") == ""
    assert book("edit", "Leia Organa", status=1) == (
        "address_book: 'Leia Organa' is not in the book; did you mean 'leia solo'?\n"
    )
    assert book("tag", "Leia Solo", "general") == ""
    assert book("tag", "Leia Solo", "rebel", "--remove") == ""
    assert book("list", "--tag", "rebel") == ""
    assert book("list", "--tag", "general") == "Leia Solo  leia@example.com\n"
    assert book("edit", "leia@example.com", "--email", "general@example.com") == ""
    assert book("add", "Han Solo", "--email", "general@example.com", status=1) == (
        "address_book: 'general@example.com' is in the book already; edit that entry\n"
    )
    assert book("edit", "general@example.com", "--email", "") == ""
    assert book("list") == "Leia Solo\n"
    assert book("delete", "Leia Solo") == ""
    assert book("list") == book("list", "--tag", "general") == ""


@pytest.mark.slow
def test_what_one_process_writes_into_the_book_another_finds(url: str, tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        command = [sys.executable, "-W", "error", str(BOOK), *arguments]
        environment = os.environ | {"PERSISTENT_COLLECTIONS_URL": url}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout

    run(*LEIA, "--tag", "rebel")
    lasts = not url.startswith(("memory:", "fakeredis:"))
    assert run("list", "--tag", "rebel") == "Leia Organa  leia@example.com\n" * lasts
    assert ("Aldera" in run("find", "leia")) == lasts


def test_coming_birthdays_are_listed_in_their_order(store: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    for name, born in (("Han", "1942-07-13"), ("Leia", "1977-05-25"), ("Luke", "1977-05-25"), ("Yoda", "0896-05-01")):
        main(["add", name, "--birthday", born])
    main(["add", "Chewbacca"])
    main(["birthdays", "--today", "2026-05-20", "--days", "60"])
    assert capsys.readouterr().out.splitlines() == [
        "2026-05-25  Leia (49)",
        "2026-05-25  Luke (49)",
        "2026-07-13  Han (84)",
    ]


@pytest.mark.parametrize(
    ("born", "today", "following"),
    [
        ("1977-05-25", "2026-05-25", "2026-05-25"),
        ("1977-05-25", "2026-05-26", "2027-05-25"),
        ("2000-02-29", "2026-02-20", "2026-03-01"),
        ("2000-02-29", "2027-03-02", "2028-02-29"),
        ("1999-12-31", "2026-01-01", "2026-12-31"),
    ],
)
def test_the_next_birthday_is_today_or_later(born: str, today: str, following: str) -> None:
    assert next_birthday(date.fromisoformat(born), date.fromisoformat(today)) == date.fromisoformat(following)


def tagged(with_tag: str) -> set[Contact]:
    return {tagging.person for tagging in Tagging.find(tag=with_tag)}


def test_a_book_knows_who_has_a_tag_and_what_tags_somebody_has(store: Backend) -> None:
    leia, han = (add(name, {}, {}, ["rebel"]) for name in ("Leia", "Han"))
    tag(han, ["pilot", "rebel"])
    assert (tagged("rebel"), tagged("pilot")) == ({leia, han}, {han})
    assert han.tags == ["pilot", "rebel"]
    untag(han, ["rebel", "never given"])
    assert tagged("rebel") == {leia}
    edit(han, {"name": "Han Solo"}, {}, {})
    assert (han.name, han.tags, find_person("han solo")) == ("Han Solo", ["pilot"], han)
    han.delete()
    assert tagged("pilot") == set()


def test_a_new_spelling_of_a_name_is_the_same_person(store: Backend) -> None:
    leia = add("leia", {"email": "leia@example.com"}, {}, [])
    edit(leia, {"name": "LEIA"}, {}, {})
    assert (leia.name, leia.email) == ("LEIA", "leia@example.com")


def test_nobody_takes_the_name_or_the_address_of_another(store: Backend) -> None:
    leia, han = add("Leia", {"email": "leia@example.com"}, {}, []), add("Han", {}, {}, [])
    for values in ({"name": "leia"}, {"name": "Ben", "email": "leia@example.com"}):
        with pytest.raises(NotUnique):
            edit(han, values, {}, {})
    assert (find_person("han"), find_person("LEIA"), find_person("leia@example.com")) == (han, leia, leia)


def test_changes_at_once_of_several_parts_of_an_address_are_all_kept(store: Backend) -> None:
    leia = add("Leia", {}, {}, [])
    edit(leia, {}, {"city": "Aldera"}, {})
    edit(leia, {}, {"country": "Alderaan"}, {})
    assert leia.address == Address(city="Aldera", country="Alderaan")


def test_of_many_who_add_one_name_at_once_exactly_one_does(store: Backend) -> None:
    def try_to_add(number: int) -> bool:
        try:
            add("Leia", {"email": str(number)}, {}, [])
        except NotUnique:
            return False
        return True

    with ThreadPoolExecutor(8) as people:
        assert sum(people.map(try_to_add, range(8))) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["add", " "], "argument name: it is empty"),
        (["add", "\udcff"], "argument name: it is empty, or holds what cannot be printed"),
        (["add", "Leia", "--birthday", "25.5.1977"], "'25.5.1977' is no day; write it as 1977-05-25"),
        (["add", "Leia", "--phone", "555"], "'555' is not LABEL=NUMBER, such as home=555-1977"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_wrong_arguments_are_told(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("url", ["redi://x", "json://x/y", "redis://127.0.0.1:1"])
@pytest.mark.slow
def test_a_store_that_cannot_be_had_is_told_in_a_line(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PERSISTENT_COLLECTIONS_URL", url)
    configure({})
    assert main(["list"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("address_book: ")
    assert err.count("\n") == 1
