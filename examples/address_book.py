"""An address book for the command line, in whatever store PERSISTENT_COLLECTIONS_URL names.

::

    python address_book.py add "Leia Organa" --email leia@example.com --phone home=555-1977 --city Aldera --tag rebel
    python address_book.py find leia
    python address_book.py --help
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import date, timedelta
from difflib import get_close_matches
from operator import itemgetter
from typing import Annotated, Any
from warnings import filterwarnings

from persistent_collections import (
    MutableValueWarning,
    NotUnique,
    PersistentCollectionsError,
    Record,
    on_delete,
    unique,
)

filterwarnings("ignore", "Address is not frozen", MutableValueWarning)  # only Contact.edit changes one


@dataclass
class Address:
    """Where somebody lives."""

    street: str = ""
    postcode: str = ""
    city: str = ""
    country: str = ""


class Contact(Record):
    """A person in the book, with a name and an e-mail address that are unique and may change."""

    name: str
    folded: Annotated[str, unique]
    """The name in lower case, by which a person is found."""
    email: Annotated[str | None, unique] = None
    birthday: date | None
    address: Address = Address()
    phones: dict[str, str] = {}  # noqa: RUF012 - a default is made anew for each object

    @property
    def tags(self) -> list[str]:
        """The person's tags, sorted."""
        return sorted(row["tag"] for row in Tagging.find(person=self).fetch("tag"))


class Tagging(Record, unique=[("tag", "person")]):
    """One tag of one person, found by either of them, and deleted with the person."""

    tag: str
    person: Annotated[Contact, on_delete("cascade")]


class NotInBook(Exception):  # noqa: N818 - the name says the condition
    """Nobody has this name or address."""


def find_person(called: str) -> Contact:
    """Return the person with this name or e-mail address.

    Raises:
        NotInBook: Nobody has.
    """
    folded = called.casefold()
    person = Contact.find(folded=folded).first() or Contact.find(email=called).first()
    if person is None:
        names = [row["folded"] for row in Contact.all().fetch("folded")]
        near = get_close_matches(folded, names, n=1, cutoff=0.4)
        raise NotInBook(f"{called!r} is not in the book{f'; did you mean {near[0]!r}?' if near else ''}")
    return person


def add(name: str, values: Mapping[str, Any], address: Mapping[str, str], tags: Iterable[str]) -> Contact:
    """Write a new person into the book.

    Raises:
        NotUnique: The name or the e-mail address is in it already.
    """
    person = Contact.create(**_folded({"name": name, **values}), address=Address(**address))
    tag(person, tags)
    return person


def edit(person: Contact, values: Mapping[str, Any], address: Mapping[str, str], phones: Mapping[str, str]) -> None:
    """Change only the given fields; a telephone without a number is deleted.

    Raises:
        NotUnique: Another person has the name or the e-mail address.
    """
    person.update(**_folded(values))
    if address:
        with person.edit("address") as written:
            for name, value in address.items():
                setattr(written, name, value)
    for label, number in phones.items():
        if number:
            person.phones[label] = number
        else:
            person.phones.pop(label, None)


def _folded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {**values, "folded": values["name"].casefold()} if "name" in values else {**values}


def tag(person: Contact, tags: Iterable[str]) -> None:
    """Tag a person; it is safe to repeat."""
    for each in tags:
        with suppress(NotUnique):
            Tagging.create(tag=each, person=person)


def untag(person: Contact, tags: Iterable[str]) -> None:
    """Take tags off a person."""
    for each in tags:
        for tagging in Tagging.find(tag=each, person=person):
            tagging.delete()


def next_birthday(born: date, today: date) -> date:
    """Return the day of the next birthday; that of 29 February is 1 March in a year without one."""
    for year in (today.year, today.year + 1):
        try:
            day = born.replace(year=year)
        except ValueError:
            day = date(year, 3, 1)
        if day >= today:
            break
    return day


def print_card(person: Contact) -> None:
    """Print everything in the book about a person."""
    card = person.to_dict()
    address = ", ".join(filter(None, asdict(card["address"]).values()))
    lines = {"e-mail": card["email"], "birthday": card["birthday"], "address": address, **card["phones"]}
    print(card["name"])
    for label, text in {**lines, "tags": ", ".join(person.tags)}.items():
        if text:
            print(f"  {label + ':':<10} {text}")


def _add(options: argparse.Namespace) -> None:
    add(options.name, {**_values(options), "phones": dict(options.phone)}, _address(options), options.tag)


def _list(options: argparse.Namespace) -> None:
    if options.tag is None:
        rows = [(row["name"], row["email"]) for row in Contact.find().order_by("folded").fetch("name", "email")]
    else:
        found = Tagging.find(tag=options.tag).fetch("person.name", "person.email")
        rows = sorted((row["person.name"], row["person.email"]) for row in found)
    width = max((len(name) for name, _ in rows), default=0)
    for name, email in rows:
        print(f"{name:<{width}}  {email or ''}".rstrip())


