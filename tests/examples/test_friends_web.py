from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path
from threading import Barrier
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import bcrypt
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from friends_web import app
from friends_web.members import SESSION_LASTS, Member, Session
from persistent_collections import Backend, configure, connect
from persistent_collections.codecs.bcrypt import BcryptCodec, PasswordHash
from tests.proxy import counted
from tests.servers import RunningServer

LUKE = {"name": "Luke Skywalker", "email": "luke@example.com", "password": "TheForce"}
HAN = {"name": "Han Solo", "email": "han@example.com", "password": "LetTheWookieWin"}
LEIA = {"name": "Leia Organa", "email": "leia@example.com", "password": ""}

FRIENDS = Path(__file__).parents[2] / "examples" / "friends_web"
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
PEOPLE_AT_ONCE = 8


@pytest.fixture
def client(store: Backend) -> FlaskClient:
    """Give a browser without JavaScript, as it were, that nobody has logged in with."""
    return app.test_client()


def text(response: TestResponse) -> str:
    return html.unescape(response.get_data(as_text=True))


def errors(response: TestResponse) -> list[str]:
    return re.findall(r'class="error"[^>]*>([^<]*)<', text(response))


def post(client: FlaskClient, path: str, form: dict[str, str], **headers: str) -> TestResponse:
    return client.post(path, data=form, headers=headers)


def signed_up(form: dict[str, str]) -> FlaskClient:
    client = app.test_client()
    assert post(client, "/sign-up", form).location == "/"
    return client


def test_two_people_sign_up_and_become_friends_of_each_other(client: FlaskClient) -> None:
    han = signed_up(HAN)
    assert post(client, "/sign-up", LUKE).location == "/"
    assert "None yet" in text(client.get("/"))
    assert post(client, "/", {"email": " Han@Example.com "}).location == "/"
    for page, friend in ((client.get("/"), HAN), (han.get("/"), LUKE)):
        assert f"<strong>{friend['name']}</strong> <span>{friend['email']}</span>" in text(page)


def test_who_befriends_twice_has_one_friend(client: FlaskClient) -> None:
    signed_up(HAN)
    post(client, "/sign-up", LUKE)
    for _ in range(2):
        post(client, "/", {"email": HAN["email"]})
    assert text(client.get("/")).count("<strong>") == 1


def test_a_member_logs_out_and_in_again(client: FlaskClient) -> None:
    post(client, "/sign-up", LUKE)
    assert post(client, "/log-out", {}).location == "/log-in"
    assert client.get("/").location == "/log-in"
    assert post(client, "/", {"email": HAN["email"]}).location == "/log-in"
    assert post(client, "/log-in", LUKE | {"email": "LUKE@example.com"}).location == "/"
    assert "Friends of Luke Skywalker" in text(client.get("/"))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": " "}, "Enter your name."),
        ({"name": "L" * 201}, "Use at most 200 characters."),
        ({"email": ""}, "Enter an address like luke@example.com."),
        ({"email": "luke@"}, "Enter an address like luke@example.com."),
        ({"email": "luke\0@example.com"}, "Enter an address like luke@example.com."),
        ({"email": "luke\u202e@example.com"}, "Enter an address like luke@example.com."),
        ({"name": "Luke\0"}, "Enter your name."),
        ({"email": "l" * 200 + "@example.com"}, "Enter an address like luke@example.com."),
        ({"password": "short"}, "Use at least 8 characters."),
        ({"password": "é" * 37}, "Use at most 72 characters; letters with accents count for more."),
    ],
)
def test_a_wrong_field_is_told_beside_it_and_what_was_typed_stays(
    client: FlaskClient, wrong: dict[str, str], told: str
) -> None:
    form = LUKE | wrong
    response = post(client, "/sign-up", form)
    assert response.status_code == 422
    [field] = wrong
    assert errors(response) == [told]
    assert f'aria-describedby="{field}-error"' in text(response)
    for name in {"name", "email"} - wrong.keys():
        assert f'value="{form[name]}"' in text(response)
    assert form["password"] not in text(response)
    assert Member.count() == 0


def test_every_wrong_field_is_told_at_once(client: FlaskClient) -> None:
    assert len(errors(post(client, "/sign-up", {}))) == 3


