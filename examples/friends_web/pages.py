"""The pages, as a Flask application."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from operator import itemgetter
from unicodedata import normalize

from flask import Flask, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug import Response

from friends_web.forms import Errors, sign_up_errors
from friends_web.members import SESSION_LASTS, Member, end_session, find_member, log_in, start_session
from persistent_collections import BackendError, NotUnique, fetch

TOKEN = "session"

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 16_384


@app.before_request
def refuse_other_sites() -> None:
    """Refuse forms that a page of another site makes the browser send.

    Browsers say where a request comes from. Old browsers, and all of them on unencrypted connections, send ``Origin``
    instead of ``Sec-Fetch-Site``. A client that sends neither is not a browser, and has no cookie to misuse.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    ours = site in {"same-origin", "none"} if site else not origin or origin.partition("://")[2] == request.host
    if request.method == "POST" and not ours:
        abort(403)


@app.after_request
def forbid_what_is_not_needed(response: Response) -> Response:
    """Forbid pages to load anything from elsewhere, and others to frame or cache them."""
    response.headers["Content-Security-Policy"] = "default-src 'self'; form-action 'self'; frame-ancestors 'none'"
    response.headers.setdefault("Cache-Control", "no-store")
    return response


@app.errorhandler(BackendError)
def store_failed(error: BackendError) -> ResponseReturnValue:
    """Say sorry while the store cannot be reached."""
    app.logger.error("%s %s: %s", request.method, request.path, error)
    return render_template("sorry.html", errors={}), 503


def members_only(page: Callable[[Member], ResponseReturnValue]) -> Callable[[], ResponseReturnValue]:
    """Pass the member who is logged in to ``page``; send everyone else to the login."""

    @wraps(page)
    def checked() -> ResponseReturnValue:
        member = find_member(request.cookies.get(TOKEN, ""))
        return redirect(url_for("log_in_page")) if member is None else page(member)

    return checked


@app.get("/")
@members_only
def friends_page(member: Member) -> ResponseReturnValue:
    """Show who is logged in, and their friends."""
    return friends(member, {}, {})


@app.post("/")
@members_only
def befriend_page(member: Member) -> ResponseReturnValue:
    """Make friends."""
    form = typed("email")
    other = Member.with_address(form["email"])
    if other is None:
        return friends(member, form, {"email": "Nobody has signed up with this address."})
    if other == member:
        return friends(member, form, {"email": "This is your own address."})
    member.befriend(other)
    return redirect(url_for("friends_page"))


@app.route("/sign-up", methods=["GET", "POST"])
def sign_up_page() -> ResponseReturnValue:
    """Make a member from the form, and log them in."""
    if request.method == "GET":
        return render_template("sign_up.html", form={}, errors={})
    form = typed("name", "email", "password")
    errors = sign_up_errors(form)
    if not errors:
        try:
            return logged_in(Member.sign_up(**form))
        except NotUnique:
            errors["email"] = "This address has signed up already."
    return render_template("sign_up.html", form=form, errors=errors), 422


@app.route("/log-in", methods=["GET", "POST"])
def log_in_page() -> ResponseReturnValue:
    """Start a session."""
    if request.method == "GET":
        return render_template("log_in.html", form={}, errors={})
    form = typed("email", "password")
    member = log_in(form["email"], form["password"])
    if member is not None:
        return logged_in(member)
    errors = {"form": "The address or the password is wrong."}
    return render_template("log_in.html", form=form, errors=errors), 422


@app.post("/log-out")
def log_out_page() -> ResponseReturnValue:
    """End the session."""
    end_session(request.cookies.get(TOKEN, ""))
    response = redirect(url_for("log_in_page"))
    response.delete_cookie(TOKEN)
    return response


def friends(member: Member, form: Mapping[str, str], errors: Errors) -> ResponseReturnValue:
    """Show the page of friends, in a few round trips whatever their number."""
    rows = sorted(fetch(member.friends, "name", "email"), key=itemgetter("name"))
    page = render_template("friends.html", name=member.name, friends=rows, form=form, errors=errors)
    return page, 422 if errors else 200


def logged_in(member: Member) -> ResponseReturnValue:
    """Send a member to their friends, with a new session."""
    response = redirect(url_for("friends_page"))
    token = start_session(member)
    response.set_cookie(TOKEN, token, SESSION_LASTS, secure=request.is_secure, httponly=True, samesite="Lax")
    return response


def typed(*names: str) -> dict[str, str]:
    """Return the text of fields, without the blanks around it; a password keeps them.

    Accented letters are put into one form (Unicode's NFC), since a Mac and a telephone may send them in two.
    """
    form = {name: normalize("NFC", request.form.get(name, "")) for name in names}
    return {name: text if name == "password" else text.strip() for name, text in form.items()}