def _find(options: argparse.Namespace) -> None:
    for row in sorted(Contact.all().fetch("id", "name", "email", "address", "phones"), key=itemgetter("name")):
        texts = [row["name"], row["email"] or "", *asdict(row["address"]).values(), *row["phones"].values()]
        if any(options.text.casefold() in text.casefold() for text in texts):
            print_card(Contact.ref(row["id"]))


def _edit(options: argparse.Namespace) -> None:
    renamed = {} if options.rename is None else {"name": options.rename}
    edit(find_person(options.name), {**_values(options), **renamed}, _address(options), dict(options.phone))


def _delete(options: argparse.Namespace) -> None:
    find_person(options.name).delete()


def _tag(options: argparse.Namespace) -> None:
    change = untag if options.remove else tag
    change(find_person(options.name), options.tags)


def _birthdays(options: argparse.Namespace) -> None:
    rows = [row for row in Contact.all().fetch("name", "birthday") if row["birthday"]]
    coming = [(next_birthday(row["birthday"], options.today), row) for row in rows]
    for day, row in sorted(coming, key=lambda pair: (pair[0], pair[1]["name"])):
        if day - options.today <= timedelta(days=options.days):
            print(f"{day}  {row['name']} ({day.year - row['birthday'].year})")


def _values(options: argparse.Namespace) -> dict[str, Any]:
    return {name: value for name, value in vars(options).items() if name in {"email", "birthday"}}


def _address(options: argparse.Namespace) -> dict[str, str]:
    parts = {part.name for part in fields(Address)}
    return {name: value for name, value in vars(options).items() if name in parts}


def _text(typed: str) -> str:
    text = " ".join(typed.split())
    if not text or not text.isprintable():
        raise argparse.ArgumentTypeError("it is empty, or holds what cannot be printed")
    return text


def _day(typed: str) -> date | None:
    try:
        return date.fromisoformat(typed) if typed else None
    except ValueError:
        raise argparse.ArgumentTypeError(f"{typed!r} is no day; write it as 1977-05-25") from None


def _telephone(typed: str) -> tuple[str, str]:
    label, equals, number = map(str.strip, typed.partition("="))
    if not (label and equals):
        raise argparse.ArgumentTypeError(f"{typed!r} is not LABEL=NUMBER, such as home=555-1977")
    return label, number


def _parser() -> argparse.ArgumentParser:
    details = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    details.add_argument("--email", type=lambda typed: typed or None)
    details.add_argument("--birthday", type=_day, metavar="YYYY-MM-DD")
    details.add_argument("--phone", type=_telephone, metavar="LABEL=NUMBER", action="append", default=[])
    for part in fields(Address):
        details.add_argument(f"--{part.name}")

    parser = argparse.ArgumentParser(prog="address_book", description="An address book.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], None], help: str, **more: Any) -> Any:
        added = commands.add_parser(name, help=help, description=f"{help}.", **more)
        added.set_defaults(run=run)
        return added

    adding = command("add", _add, "Write a new person into the book", parents=[details])
    adding.add_argument("name", type=_text)
    adding.add_argument("--tag", type=_text, action="append", default=[])
    command("list", _list, "List everybody, or everybody with a tag").add_argument("--tag", type=_text)
    command("find", _find, "Show whoever has this text in a name, an address or a number").add_argument("text")
    editing = command("edit", _edit, "Change what is given; an empty text takes it out", parents=[details])
    editing.add_argument("name", type=_text)
    editing.add_argument("--rename", type=_text, metavar="NAME")
    command("delete", _delete, "Take a person out of the book").add_argument("name", type=_text)
    tagging = command("tag", _tag, "Tag a person")
    tagging.add_argument("name", type=_text)
    tagging.add_argument("tags", type=_text, nargs="+", metavar="tag")
    tagging.add_argument("--remove", action="store_true", help="take the tags off")
    birthdays = command("birthdays", _birthdays, "List the birthdays of the next days")
    birthdays.add_argument("--days", type=int, default=30)
    birthdays.add_argument("--today", type=date.fromisoformat, default=date.today(), metavar="YYYY-MM-DD")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say, and return 0, or 1 after telling what went wrong."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except NotUnique as error:
        taken = options.email if error.field == "email" else getattr(options, "rename", options.name)
        return _told(f"{taken!r} is in the book already; edit that entry")
    except (NotInBook, PersistentCollectionsError) as error:
        return _told(str(error))
    return 0


def _told(message: str) -> int:
    print(f"address_book: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
