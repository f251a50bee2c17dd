"""The pages, as a FastAPI application. Every endpoint is a plain ``def``: FastAPI runs it in a thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from fastapi import Cookie, Depends, FastAPI, Form, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates

from persistent_collections import BackendError, FormError, NotUnique, ObjectNotFound, PageTokenError
from persistent_collections.aio import run
from shop.models import (
    SESSION_LASTS,
    Customer,
    Order,
    Product,
    Status,
    basket_lines,
    cancel,
    end_session,
    find_customer,
    log_in,
    pay,
    place_order,
    sign_up,
    start_session,
)

TOKEN = "session"
PAGE = 10
HERE = Path(__file__).parent

app = FastAPI(title="Shop")
app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
templates = Jinja2Templates(directory=HERE / "templates")


class NotLoggedInError(Exception):
    """Nobody is logged in."""


@app.middleware("http")
async def refuse_other_sites(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    """Refuse forms of other sites; forbid pages to load anything from elsewhere, and others to cache them."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    host = request.headers.get("Host")
    ours = site in {"same-origin", "none"} if site else not origin or origin.partition("://")[2] == host
    if request.method == "POST" and not ours:
        return PlainTextResponse("This form is of another site.", 403)
    response = await answer(request)
    response.headers["Content-Security-Policy"] = "default-src 'self'; form-action 'self'; frame-ancestors 'none'"
    response.headers.setdefault("Cache-Control", "no-store")
    return response


@app.exception_handler(NotLoggedInError)
def log_in_first(request: Request, error: NotLoggedInError) -> Response:
    """Send people who aren't logged in to the login."""
    del request, error
    return RedirectResponse("/log-in", 303)


@app.exception_handler(BackendError)
def store_failed(request: Request, error: BackendError) -> Response:
    """Say sorry while the store cannot be reached."""
    del error
    return templates.TemplateResponse(request, "sorry.html", {"customer": None, "errors": {}}, 503)


@app.exception_handler(PageTokenError)
@app.exception_handler(ObjectNotFound)
def nothing_there(request: Request, error: ObjectNotFound | PageTokenError) -> Response:
    """Show that there is no such page."""
    del error
    return templates.TemplateResponse(request, "missing.html", {"customer": None, "errors": {}}, 404)


def visitor(session: Annotated[str, Cookie()] = "") -> Customer | None:
    """Return the customer who is logged in, or None."""
    return find_customer(session) if session else None


def logged_in(found: Annotated[Any, Depends(visitor)]) -> Customer:
    """Return the customer who is logged in."""
    if found is None:
        raise NotLoggedInError
    customer: Customer = found
    return customer


def admin(customer: Annotated[Any, Depends(logged_in)]) -> Customer:
    """Return the admin who is logged in; for everyone else, the page does not exist."""
    if not customer.is_admin:
        raise HTTPException(404)
    found: Customer = customer
    return found


Visitor = Annotated[Any, Depends(visitor)]
LoggedIn = Annotated[Any, Depends(logged_in)]
Admin = Annotated[Any, Depends(admin)]
Text = Annotated[str, Form()]


