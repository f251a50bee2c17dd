"""What type checkers are to reject: each line marked so, and no other. This file is never run."""

from persistent_collections import (
    Password,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    child,
    configure,
    field,
    use_backend,
)


class User(Record):
    name: str
    age: int = 0
    password: Password
    friends: PersistentList["User"] = child()
    scores: PersistentDict[str, int] = child()


class Other(Record):
    name: str
    size: int = field(default="x")  # error
    both: int = field(default=1, default_factory=int)  # error


user = User("x", name="X", password="secret")
User("x", nmae="X", password="secret")  # error
User("x", name="X")  # error
User("x", name=3, password="secret")  # error
User("x", "X", password="secret")  # error
User("x", name="X", password=3)  # error
User("x", name="X", password="secret", friends=["y"])  # error
User(1.5, name="X", password="secret")  # error
user.name = 3  # error
user.age = "3"  # error
user.password = 3  # error
user.friends = [3]  # error
user.friends.append("y")  # error
user.friends.append(Other("x", name="y"))  # error
user.scores["a"] = "b"  # error
user.scores[3] = 4  # error
user.nmae = "Y"  # error
user.nmae  # error
user.password.verfy("x")  # error
user.update("x")  # error
User.load(None)  # error
User.load("x").nmae  # error
PersistentList[int]().append("x")  # error
PersistentList[int]("l", ["x"])  # error
PersistentList[int]("l")[0] = "x"  # error
PersistentList[int]("l", item_type=int)  # error
PersistentDict[str, int]("d")[1]  # error
PersistentDict[str, int]("d")["a"] = "b"  # error
PersistentDict("d")[3]  # error
PersistentDict(1.5)  # error
PersistentSet[int]("s").add("x")  # error
PersistentSet("s").add(3)  # error
PersistentSet("s", codec="json")  # error
PersistentSet("s") | ["a"]  # error
PersistentList[int]("l") + {1}  # error
PersistentDict("d") | [("a", 1)]  # error
configure(3)  # error
use_backend(3)  # error
User.create("x", name=3, password="secret")  # error of pyright
User.create("x", nmae="X", password="secret")  # error of pyright
User.create("x")  # error of pyright
User.find(name="X").one().nmae  # error
User.find("X")  # error
