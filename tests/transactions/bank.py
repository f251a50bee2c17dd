"""What the workers of the bank do; it needs no pytest, so that processes start fast."""

from __future__ import annotations

import time
from random import Random
from typing import Final

from persistent_collections import (
    Backend,
    ConflictError,
    OutcomeUnknown,
    PersistentList,
    Record,
    child,
    transactional,
    use_backend,
)
from tests.transactions.gang import Log

START: Final = 100


class Account(Record, name="bank-account"):
    balance: int = START
    touched: int = 0
    log: PersistentList[str] = child()


class Doctor(Record, name="bank-doctor"):
    is_on_call: bool = True


@transactional
def transfer(source: str, target: str, amount: int, name: str) -> bool:
    """Move an amount if it is there, and note that at both accounts."""
    a, b = Account.ref(source), Account.ref(target)
    if a.balance < amount:
        return False
    a.balance -= amount
    b.balance += amount
    a.log.append(f"-{amount} {name}")
    b.log.append(f"{amount} {name}")
    return True


@transactional
def total(accounts: int) -> int:
    """Return the sum of all balances."""
    return sum(Account.ref(str(number)).balance for number in range(accounts))


@transactional
def go_or_come(name: str, other: str) -> int:
    """Let a doctor go off call if another one is on call, or come back; return how many were on call before."""
    one, another = Doctor.ref(name), Doctor.ref(other)
    on_call = one.is_on_call + another.is_on_call
    one.is_on_call = not one.is_on_call or not another.is_on_call
    return on_call


def work_in_bank(backend: Backend, log: Log, times: int) -> None:
    """Transfer, read the sum and increment a field, in turn, until so many transfers returned; write down what was."""
    random = Random()
    with use_backend(backend):
        accounts = Account.count()
        done = 0
        while done < times or not log.is_over:
            name = f"{log.worker}.{len(log.before)}.{done}"
            try:
                _work(random, log, accounts, name)
            except ConflictError:
                log.write("out of attempts", name)
            done += 1


def _work(random: Random, log: Log, accounts: int, name: str) -> None:
    source, target = map(str, random.sample(range(accounts), 2))
    begun = time.perf_counter()
    try:
        is_done = transfer(source, target, random.randint(1, 30), name)
    except OutcomeUnknown:
        log.write("unknown", name)
    else:
        log.write("transfer", [name, is_done, time.perf_counter() - begun])
    begun = time.perf_counter()
    Account.ref(source).increment("touched")
    log.write("plain", time.perf_counter() - begun)
    begun = time.perf_counter()
    log.write("sum", [total(accounts), time.perf_counter() - begun])


def work_in_hospital(backend: Backend, log: Log, times: int) -> None:
    """Let one of two doctors come and go, and write down how many were on call."""
    random = Random()
    with use_backend(backend):
        done = 0
        while done < times or not log.is_over:
            log.write("on call", go_or_come(*random.sample(["a", "b"], 2)))
            done += 1