def page(
    request: Request,
    name: str,
    customer: Customer | None,
    errors: Mapping[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    """Return a page that shows ``values``, with an error beside each wrong field."""
    context = {"customer": customer, "errors": errors or {}, "form": {}, **values}
    return templates.TemplateResponse(request, name, context, 422 if errors else 200)


def welcome(request: Request, customer: Customer) -> Response:
    """Send a customer to the products, with a new session."""
    response = to("/")
    token, is_https = start_session(customer), request.url.scheme == "https"
    lasts = int(SESSION_LASTS.total_seconds())
    response.set_cookie(TOKEN, token, max_age=lasts, secure=is_https, httponly=True, samesite="lax")
    return response


def to(path: str) -> Response:
    """Return an answer that sends the browser to a page of ours."""
    return RedirectResponse(path, 303)


# Customers


@app.get("/sign-up")
def sign_up_form(request: Request) -> HTMLResponse:
    """Show the form."""
    return page(request, "sign_up.html", None)


@app.post("/sign-up")
def sign_up_page(request: Request, name: Text, email: Text, password: Text) -> Response:
    """Make a customer from the form, and log them in."""
    try:
        customer = sign_up(name.strip(), email.strip(), password)
    except NotUnique:
        errors = {"email": "This address has signed up already."}
        return page(request, "sign_up.html", None, errors, form={"name": name, "email": email})
    return welcome(request, customer)


@app.get("/log-in")
def log_in_form(request: Request) -> HTMLResponse:
    """Show the form."""
    return page(request, "log_in.html", None)


@app.post("/log-in")
def log_in_page(request: Request, email: Text, password: Text) -> Response:
    """Start a session."""
    customer = log_in(email.strip(), password)
    if customer is None:
        errors = {"form": "The address or the password is wrong."}
        return page(request, "log_in.html", None, errors, form={"email": email})
    return welcome(request, customer)


@app.post("/log-out")
def log_out_page(session: Annotated[str, Cookie()] = "") -> Response:
    """End the session."""
    end_session(session)
    response = to("/log-in")
    response.delete_cookie(TOKEN)
    return response


@app.get("/account")
def account_page(request: Request, customer: LoggedIn, after: str | None = None) -> HTMLResponse:
    """Show a customer's balance, and a page of the orders."""
    orders = Order.of(customer).limit(PAGE).after(after)
    rows = list(orders.fetch("id", "placed", "total", "status"))
    return page(request, "account.html", customer, balance=customer.balance, orders=rows, token=orders.token)


@app.post("/account/email")
def change_email(request: Request, customer: LoggedIn, email: Text) -> Response:
    """Change the address: it is a field like any other, and still unique."""
    try:
        customer.email = email.strip().lower()
    except NotUnique:
        errors = {"email": "This address has signed up already."}
        orders = list(Order.of(customer).limit(PAGE).fetch("id", "placed", "total", "status"))
        shown = {"balance": customer.balance, "orders": orders, "token": None, "form": {"email": email}}
        return page(request, "account.html", customer, errors, **shown)
    return to("/account")


@app.post("/account/top-up")
def top_up(customer: LoggedIn, amount: Annotated[Decimal, Form(gt=0, le=1000)]) -> Response:
    """Add money to the balance."""
    customer.increment("balance", amount)
    return to("/account")


# Products, basket, orders


@app.get("/")
def products_page(request: Request, customer: Visitor) -> HTMLResponse:
    """Show the products."""
    products = Product.find().order_by("name").fetch("id", "name", "price", "stock")
    return page(request, "products.html", customer, products=list(products))


@app.post("/basket")
def add_to_basket(customer: LoggedIn, product: Text) -> Response:
    """Put one of a product into the basket."""
    customer.basket.increment(Product.load(product).id)
    return to("/basket")


@app.post("/basket/remove")
def remove_from_basket(customer: LoggedIn, product: Text) -> Response:
    """Take a product out of the basket."""
    customer.basket.pop(product, None)
    return to("/basket")


@app.get("/basket")
def basket_page(request: Request, customer: LoggedIn) -> HTMLResponse:
    """Show the basket, at today's prices."""
    lines = list(basket_lines(customer))
    total = sum((line.price * line.quantity for line in lines), Decimal(0))
    return page(request, "basket.html", customer, lines=lines, total=total)


@app.post("/orders")
def place(customer: LoggedIn) -> Response:
    """Make an order of the basket."""
    order = place_order(customer)
    return to(f"/orders/{order.id}" if order else "/basket")


@app.get("/orders/{id}")
def order_page(request: Request, customer: LoggedIn, id: str) -> HTMLResponse:
    """Show an order."""
    return show_order(request, customer, own_order(customer, id))


@app.post("/orders/{id}/pay")
def pay_page(request: Request, customer: LoggedIn, id: str) -> Response:
    """Pay an order."""
    order = own_order(customer, id)
    reason = pay(order)
    return show_order(request, customer, order, {"form": reason}) if reason else to(f"/orders/{id}")


@app.post("/orders/{id}/cancel")
def cancel_page(request: Request, customer: LoggedIn, id: str) -> Response:
    """Cancel an order."""
    order = own_order(customer, id)
    if cancel(order):
        return to(f"/orders/{id}")
    return show_order(request, customer, order, {"form": f"This order is {order.status.value} already."})


@app.get("/api/orders/{id}")
def order_as_json(customer: LoggedIn, id: str) -> Order:
    """Return an order as JSON: its customer as an id, and no secret."""
    return own_order(customer, id)


def own_order(customer: Customer, id: str) -> Order:
    """Return an order of the customer, or of anybody to an admin.

    Raises:
        ObjectNotFound: There is none.
    """
    order = Order.load(id)
    if order.customer != customer and not customer.is_admin:
        raise ObjectNotFound(id)
    return order


def show_order(
    request: Request, customer: Customer, order: Order, errors: Mapping[str, str] | None = None
) -> HTMLResponse:
    """Return the page of an order."""
    shown = {**order.to_dict(), "id": order.id, "lines": order.lines[:]}
    return page(request, "order.html", customer, errors, order=shown, is_open=shown["status"] is Status.OPEN)


# Admin


@app.get("/admin")
def admin_page(request: Request, customer: Admin) -> HTMLResponse:
    """Show how many orders there are, and the products."""
    return show_admin(request, customer)


@app.post("/admin/products")
async def save_product(request: Request, customer: Admin) -> Response:
    """Make a product, or change the one whose id is given."""
    return await run(stored_product, request, customer, dict((await request.form()).items()))


def stored_product(request: Request, customer: Customer, form: dict[str, Any]) -> Response:
    """Store the values of the form, and return the next page."""
    product = form.pop("id", "")
    try:
        values = Product.from_text(form, complete=not product)
    except FormError as error:
        return show_admin(request, customer, error.errors, form={"id": product, **form})
    if product:
        Product.load(product).update(**values)
    else:
        Product.create(**values)
    return to("/admin")


def show_admin(
    request: Request, customer: Customer, errors: Mapping[str, str] | None = None, form: Mapping[str, str] | None = None
) -> HTMLResponse:
    """Return the page of an admin."""
    counts = {status.value: Order.find(status=status).count() for status in Status}
    products = list(Product.find().order_by("name").fetch("id", "name", "price", "stock"))
    return page(request, "admin.html", customer, errors, counts=counts, products=products, form=form or {})
