from __future__ import annotations

import copy
import pickle
from typing import Annotated, Any

import pytest

from persistent_collections import Backend, EncodeError, Password, PersistentList, Record, codec, make_record
from persistent_collections.codecs.bcrypt import BcryptCodec, PasswordHash
from tests.records.accounts import Account
from tests.records.models import PackedCoded, Person

SECRET = "correct horse"


def stored(backend: Backend, record: Record, field: str = "password") -> bytes:
    data = backend.mapping(record.__pc__.key).get(field)
    assert data is not None
    return data.strip(b'"')


def test_a_password_is_stored_as_its_hash_and_verified(store: Backend) -> None:
    leia = Person("leia", password=SECRET)
    assert stored(store, leia).startswith(b"$2b$04$")
    assert leia.password.verify(SECRET)
    assert leia["password"].verify(SECRET)
    assert not leia.password.verify("wrong")
    assert not leia.password.verify("")
    assert leia.password


def test_each_way_of_writing_hashes(store: Backend) -> None:
    leia = Person.upsert("leia", password=SECRET)
    assert leia.password.verify(SECRET)
    leia.password = "second"
    assert leia.password.verify("second")
    leia["password"] = "third"
    assert leia.password.verify("third")
    leia.update(password="fourth")
    assert leia.password.verify("fourth")


def test_a_hash_assigned_is_kept_and_not_hashed_again(store: Backend) -> None:
    leia = Person("leia", password=SECRET)
    before = stored(store, leia)
    leia.password = leia.password
    assert stored(store, leia) == before
    luke = Person("luke", password=leia.password)
    assert stored(store, luke) == before
    han = Person("han")
    han.update(**{name: value for name, value in leia.to_dict().items() if value})
    assert stored(store, han) == before
    assert han.password.verify(SECRET)


def test_a_text_that_looks_like_a_hash_is_hashed(store: Backend) -> None:
    text = stored(store, Person("leia", password=SECRET)).decode()
    luke = Person("luke", password=text)
    assert luke.password.verify(text)
    assert not luke.password.verify(SECRET)


def test_an_unset_password_can_be_assigned_and_stays_falsy(store: Backend) -> None:
    leia, luke = Person("leia", name="Leia"), Person("luke", name="Luke", password=SECRET)
    luke.password = leia.password
    assert not luke.password
    assert not luke.password.verify(SECRET)
    assert isinstance(leia.password, PasswordHash)


def test_deleting_a_password_unsets_it(store: Backend) -> None:
    leia = Person("leia", name="Leia", password=SECRET)
    del leia.password
    assert not leia.password


def test_neither_password_nor_hash_is_shown(store: Backend) -> None:
    leia = Person("leia", password=SECRET)
    hashed = stored(store, leia).decode()
    for shown in (
        repr(leia),
        str(leia),
        repr(leia.password),
        str(leia.to_dict()),
        f"{leia.items()}",
        f"{leia.password}",
    ):
        assert SECRET not in shown
        assert hashed[7:] not in shown
    assert SECRET.encode() not in pickle.dumps(Person.ref("leia"))


@pytest.mark.parametrize("wrong", [SECRET.encode(), 12345, ["correct"], "x" * 73, "ä" * 37, None])
def test_what_is_no_password_is_refused_without_showing_it(store: Backend, wrong: Any) -> None:
    leia = Person("leia", name="Leia")
    with pytest.raises(EncodeError, match="field 'password' of 'Person:leia'") as caught:
        leia["password"] = wrong
    chain: BaseException | None = caught.value
    while chain is not None:
        assert str(wrong)[:20] not in str(chain).replace("NoneType", "")
        chain = chain.__cause__ or chain.__context__
    assert not leia.password


def test_72_bytes_are_taken_whole(store: Backend) -> None:
    leia = Person("leia", password="x" * 72)
    assert leia.password.verify("x" * 72)
    assert not leia.password.verify("x" * 71)
    assert not leia.password.verify("x" * 73)


def test_an_optional_password_reads_as_none_while_unset(store: Backend) -> None:
    class Guest(Record):
        name: str
        password: Password | None

    guest: Any = Guest("g", name="Guest")
    assert guest.password is None
    guest.password = SECRET
    assert guest.password.verify(SECRET)
    guest.password = None
    assert guest.password is None


def test_a_field_chooses_its_own_hashing(store: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BcryptCodec, "rounds_in_tests", None)

    class Vault(Record):
        name: str
        password: Annotated[Password, codec(BcryptCodec(rounds=5, prehash=True))]

    vault: Any = Vault("v", name="V")
    assert not vault.password
    vault.password = "x" * 100
    assert stored(store, vault).startswith(b"bcrypt_sha256$$2b$05$")
    assert vault.password.verify("x" * 100)
    assert not vault.password.needs_rehash


def test_a_codec_of_the_class_leaves_passwords_hashed(store: Backend) -> None:
    record = PackedCoded("x", password=SECRET)
    assert stored(store, record).startswith(b"$2b$")
    assert record.password.verify(SECRET)


def test_a_password_has_no_default() -> None:
    with pytest.raises(TypeError, match=r"field 'password' of Careless: a password has no default"):

        class Careless(Record):
            password: Password = "swordfish"  # type: ignore[assignment] # a default is what this test is about


def test_hashes_are_copied_and_compared_as_values(store: Backend) -> None:
    leia = Person("leia", password=SECRET)
    assert leia.password == leia.password == copy.copy(leia.password)
    assert leia.password != Person("luke", password=SECRET).password
    assert leia.password != SECRET


def test_a_hash_is_not_hashed_again_when_a_record_is_copied(luke: Account) -> None:
    copied = Account("copy", **{name: value for name, value in luke.to_dict().items() if value and name != "email"})
    assert copied.password.verify("TheForce")


def test_a_password_is_never_silently_cut(luke: Account) -> None:
    with pytest.raises(EncodeError, match="72 bytes"):
        luke.password = "ä" * 37
    assert luke.password.verify("TheForce")


def test_without_a_password_nothing_verifies(store: Backend) -> None:
    guest = Account("guest", name="Guest")
    assert guest.password.verify("x") is False
    assert guest.password.verify("") is False


def test_a_hash_is_not_shown(luke: Account) -> None:
    assert "$2b$" not in f"{luke!r} {luke.to_dict()} {luke.password} {luke.items()}"


@pytest.mark.parametrize("kind", [list[Password], PersistentList[Password], dict[str, Password | None]])
def test_a_password_is_no_part_of_another_type_and_the_remedy_works(store: Backend, kind: Any) -> None:
    with pytest.raises(TypeError, match=r"declare Annotated\[PersistentList\[str\], codec\('bcrypt'\)\] = child\(\)"):
        make_record("Recovery", {"codes": kind})
    made: Any = make_record("Recovery", {"codes": Annotated[PersistentList[str], codec("bcrypt")]})
    assert made.create("x", codes=[SECRET]).codes[0].verify(SECRET)
