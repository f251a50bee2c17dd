"""The shop by hand on redis-py: hashes, sorted sets in place of indexes, and a script for each step."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import redis

from benchmarks.shop import LONG_PAGE, NEWEST, Page, SoldOutError, TakenError

SIGN_UP = """
if redis.call('HSETNX', 'emails', ARGV[1], ARGV[3]) == 0 then return 0 end
redis.call('HSET', 'customer:' .. ARGV[3], 'email', ARGV[1], 'name', ARGV[2])
return 1
"""
PLACE = """
local id, customer, placed, total = ARGV[1], ARGV[2], ARGV[3], 0
if redis.call('EXISTS', 'customer:' .. customer) == 0 then return -2 end
for i = 5, #ARGV, 2 do
  local held = redis.call('HMGET', 'product:' .. ARGV[i], 'stock', 'price')
  if not held[1] or tonumber(held[1]) < tonumber(ARGV[i + 1]) then return -1 end
  total = total + held[2] * ARGV[i + 1]
end
for i = 5, #ARGV, 2 do redis.call('HINCRBY', 'product:' .. ARGV[i], 'stock', -ARGV[i + 1]) end
redis.call('HSET', 'order:' .. id, 'customer', customer, 'placed', placed, 'total', total, 'basket', ARGV[4],
  'status', 'open')
redis.call('ZADD', 'orders', placed, id)
redis.call('ZADD', 'orders:of:' .. customer, placed, id)
redis.call('ZADD', 'orders:status:open', placed, id)
return total
"""
PAY = """
local held = redis.call('HMGET', 'order:' .. ARGV[1], 'status', 'placed')
redis.call('HSET', 'order:' .. ARGV[1], 'status', 'paid')
redis.call('ZREM', 'orders:status:' .. held[1], ARGV[1])
redis.call('ZADD', 'orders:status:paid', held[2], ARGV[1])
"""
CLOSE = """
if redis.call('EXISTS', 'orders:of:' .. ARGV[1]) == 1 then return 0 end
redis.call('HDEL', 'emails', redis.call('HGET', 'customer:' .. ARGV[1], 'email') or '')
return redis.call('DEL', 'customer:' .. ARGV[1])
"""


class RedisShop:
    """See :class:`benchmarks.shop.Shop`."""

    def __init__(self, client: redis.Redis) -> None:
        self._client: Any = client
        self._sign_up, self._place, self._pay, self._close = map(client.register_script, (SIGN_UP, PLACE, PAY, CLOSE))

    def sign_up(self, email: str, name: str) -> Any:
        ident = uuid4().hex
        if not self._sign_up(args=[email, name, ident]):
            raise TakenError
        return ident

    def stock_up(self, name: str, price: int, stock: int) -> Any:
        ident = uuid4().hex
        self._client.hset(f"product:{ident}", mapping={"name": name, "price": price, "stock": stock})
        return ident

    def place(self, customer: Any, basket: Mapping[Any, int], placed: int) -> Any:
        ident = uuid4().hex
        items = [part for item in basket.items() for part in item]
        if self._place(args=[ident, customer, placed, json.dumps(basket), *items]) < 0:
            raise SoldOutError
        return ident

    def pay(self, order: Any) -> None:
        self._pay(args=[order])

    def close_account(self, customer: Any) -> bool:
        return bool(self._close(args=[customer]))

    def by_email(self, email: str) -> str:
        ident = self._client.hget("emails", email)
        name: str = self._client.hget(f"customer:{ident.decode()}", "name").decode()
        return name

    def newest_of(self, customer: Any) -> Sequence[tuple[Any, int]]:
        idents = [each.decode() for each in self._client.zrevrange(f"orders:of:{customer}", 0, NEWEST - 1)]
        totals = self._all([("HGET", f"order:{ident}", "total") for ident in idents])
        return [(ident, int(total)) for ident, total in zip(idents, totals, strict=True)]

    def page(self, after: Any = None) -> Page:
        most = "+inf" if after is None else after[0]
        found = self._client.zrevrangebyscore("orders", most, "-inf", 0, LONG_PAGE + 2, withscores=True)
        places = [(score, ident.decode()) for ident, score in found]
        behind = [place for place in places if after is None or place < after][: LONG_PAGE + 1]
        page = behind[:LONG_PAGE]
        orders = self._all([("HMGET", f"order:{ident}", "customer", "total", "status") for _, ident in page])
        names = self._all([("HGET", f"customer:{customer.decode()}", "name") for customer, _, _ in orders])
        rows = [
            (ident, name.decode(), int(total), status.decode())
            for (_, ident), name, (_, total, status) in zip(page, names, orders, strict=True)
        ]
        return Page(rows, page[-1] if len(behind) > LONG_PAGE else None)

    def with_status(self, status: str) -> Sequence[Any]:
        return [ident.decode() for ident in self._client.zrange(f"orders:status:{status}", 0, -1)]

    def count(self, status: str) -> int:
        number: int = self._client.zcard(f"orders:status:{status}")
        return number

    def _all(self, commands: Sequence[Sequence[str]]) -> Any:
        with self._client.pipeline(transaction=False) as pipe:
            for command in commands:
                pipe.execute_command(*command)
            return pipe.execute()
