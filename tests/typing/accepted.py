"""What type checkers make of each part: they check this file, which is never run."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Annotated, Any, Self, assert_type

from persistent_collections import (
    Backend,
    Migrated,
    Password,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Query,
    Record,
    at_least,
    between,
    child,
    codec,
    connect,
    current_backend,
    fetch,
    field,
    formerly,
    indexed,
    less_than,
    make_record,
    migrate,
    on_delete,
    one_of,
    starts_with,
    stored_as,
    unique,
    use_backend,
)
from persistent_collections.codecs.bcrypt import PasswordHash


class User(Record, name="user", backend="users", codec="msgpack"):
    name: str
    age: int = 0
    nickname: str | None = None
    password: Password
    born: Annotated[date | None, codec("json"), stored_as("birthday")] = None
    best: "User | None" = None
    twin: Self | None = None
    friends: PersistentList["User"] = child()
    scores: PersistentDict[str, int] = child()
    teams: PersistentSet[str] = child()


class Admin(User):
    level: int = 1
    since: date = field(default_factory=date.today)
    weight: float | None = field(default=1)
    notes: list[str] = field(default_factory=list)


class Order(Record, indexes=[("customer", "total")], unique=[("customer", "number")]):
    customer: Annotated[User, on_delete("restrict")]
    number: Annotated[int, unique]
    total: Annotated[float | None, indexed] = None


# Finding
order = Order.create(customer=User.ref("x"), number=1)
assert_type(order.customer, User)
assert_type(order.number, int)
assert_type(order.total, float | None)
assert_type(Order.find(number=1), Query[Order])
assert_type(Order.find(number=one_of(1, 2), total=at_least(3)).one(), Order)
assert_type(Order.find(total=between(1, 2)).order_by("-total").limit(3).after(None).first(), Order | None)
assert_type([each.number for each in Order.find(total=less_than(2)).scan()], list[int])
assert_type(Admin.find(name=starts_with("x")).scan().count(), int)
assert_type(Order.find(customer=Admin.ref("y")).token, str | None)
assert_type(list(Order.find(number=1).fetch("id", "customer.name")), list[dict[str, Any]])
assert_type(Order.reindex(dry_run=True), int)


# Changed classes
class Pilot(Record):
    name: Annotated[str, formerly("fullname")]
    born_on: Annotated[date | None, formerly("born", str, date.fromisoformat)] = None
    rank: Annotated[str, formerly("title", str.lower)] = ""


assert_type(Pilot.create(name="Luke").born_on, date | None)
assert_type(migrate(Pilot, User, PersistentList[Pilot]("pilots"), dry_run=True, fill=True), Migrated)
assert_type(migrate(on_error=print).left, int)

# Records
user = User("x", name="X", password="secret")
user = User(name="X", password="secret", friends=[user], scores={"a": 1}, teams={"x"}, backend="memory:")
user = User(3, name="X", password=user.password, friends=user.friends)
admin = Admin("y", name="Y", password="secret", level=2)
assert_type(user, User)
assert_type(user.id, str)
assert_type(user.key, str)
assert_type(user.name, str)
assert_type(user.nickname, str | None)
assert_type(user.born, date | None)
assert_type(user.best, User | None)
assert_type(user.twin, User | None)
assert_type(admin.twin, Admin | None)
assert_type(user.password, PasswordHash)
assert_type(user.password.verify("x"), bool)
assert_type(user.password.needs_rehash, bool)
assert_type(user.friends, PersistentList[User])
assert_type(user.friends[0].name, str)
assert_type(user.scores["a"], int)
assert_type(user.teams, PersistentSet[str])
user.name = "Y"
user.password = "new"
user.password = user.password
user.nickname = None
user.best = admin
user.friends = [user, admin]
user.friends = user.friends
user.scores = {"a": 1}
user.scores = [("a", 1)]
user.teams = ["a"]
user.friends += [admin]
del user.nickname
user.update(name="Z", age=3)
assert_type(user["name"], Any)
assert_type(user.get("name"), Any)
assert_type(user.keys(), list[str])
assert_type(user.items(), list[tuple[str, Any]])
assert_type(user.values(), list[Any])
assert_type(user.to_dict(), dict[str, Any])
assert_type(iter(user), Iterator[str])
assert_type(len(user), int)
assert_type(user.increment("age"), Any)
assert_type(user.delete(), bool)
assert_type(user.ttl(), timedelta | None)
assert_type(User.load("x"), User)
assert_type(User.ref(3), User)
assert_type(User.ref("x", backend="users"), User)
assert_type(User.create("x", name="X", password="secret"), User)
assert_type(Admin.create(name="X", password="secret", expire=60), Admin)
assert_type(next(User.all()), User)
assert_type(User.all().fetch("name"), Iterator[dict[str, Any]])
assert_type(user.friends.fetch("name"), list[dict[str, Any]])
assert_type(fetch(user.friends[:20], "name"), Iterator[dict[str, Any]])
assert_type(User.ids(), Iterator[str])
assert_type(User.count(), int)
assert_type(make_record("Made", {"name": str}, defaults={"name": ""}), type[Record])

# Dicts
plain = PersistentDict("d")
assert_type(plain, PersistentDict[str, Any])
assert_type(PersistentDict("d", {"a": 1}), PersistentDict[str, int])
numbers = PersistentDict[int, str]("d", {1: "a"}, backend=connect("memory:"), codec="json")
assert_type(numbers[1], str)
assert_type(numbers.get(1), str | None)
assert_type(numbers.get(1, "b"), str)
assert_type(numbers.get(1, 2), str | int)
assert_type(numbers.pop(1), str)
assert_type(numbers.pop(1, "b"), str)
assert_type(numbers.pop(1, None), str | None)
assert_type(numbers.popitem(), tuple[int, str])
assert_type(numbers.copy(), dict[int, str])
assert_type(list(numbers), list[int])
assert_type(list(numbers.items()), list[tuple[int, str]])
assert_type(list(numbers.values()), list[str])
assert_type(list(reversed(numbers)), list[int])
assert_type(len(numbers), int)
numbers[2] = "b"
numbers.update({3: "c"})
numbers |= {4: "d"}
assert_type(numbers | {5: 1.5}, dict[int, str | float])
assert_type(numbers | numbers, dict[int, str])
for key, value in numbers.items():
    assert_type(key, int)
    assert_type(value, str)
with numbers.edit(1) as text:
    assert_type(text, str)

# Lists
assert_type(PersistentList("l"), PersistentList[Any])
assert_type(PersistentList("l", [1, 2]), PersistentList[int])
words = PersistentList[str]("l", ["a"])
assert_type(words[0], str)
assert_type(words[1:], list[str])
assert_type(words.pop(), str)
assert_type(words.lpop(), str)
assert_type(words.copy(), list[str])
assert_type(words * 2, list[str])
assert_type(words + PersistentList[int]("l"), list[str | int])
assert_type(words + words, list[str])
assert_type(words.index("a"), int)
assert_type(list(words), list[str])
words.append("b")
words.extend(["c"])
words[0] = "d"
words[:] = ["e"]
words.sort(key=len, reverse=True)
words += ["f"]
words *= 2


class Log(PersistentList[int]):
    pass


assert_type(Log("x")[0], int)
assert_type(Log.load("x"), Log)

# Sets
assert_type(PersistentSet("s"), PersistentSet[str])
primes = PersistentSet[int]("s", {2, 3})
assert_type(primes.pop(), int)
assert_type(primes.copy(), set[int])
assert_type(2 in primes, bool)
assert_type(primes | {"a"}, set[int | str])
assert_type(primes ^ primes, set[int])
assert_type(primes & {"a"}, set[int])
assert_type(primes - {"a"}, set[int])
assert_type(primes.union(["a"]), set[int | str])
primes.add(5)
primes |= {7}

# Stores
with use_backend("memory:") as backend:
    assert_type(backend, Backend)
assert_type(current_backend(), Backend)
user.expire(60)
admin.expire(timedelta(hours=1))
