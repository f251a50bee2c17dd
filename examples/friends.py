"""Luke and Han become friends, in whatever store PERSISTENT_COLLECTIONS_URL names.

Run it twice: the second run finds its users, creates nothing and prints the same.
"""

from __future__ import annotations

from pathlib import Path

from persistent_collections import Backend, Password, PersistentList, Record, child, current_backend


class User(Record):
    """A user, stored under the key ``User:<email address>``."""

    name: str
    email: str
    password: Password
    friends: PersistentList[User] = child()


def sign_up(name: str, email: str, password: str) -> User:
    """Return the user of ``email``, and create it if it does not exist."""
    user = User.ref(email)
    if user:
        return user
    return User.create(email, name=name, email=email, password=password)


def befriend(one: User, other: User) -> None:
    """Make two users friends of each other, if they are not yet."""
    if other not in one.friends:
        one.friends.append(other)
    if one not in other.friends:
        other.friends.append(one)


def show(backend: Backend) -> None:
    """Print what is in the store: the files, or the keys as ``redis-cli`` shows them."""
    if backend.url.startswith("json:"):
        root = Path(backend.url.removeprefix("json:"))
        for path in sorted(root.glob("User/**/*.json")):
            print(f"\n{path.relative_to(root)}\n{path.read_text('utf-8')}", end="")
        return
    for key in sorted(backend.keys("User:"), key=str):
        print(f"\n{key}")
        [entry] = backend.snapshot([key])
        if entry and isinstance(entry.content, dict):
            for field, data in sorted(backend.mapping(key).get_all().items()):
                print(f"  {field}: {data.decode()}")
        else:
            for index, data in enumerate(backend.sequence(key).get_slice(slice(None))):
                print(f"  {index}) {data.decode()}")


def main() -> None:
    """Tell the story."""
    luke = sign_up("Luke Skywalker", "luke@example.com", "TheForce")
    han = sign_up("Han Solo", "han@example.com", "LetTheWookieWin")
    befriend(luke, han)

    print(f"{luke.name}'s first friend is {luke['friends'][0]['name']}")
    print(f"{han.name}'s first friend is {han['friends'][0]['name']}")
    print("Does Luke's password verify?", luke.password.verify("TheForce"))
    print("And another one?", luke.password.verify("password"))
    show(current_backend())


if __name__ == "__main__":
    main()
