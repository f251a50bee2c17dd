"""Interrupts: an exception of a signal handler at each moment of a call at which the interpreter would raise one.

The interpreter runs signal handlers only between certain instructions: on entering a function, after a call, and on
jumping backwards. A trace function that raises at each line would also raise where no signal handler can, for example
between the end of a ``with`` block and its ``__exit__``. So nothing here raises in a trace function: it only marks a
signal as having arrived, once before every instruction, and the interpreter does the rest.
"""

from __future__ import annotations

import ctypes
import dis
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from types import CodeType, FrameType
from typing import Any, Final

PATIENCE_S: Final = 20

_QUIET: Final = (
    *("LOAD_CONST", "LOAD_FAST", "LOAD_GLOBAL", "LOAD_DEREF", "LOAD_CLOSURE", "STORE_FAST", "STORE_DEREF", "NOP"),
    *("POP_TOP", "PUSH_NULL", "PUSH_EXC_INFO", "POP_EXCEPT", "SWAP", "COPY", "PRECALL", "KW_NAMES", "RESUME", "CACHE"),
    *("IS_OP", "MAKE_FUNCTION", "BUILD_TUPLE", "BUILD_LIST", "BUILD_MAP", "RETURN_VALUE", "RERAISE", "MAKE_CELL"),
)
"""Instructions that run no code that could look for signals."""

_arrive: Final = ctypes.pythonapi.PyErr_SetInterrupt  # these two are called in place of a trace function
_nothing: Final = ctypes.pythonapi.Py_IsInitialized
for _function in (_arrive, _nothing):
    _function.argtypes = [ctypes.py_object] * 3
    _function.restype = None


class Interrupted(BaseException):
    """Raised by the signal handler."""


class _Tracer:
    """Lets a signal arrive before the instruction after the ``moment``-th that counts, from the ``start``-th call on.

    What comes before that call runs almost untraced, since CPython is slow where every instruction is traced, and its
    3.11 may crash. After the signal nothing written in Python traces any more, since the handler could run in it, and
    its exception would be one of the trace function.

    Attributes:
        calls: How many calls have begun.
        since_call: How many moments have passed since the last of them.
    """

    def __init__(self, start: int, moment: int) -> None:
        self.calls = 0
        self.since_call = -1
        self._start = start
        self._left = moment
        self._traced: list[FrameType] = []

    def enter(self, frame: FrameType, event: str, arg: object) -> Any:
        del event, arg
        if frame.f_code.co_filename == __file__:
            return None
        self.calls += 1
        self.since_call = -1
        if self.calls < self._start:
            return None
        if not self._traced:
            caller = frame.f_back
            while caller is not None and caller.f_code.co_filename != __file__:
                self._trace(caller)
                caller = caller.f_back
        return self._trace(frame)

    def _trace(self, frame: FrameType) -> Any:
        self._traced.append(frame)
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        frame.f_trace = self._step
        return self._step

    def _step(self, frame: FrameType, event: str, arg: object) -> Any:
        del arg
        if event == "opcode" and frame.f_lasti in _moments(frame.f_code):
            self._left -= 1
            self.since_call += 1
            if self._left < 0:
                sys.settrace(_nothing)
                while self._traced:  # and no frame is kept, which would keep what is in it
                    self._traced.pop().f_trace = _nothing
                frame.f_trace = _arrive
                return _arrive
        return self._step


def interrupt(call: Callable[[], object], moment: int, kept: list[Interrupted] | None = None) -> bool:
    """Interrupt ``call`` at one of its moments, counted from 0, and say whether it had so many.

    The exception is put into ``kept``, and with it the frames that it left, as a debugger keeps them.

    What handles signals at other times is put back. An interrupt that the interpreter drops, for example in a
    finalizer, counts as one.
    """
    return _interrupt(call, _Tracer(0, moment), kept)


def interruptions(call: Callable[[], object], *, first: int = 0, stride: int = 1) -> Iterator[int]:
    """Interrupt ``call`` once at each of its moments, or at every ``stride``-th, and yield the moment after each.

    The exception is kept until the next one, so that nothing is freed only because its frame is.
    """
    moment, kept, tracer = first, list[Interrupted](), _Tracer(0, first)
    while _interrupt(call, tracer, kept):
        yield moment
        kept.clear()
        moment += stride
        tracer = _Tracer(tracer.calls, tracer.since_call + stride)
    assert moment > first, "no moment of the call could be interrupted"


def _interrupt(call: Callable[[], object], tracer: _Tracer, kept: list[Interrupted] | None) -> bool:
    handled: list[None] = []
    process = os.getpid()

    def handle(signum: int, frame: FrameType | None) -> None:
        del signum, frame
        sys.settrace(None)
        if os.getpid() != process:
            os._exit(0)  # a fork that the call made, which must not go on as the test
        if not handled:
            handled.append(None)
            raise Interrupted

    before, hook, tracing = signal.signal(signal.SIGINT, handle), sys.unraisablehook, sys.gettrace()
    sys.unraisablehook = lambda unraisable: None if unraisable.exc_type is Interrupted else hook(unraisable)
    try:
        _run(call, tracer)
    except Interrupted as error:
        if kept is not None:
            kept.append(error)
    finally:
        sys.settrace(tracing)
        signal.signal(signal.SIGINT, before)
        sys.unraisablehook = hook
    return bool(handled)


def handled_within(call: Callable[[], object], inner: Callable[[], object], moment: int) -> bool:
    """Run ``inner`` once in the middle of ``call``, before its ``moment``-th line, and say whether it has so many."""
    left = [moment]

    def step(frame: FrameType, event: str, arg: object) -> Any:
        del frame, arg
        if event == "line":
            left[0] -= 1
            if left[0] == -1:
                sys.settrace(None)
                inner()
        return step

    sys.settrace(step)
    try:
        call()
    finally:
        sys.settrace(None)
    return left[0] < 0


def ends_in_a_thread(work: Callable[[], object]) -> bool:
    """Say whether another thread can do ``work``."""
    done: list[None] = []

    def run() -> None:
        work()
        done.append(None)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    return bool(done)


def ends_in_a_fork(work: Callable[[], object]) -> bool:
    """Say whether a fork, made by a thread of its own, can do ``work``."""
    ended: list[int] = []

    def fork() -> None:
        child = os.fork()
        if child == 0:
            signal.alarm(PATIENCE_S)
            try:
                work()
                os._exit(0)
            finally:
                os._exit(1)
        ended.append(os.waitpid(child, 0)[1])

    return ends_in_a_thread(fork) and ended == [0]


def _run(call: Callable[[], object], tracer: _Tracer) -> None:
    sys._getframe().f_trace_opcodes = True  # CPython 3.12 asks only now whether any frame wants them
    sys.settrace(tracer.enter)
    try:
        call()
    finally:
        sys.settrace(None)


@cache
def _moments(code: CodeType) -> frozenset[int]:
    """Return the offsets of the instructions after which one may come that looks for signals."""
    instructions = list(dis.get_instructions(code))
    return frozenset(
        one.offset
        for one, after in pairwise(instructions)
        if after.opname not in _QUIET or "JUMP" in one.opname or one.opname in ("FOR_ITER", "SEND")
    )