def test_an_address_that_has_signed_up_is_an_error_of_its_field(client: FlaskClient) -> None:
    signed_up(LUKE)
    response = post(client, "/sign-up", LUKE | {"name": "Someone else", "email": "Luke@example.com"})
    assert errors(response) == ["This address has signed up already."]
    assert Member.find(email="luke@example.com").one().name == "Luke Skywalker"


def test_of_many_who_sign_up_with_one_address_at_once_exactly_one_does(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: list[bool] = []
    together = Barrier(PEOPLE_AT_ONCE, action=lambda: met.append(True))
    create = Member.create

    def create_together(*args: Any, **values: Any) -> Member:
        together.wait(timeout=60)
        return create(*args, **values)

    monkeypatch.setattr(Member, "create", create_together)

    def sign_up(number: int) -> tuple[str, TestResponse]:
        name = f"Luke {number}"
        return name, post(app.test_client(), "/sign-up", LUKE | {"name": name})

    with ThreadPoolExecutor(PEOPLE_AT_ONCE) as people:
        responses = list(people.map(sign_up, range(PEOPLE_AT_ONCE)))
    assert met, "nobody asked the store to decide"
    assert Counter(response.status_code for _, response in responses) == {302: 1, 422: PEOPLE_AT_ONCE - 1}
    [winner] = [name for name, response in responses if response.status_code == 302]
    assert [member.name for member in Member.all()] == [winner]
    assert Session.count() == 1


@pytest.mark.parametrize(
    ("email", "told"),
    [
        ("leia@example.com", "Nobody has signed up with this address."),
        ("", "Nobody has signed up with this address."),
        ("luke@example.com", "This is your own address."),
    ],
)
def test_nobody_befriends_a_stranger_or_themselves(client: FlaskClient, email: str, told: str) -> None:
    post(client, "/sign-up", LUKE)
    response = post(client, "/", {"email": email})
    assert errors(response) == [told]
    assert f'value="{email}"' in text(response)
    assert len(Member.find(email=LUKE["email"]).one().friends) == 0


def test_who_does_not_get_in_learns_nothing_and_waits_as_long(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_up(LUKE)
    Member.upsert(LEIA["email"], name="Leia, who has no password")
    post(client, "/log-in", HAN)  # the first stranger's log-in also makes the hash that is nobody's
    rounds: list[int] = []
    check = bcrypt.checkpw

    def count(password: bytes, hashed: bytes) -> bool:
        rounds.append(int(hashed.split(b"$")[2]))
        return check(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", count)
    answers = [
        (response.status_code, text(response).replace(form["email"], "…"))
        for form in (LUKE | {"password": "TheDarkSide"}, HAN, LEIA | {"password": "TheForce"})
        for response in [post(client, "/log-in", form)]
    ]
    assert answers[0] == answers[1] == answers[2]
    assert "The address or the password is wrong." in answers[0][1]
    assert rounds == [4, 4, 4]
    assert not client.get_cookie("session")


def test_a_session_is_a_cookie_that_no_script_reads_and_that_no_other_site_sends(client: FlaskClient) -> None:
    response = post(client, "/sign-up", LUKE)
    [cookie] = response.headers.getlist("Set-Cookie")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    encrypted = app.test_client().post("/log-in", data=LUKE, base_url="https://localhost")
    assert "Secure" in encrypted.headers["Set-Cookie"].split("; ")


def test_what_is_stored_of_a_session_opens_none_and_ends_in_time(client: FlaskClient) -> None:
    post(client, "/sign-up", LUKE)
    cookie = client.get_cookie("session")
    assert cookie
    [session] = Session.all()
    assert session.member == Member.find(email=LUKE["email"]).one()
    remaining = session.ttl()
    assert remaining
    assert SESSION_LASTS * 0.99 < remaining <= SESSION_LASTS
    client.set_cookie("session", session.id)
    assert client.get("/").location == "/log-in"
    client.set_cookie("session", cookie.value)
    assert client.get("/").status_code == 200
    session.expire(0)
    assert client.get("/").location == "/log-in"


def test_who_logs_out_ends_the_session_for_whoever_has_the_token(client: FlaskClient) -> None:
    post(client, "/sign-up", LUKE)
    cookie = client.get_cookie("session")
    assert cookie
    post(client, "/log-out", {})
    assert Session.count() == 0
    client.set_cookie("session", cookie.value)
    assert client.get("/").location == "/log-in"


def test_who_was_deleted_is_logged_out_and_nobodys_friend(client: FlaskClient) -> None:
    han = signed_up(HAN)
    post(client, "/sign-up", LUKE)
    post(client, "/", {"email": HAN["email"]})
    Member.find(email=LUKE["email"]).one().delete()
    assert client.get("/").location == "/log-in"
    assert "None yet" in text(han.get("/"))


@pytest.mark.parametrize("token", ["", "..", "a" * 4000, "%00", "\N{SNOWMAN}", "Member:luke@example.com"])
def test_a_made_up_token_is_nobodys(client: FlaskClient, token: str) -> None:
    signed_up(LUKE)
    client.set_cookie("session", token)
    assert client.get("/").location == "/log-in"
    assert post(client, "/log-out", {}).location == "/log-in"


@pytest.mark.parametrize("email", ["", "../x", "a/b@c", "a:b%{c}@d", "\0@\0", "é@ü", "con@nul."])
def test_any_address_finds_its_member_or_nobody(client: FlaskClient, email: str) -> None:
    form = LUKE | {"email": email}
    created = post(client, "/sign-up", form).status_code == 302
    again = app.test_client()
    assert (post(again, "/log-in", form).status_code == 302) == created
    assert Member.count() == created


def test_what_was_typed_is_shown_as_text(client: FlaskClient) -> None:
    name = "<script>alert(1)</script>"
    post(client, "/sign-up", LUKE | {"name": name})
    page = client.get("/").get_data(as_text=True)
    assert "<script" not in page
    assert name in html.unescape(page)
    again = post(client, "/sign-up", LUKE | {"name": '"><script>'}).get_data(as_text=True)
    assert "<script" not in again


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 302),
        ({"Sec-Fetch-Site": "same-origin"}, 302),
        ({"Sec-Fetch-Site": "none"}, 302),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, 403),
        ({"Origin": "http://localhost"}, 302),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Origin": "http://localhost:x"}, 403),
        ({"Origin": "localhost"}, 403),
    ],
)
@pytest.mark.parametrize("path", ["/", "/log-in", "/log-out", "/sign-up"])
def test_a_form_of_another_site_is_refused(path: str, headers: dict[str, str], status: int) -> None:
    configure({"backends": {"default": "memory:"}})
    try:
        client = signed_up(HAN)
        signed_up(LUKE | {"email": "leia@example.com"})
        form = {"/": {"email": "leia@example.com"}, "/log-in": HAN}.get(path, LUKE)
        assert post(client, path, form, **headers).status_code == status
        assert client.get("/log-in", headers=headers).status_code == 200
    finally:
        configure({})


