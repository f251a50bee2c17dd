"""The extra ``bcrypt``: passwords are stored as hashes."""

from persistent_collections import Password, Record


class User(Record):
    password: Password


luke = User.create("luke", password="TheForce", backend="memory:")
assert luke.password.verify("TheForce")
assert not luke.password.verify("TheDarkSide")
