"""Time the codecs beside the libraries they stand on: ``python benchmarks/codec_speed.py``.

The two are timed in turn, many short runs each, and the fastest run of each counts; a ratio above 1 is what the codec
adds. Values a codec has to tag have no plain counterpart, and stand beside nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from timeit import Timer
from typing import Any

import msgpack  # type: ignore[import-untyped] # it ships no types

from persistent_collections import Codec, get_codec

ROUNDS = 30
RUN_S = 0.005

ROW = {"name": "Luke Skywalker", "age": 23, "score": 1.5, "active": True, "email": "luke@example.com"}
PLAIN: dict[str, Any] = {
    "int": 42,
    "str": "hello",
    "float": 1.5,
    "dict of 5": ROW,
    "1,000 int": list(range(1000)),
    "1,000 str": [f"item {number}" for number in range(1000)],
    "1,000 mixed": [(n, n * 1.5, f"x{n}", None, True)[n % 5] for n in range(1000)],
    "200 dicts of 5": [dict(ROW) for _ in range(200)],
}
TAGGED: dict[str, Any] = {
    "datetime": datetime(2024, 1, 1, tzinfo=UTC),
    "tuple": (1, "a"),
    "dict of 5, one a datetime": ROW | {"age": datetime(2024, 1, 1, tzinfo=UTC)},
    "200 dicts of int keys": [dict.fromkeys(range(5), "x") for _ in range(200)],
}
LIBRARIES: dict[str, tuple[Callable[[Any], bytes], Callable[[bytes], Any]]] = {
    "json": (lambda value: json.dumps(value).encode(), json.loads),
    "msgpack": (msgpack.packb, msgpack.unpackb),
}


def fastest_us(*functions: Callable[[], object]) -> list[float]:
    """Return the fastest run of each function, run in turn."""
    timers = [Timer(function) for function in functions]
    loops = max(1, int(RUN_S / max(timers[0].timeit(3) / 3, 1e-7)))
    runs = [[timer.timeit(loops) / loops for timer in timers] for _ in range(ROUNDS)]
    return [min(column) * 1e6 for column in zip(*runs, strict=True)]


def compared(codec: Codec) -> Iterator[str]:
    """Give a line for each plain value and direction."""
    write, read = LIBRARIES[codec.name]
    for title, value in PLAIN.items():
        data = codec.encode(value)
        there = fastest_us(partial(write, value), partial(codec.encode, value))
        back = fastest_us(partial(read, data), partial(codec.decode, data))
        for direction, (theirs, ours) in {"encode": there, "decode": back}.items():
            yield f"{codec.name:8}{title:26}{direction}{theirs:9.2f} µs{ours:9.2f} µs  x{ours / theirs:.2f}"


def alone(codec: Codec) -> Iterator[str]:
    """Give a line for each tagged value."""
    for title, value in TAGGED.items():
        data = codec.encode(value)
        there, back = fastest_us(partial(codec.encode, value)), fastest_us(partial(codec.decode, data))
        yield f"{codec.name:8}{title:26}encode{there[0]:9.2f} µs  decode{back[0]:9.2f} µs"


if __name__ == "__main__":
    for name in LIBRARIES:
        for line in (*compared(get_codec(name)), *alone(get_codec(name))):
            print(line)