def test_no_page_loads_from_elsewhere_stands_in_a_frame_or_stays_in_a_cache(client: FlaskClient) -> None:
    post(client, "/sign-up", LUKE)
    for path in ("/", "/sign-up", "/log-in"):
        response = client.get(path)
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert response.headers["Cache-Control"] == "no-store"


def test_every_field_has_a_label_and_every_page_a_title_and_one_heading(client: FlaskClient) -> None:
    pages = [client.get("/sign-up"), client.get("/log-in"), post(client, "/sign-up", {}), post(client, "/log-in", {})]
    post(client, "/sign-up", LUKE)
    pages += [client.get("/"), post(client, "/", {"email": "x"})]
    for page in map(text, pages):
        fields = re.findall(r'<input id="([^"]+)"', page)
        assert fields
        assert fields == re.findall(r'<label for="([^"]+)"', page)
        assert page.count("<h1>") == page.count("<title>") == page.count("<main>") == 1
        described = re.findall(r'aria-describedby="([^"]+)"', page)
        assert described == re.findall(r'class="error" id="([^"]+)"', page)


def meanwhile(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
    """Do something once, while a password that was typed is being verified."""
    verify = PasswordHash.verify

    def verify_meanwhile(hashed: PasswordHash, candidate: str) -> bool:
        monkeypatch.setattr(PasswordHash, "verify", verify)
        action()
        return verify(hashed, candidate)

    monkeypatch.setattr(PasswordHash, "verify", verify_meanwhile)


def test_a_password_that_is_changed_during_a_log_in_stays_changed(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_up(LUKE)
    member = Member.find(email=LUKE["email"]).one()
    member.password = PasswordHash(BcryptCodec(rounds=5).encode(LUKE["password"]).decode())
    meanwhile(monkeypatch, lambda: member.update(password="IAmYourFather"))
    post(client, "/log-in", LUKE)
    assert member.password.verify("IAmYourFather")


def test_a_member_who_is_deleted_during_a_log_in_stays_deleted(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_up(LUKE)
    member = Member.find(email=LUKE["email"]).one()
    member.password = PasswordHash(BcryptCodec(rounds=5).encode(LUKE["password"]).decode())
    meanwhile(monkeypatch, member.delete)
    post(client, "/log-in", LUKE)
    assert not member
    assert client.get("/").location == "/log-in"


def test_a_session_has_its_deadline_from_the_first_moment(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(Session, "expire", killed)
    with suppress(SystemExit):
        signed_up(LUKE)
    assert [session.ttl() is not None for session in Session.all()] == [True]


@pytest.mark.parametrize("typed", ["rene\u0301@example.com", "ren\u00e9@example.com", "RENE\u0301@example.com"])
@pytest.mark.parametrize("password", ["tre\u0300s-secret", "tr\u00e8s-secret"])
def test_two_spellings_of_an_accent_are_one_member(client: FlaskClient, typed: str, password: str) -> None:
    signed_up(LUKE | {"email": "ren\u00e9@example.com", "password": "tr\u00e8s-secret"})
    assert errors(post(client, "/sign-up", LUKE | {"email": typed})) == ["This address has signed up already."]
    assert post(client, "/log-in", {"email": typed, "password": password}).location == "/"


def test_the_page_of_many_friends_asks_the_store_a_few_times(server: RunningServer) -> None:
    with counted(server.port) as proxy, connect(f"redis://127.0.0.1:{proxy.port}/0") as backend:
        configure({"backends": {"default": backend}})
        try:
            client = signed_up(LUKE)
            clones = [Member.upsert(number, name=f"Clone {number}") for number in range(200)]
            Member.find(email=LUKE["email"]).one().friends = clones
            client.get("/")
            proxy.reset()
            assert text(client.get("/")).count("<strong>") == len(clones)
        finally:
            configure({})
    assert proxy.trips < len(clones) / 4  # some 8; on a busy machine the relay takes one sending for several


def test_while_the_store_fails_the_page_says_sorry_and_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data").write_text("no folder")
    configure(f"json:{tmp_path}/data")
    try:
        response = post(app.test_client(), "/sign-up", LUKE)
    finally:
        configure({})
    assert response.status_code == 503
    assert "try again" in text(response)
    assert str(tmp_path) not in text(response)
    assert "POST /sign-up" in caplog.text
    assert LUKE["password"] not in caplog.text


@pytest.mark.slow
def test_the_command_of_the_readme_runs_the_application(tmp_path: Path) -> None:
    [command, *_] = re.findall(r"&& \.venv/bin/flask (.*)$", (FRIENDS / "README.md").read_text("utf-8"), re.MULTILINE)
    arguments = [sys.executable, "-u", "-m", "flask", *command.split(), "--port", "0"]
    environment = os.environ | {"PERSISTENT_COLLECTIONS_URL": f"json:{tmp_path}/data"}
    with subprocess.Popen(
        arguments, cwd=FRIENDS.parents[1], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr
            [address] = islice(filter(None, map(ADDRESS.search, process.stderr)), 1)
            with urlopen(f"{address[0]}/sign-up", urlencode(LUKE).encode()) as response:
                assert response.url == f"{address[0]}/log-in"  # urllib keeps no cookies
        finally:
            process.terminate()
    [stored] = (tmp_path / "data" / "Member").glob("*.json")
    assert "Luke Skywalker" in stored.read_text("utf-8")
