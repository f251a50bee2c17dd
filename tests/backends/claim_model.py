"""Explore the protocols that keep unique index entries true on a Redis Cluster.

A record and the indexes of its class lie in different slots, and a script touches one slot only. Every step here is one
atomic script. Between any two, everything else may happen: other clients run, records expire, minutes pass. A client
that crashes takes no more steps, so every property is checked in every state, not only at the end.

Time. One tick is the life of a claim ("a minute"). Marks of the older variants live two ticks ("an hour"). A client
that checks its own clock does so before it sends; its message may then take one more tick, or any time where delays
are not bounded. The recommended variant has no client clock, and its messages may always take any time.

Properties: U, no two records hold one value. F, a record that holds a value has an entry for it. L, a new client that
runs alone can store any value no record holds. N, a write is refused only while another record holds its value.

Exit status 0: the variants expected to hold do, every other one is caught. ``--full`` sees every state (half an hour).
"""

import random
import sys
import time
from typing import Any, NamedTuple

IDS, NAMES, FIELDS = "xyzn", "ABCD", ("name", "mail")
VALUES = "VWPQST"  # S and T are values of an index that is not unique
OLD = -3  # ticks are relative to now; anything older than this is equally old
CLAIM, CONTEST, WRITE, AGAIN, TIDY = range(5)
NONE: frozenset[Any] = frozenset()


class Variant(NamedTuple):
    """Say how one protocol differs. The defaults are the recommended one."""

    name: str
    tokens: str = "stamp"  # how CLAIM names itself: "stamp", or a nonce: "fresh", "reuse", "replace"
    contest: str = "forbid"  # or "entry": refuse at once; "look": never forbid; "first": forbid one of many
    window: bool = True  # WRITE compares the stamp with the clock of the record's node
    margin: int = 1  # ticks that a fence outlives the claims it forbids
    write_rule: bool = False
    claim_rule: bool = False  # begin anew if a minute passed since CLAIM, since FORBID
    bounded: bool = True  # a message arrives at most a minute after its client's check
    pruned: bool = False  # marks have no deadline; a WRITE drops those older than an hour
    reader: str = "aged"  # readers remove "aged" entries, "forbid" as contestants do, or "bare"
    tidy: bool = False  # the writer removes its record's old entries afterwards, unasked
    holds: bool = False  # what is expected


class Record(NamedTuple):
    """One record's slot: values of its fields or None, marks (token, tick when set), ticks its clock went back."""

    values: tuple[Any, ...] | None = None
    marks: frozenset[Any] = NONE
    behind: int = 0


class Client(NamedTuple):
    """What a client knows: operations to do, the place in the first one, and what it read so far."""

    ops: tuple[Any, ...]
    at: int = CLAIM
    tries: int = 0
    claim: tuple[Any, ...] = ()  # tokens of its last CLAIM
    since: int = 0  # tick of its last CLAIM or FORBID
    takes: frozenset[Any] = NONE  # entries it has forbidden and may take away
    rivals: frozenset[Any] = NONE  # entries of other ids that it has to contest
    floor: tuple[Any, ...] | None = None  # WRITE was refused: the next stamp must be later than this


GAVE_UP = Client((), -1)


class State(NamedTuple):
    """Everything: records, entries (field, value, id, token) of the class's slot, clients, events still allowed."""

    recs: tuple[Any, ...]
    ents: frozenset[Any]
    clients: tuple[Any, ...]
    expiries: int = 0
    backs: int = 0


class Scenario(NamedTuple):
    """A start and the operations of each client."""

    name: str
    held: dict[str, str]
    ops: tuple[Any, ...]
    expiries: int = 0
    backs: int = 0
    skews: tuple[Any, ...] = (0,)  # what the clock of the class's node may show, against the others
    indexed: bool = True  # False: records were imported without entries; F is checked at the end


def put(i: Any, *wants: Any, guard: Any = "old", resend: Any = False) -> Any:
    """Return an operation that stores values, "-" for one that stays. The record is new, old or the same."""
    return ("put", IDS.index(i), tuple((f, VALUES.index(x)) for f, x in enumerate(wants) if x != "-"), guard, resend)


def new(i: Any, *wants: Any) -> Any:
    return put(i, *wants, guard="new")


def delete(i: Any) -> Any:
    return ("delete", IDS.index(i), (), "", False)


SWEEP, ANY = ("sweep", 0, (), "", False), ("any", 0, (), "", False)
MENU = (new("x", "V"), new("y", "V"), put("x", "V"), put("x", "W"), put("y", "V"), delete("x"), SWEEP)

SCENARIOS = (
    Scenario("take over", {"x": "V"}, ((put("x", "W"), put("x", "V")), (new("y", "V"),)), 1),
    Scenario("three creators", {}, ((new("x", "V"),), (new("y", "V"),), (new("z", "V"),))),
    Scenario("one id twice", {}, ((new("x", "V"),), (new("x", "V"),), (new("y", "V"),)), 1),
    Scenario("delete and make anew", {"x": "V"}, ((delete("x"), new("x", "V")), (new("y", "V"),), (put("x", "W"),)), 1),
    Scenario("swap", {"x": "V", "y": "W"}, ((put("x", "W"),), (put("y", "V"),), (put("x", "V"),)), 1),
    Scenario(
        "two fields",
        {"x": "VP", "y": "WQ"},
        ((put("x", "W", "P"), put("x", "-", "Q")), (delete("y"), new("z", "V", "Q"))),
    ),
    Scenario("finder", {"x": "V"}, ((put("x", "W"), put("x", "V")), (SWEEP, SWEEP), (new("y", "V"),))),
    Scenario(
        "secondary index",
        {"x": "VS", "y": "WS"},
        ((put("x", "-", "T"), put("x", "-", "S")), (SWEEP, SWEEP), (delete("x"), new("x", "V", "S"))),
    ),
    Scenario("resent write", {"x": "W"}, ((put("x", "V", resend=True),), (put("x", "W"),), (new("y", "V"),))),
    Scenario("reindex", {"x": "V"}, ((put("x", "V", guard="same"),), (put("x", "W"),), (SWEEP,)), 1, indexed=False),
    Scenario("clocks", {"x": "V"}, ((put("x", "W"), put("x", "V")), (new("y", "V"),)), 0, 1, (-1, 0, 1)),
    Scenario("clocks, finder", {}, ((new("x", "V"),), (SWEEP,), (new("y", "V"),)), 1, 1, (-1, 1)),
    Scenario("any operations", {}, ((ANY, ANY), (ANY, ANY))),
)


def start(scenario: Any) -> Any:
    recs, ents = [], set()
    for i, name in enumerate(IDS[:3]):
        values = (*[VALUES.index(x) for x in scenario.held.get(name, "")], None, None)[:2]
        recs.append(Record(values if name in scenario.held else None))
        if scenario.indexed:
            ents |= {(f, x, i, (OLD, 0)) for f, x in enumerate(values) if x is not None}
    return normal(
        State(
            tuple(recs), frozenset(ents), tuple(Client(ops) for ops in scenario.ops), scenario.expiries, scenario.backs
        )
    )


def normal(s: Any, passed: Any = 0, rules: Any = False) -> Any:  # noqa: C901 - as one thinks of it
    """Let ticks pass and number each id's tokens by their order: only tokens of one id are ever compared."""
    used = [{t for t, _ in r.marks} for r in s.recs]
    for _, _, i, t in s.ents:
        used[i].add(t)
    for c in s.clients:
        if not c.ops:
            continue
        for _, _, i, t in (*c.takes, *c.rivals):
            used[i].add(t)
        used[c.ops[0][1]].update(c.claim, [c.floor] if c.floor else ())
    names = [{t: (max(t[0] - passed, OLD), k) for k, t in enumerate(sorted(tokens))} for tokens in used]
    if not passed and all(a == b for name in names for a, b in name.items()):
        return s

    def renamed(ents: Any) -> Any:
        return frozenset([(f, x, i, names[i][t]) for f, x, i, t in ents]) if ents else NONE

    recs = tuple(
        [
            Record(r.values, frozenset([(name[t], max(at - passed, OLD)) for t, at in r.marks]), r.behind)
            if r.marks
            else r
            for r, name in zip(s.recs, names, strict=False)
        ]
    )
    clients = []
    for client in s.clients:
        c = client
        if c.claim or c.takes or c.rivals or c.floor:
            mine, timed = names[c.ops[0][1]], passed if rules and (c.claim or c.takes) else 0
            c = Client(
                c.ops,
                c.at,
                c.tries,
                tuple([mine[t] for t in c.claim]),
                max(c.since - timed, OLD),
                renamed(c.takes),
                renamed(c.rivals),
                c.floor and mine[c.floor],
            )
        clients.append(c)
    return State(recs, renamed(s.ents), tuple(clients), s.expiries, s.backs)


def word(f: Any, x: Any) -> Any:
    return f"{VALUES[x]}" + (f" ({FIELDS[f]})" if f else "")


def words(wants: Any) -> Any:
    return " and ".join(word(f, x) for f, x in wants)


class Protocol:
    """The steps of one variant."""

    most = 0  # scripts that a new client alone has needed so far

    def __init__(self, variant: Any, skews: Any = (0,), tries: Any = 3) -> None:
        self.v, self.skews, self.tries = variant, skews, tries

    def moves(self, s: Any) -> Any:
        """Yield (words, next state, fault or None) for everything that may happen next."""
        for n, c in enumerate(s.clients):
            if c.ops:
                yield from self.steps(s, n, c)
        yield from self.events(s)

    def events(self, s: Any) -> Any:
        for i, r in enumerate(s.recs):
            if s.expiries and r.values:
                yield (
                    f"{IDS[i]} expires",
                    self.store(s, i, r._replace(values=None))._replace(expiries=s.expiries - 1),
                    None,
                )
            if s.backs and not r.behind:
                yield (
                    f"the clock of {IDS[i]}'s node goes back a minute",
                    self.store(s, i, r._replace(behind=1))._replace(backs=s.backs - 1),
                    None,
                )
        later = normal(s, 1, self.v.write_rule or self.v.claim_rule)
        recs = tuple(
            r._replace(marks=frozenset(m for m in r.marks if self.kept(r, m))) if r.marks else r for r in later.recs
        )
        yield "a minute passes", normal(later._replace(recs=recs)), None

    def kept(self, r: Any, mark: Any) -> Any:
        """Say whether a mark outlives this tick, by the clock of its node."""
        if self.v.tokens == "stamp":
            return -r.behind - mark[0][0] < 1 + self.v.margin
        return self.v.pruned or mark[1] > -2

    def store(self, s: Any, i: Any, record: Any) -> Any:
        return s._replace(recs=(*s.recs[:i], record, *s.recs[i + 1 :]))

    def turn(self, s: Any, n: Any, c: Any) -> Any:
        return normal(s._replace(clients=(*s.clients[:n], c, *s.clients[n + 1 :])))

    def done(self, s: Any, n: Any, c: Any) -> Any:
        return self.turn(s, n, Client(c.ops[1:]))

    def retry(self, s: Any, n: Any, c: Any) -> Any:
        """Go on with another try, or give up after some."""
        return self.turn(s, n, c._replace(tries=c.tries + 1) if c.tries + 1 < self.tries else GAVE_UP)

    def anew(self, s: Any, n: Any, c: Any, floor: Any = None) -> Any:
        return self.retry(s, n, Client(c.ops, tries=c.tries, floor=floor))

    def in_time(self, rule: Any, since: Any) -> Any:
        """Return whether the script may still arrive, and whether the client may have seen that it is late."""
        return not rule or since >= -1 or not self.v.bounded, bool(rule) and since <= -1

    def steps(self, s: Any, n: Any, c: Any) -> Any:  # noqa: C901 - as one thinks of it
        kind, i, _wants, _guard, _resend = c.ops[0]
        who = NAMES[n]
        if kind == "any":
            for op in MENU:
                yield f"{who} decides", self.turn(s, n, c._replace(ops=(op, *c.ops[1:]))), None
        elif kind == "delete":
            yield f"{who} deletes {IDS[i]}", self.done(self.store(s, i, s.recs[i]._replace(values=None)), n, c), None
        elif c.at == CONTEST:
            yield from self.contest(s, n, c, who)
        elif c.at == WRITE or (c.at == AGAIN and self.in_time(self.v.write_rule, c.since)[0]):
            yield from self.write(s, n, c, who)
        elif c.at == AGAIN:
            return
        elif c.at == TIDY:
            yield f"{who} removes the old entries of {IDS[i]}", self.done(s._replace(ents=s.ents - c.takes), n, c), None
        elif kind == "sweep" and not c.takes:
            for f, x, j in sorted({e[:3] for e in s.ents}):
                yield (
                    f"{who} meets the entry of {IDS[j]} under {word(f, x)}",
                    self.turn(s, n, c._replace(at=CONTEST, rivals=frozenset(e for e in s.ents if e[:3] == (f, x, j)))),
                    None,
                )
        else:
            yield from self.claim(s, n, c, who)

    def claim(self, s: Any, n: Any, c: Any, who: Any) -> Any:  # noqa: C901 - as one thinks of it
        """CLAIM, in the class's slot: take away forbidden entries, then add own ones unless contested."""
        kind, i, wants, *_ = c.ops[0]
        v = self.v
        arrives, late = self.in_time(v.claim_rule and c.takes, c.since)
        if late:
            yield f"{who} sees that a minute passed and begins anew", self.anew(s, n, c), None
        if not arrives:
            return
        left = (
            s.ents - c.takes
            if v.tokens != "stamp"
            else frozenset(e for e in s.ents if not any(e[:3] == g[:3] and e[3] <= g[3] for g in c.takes))
        )
        taken = s.ents - left
        said = (
            f"{who} takes away "
            + ", ".join(f"{IDS[j]}'s entry under {word(f, x)}" for f, x, j, _ in sorted(taken))
            + ("; it " if wants else "")
            if taken
            else who + " "
        )
        if kind == "sweep":
            yield said, self.done(s._replace(ents=left), n, c), None
            return
        rivals = frozenset(e for e in left if e[2] != i and e[:2] in wants and e[1] < 4)
        if rivals:
            names = " and ".join(sorted({IDS[e[2]] for e in rivals}))
            if v.contest == "entry":
                held = any(s.recs[e[2]].values and s.recs[e[2]].values[e[0]] == e[1] for e in rivals)
                yield (
                    f"{said}is refused {words(wants)}, which {names} claimed",
                    self.done(s, n, c),
                    None if held else "N",
                )
            else:
                yield (
                    f"{said}claims {words(wants)} for {IDS[i]}: {names} is there",
                    self.retry(s._replace(ents=left), n, c._replace(at=CONTEST, takes=NONE, rivals=rivals, since=0)),
                    None,
                )
            return
        own = {w: [e for e in left if e[:2] == w and e[2] == i] for w in wants}
        for skew in self.skews:
            token: Any = (skew, 99)
            tokens: list[Any] = []
            ents = left
            if v.tokens == "stamp":
                token = max(
                    [token]
                    + [(t[0], t[1] + 0.5) for t in [c.floor or (OLD, -1)] + [e[3] for es in own.values() for e in es]]
                )
            for w in wants:
                mine = token
                if v.tokens == "reuse" and own[w] and not c.floor:
                    mine = max(own[w])[3]
                if v.tokens in ("stamp", "replace"):
                    ents -= frozenset(own[w])
                ents |= {(*w, i, mine)}
                tokens.append(mine)
            told = f", by a clock {'ahead' if skew > 0 else 'behind'}" if skew else ""
            yield (
                f"{said}claims {words(wants)} for {IDS[i]}{told}",
                self.turn(
                    s._replace(ents=ents), n, Client(c.ops, WRITE, c.tries, tuple(sorted(set(tokens))), floor=c.floor)
                ),
                None,
            )

    def contest(self, s: Any, n: Any, c: Any, who: Any) -> Any:
        """FORBID, in the other record's slot: it holds the value, or these claims will never be written."""
        f, x, j = min(c.rivals)[:3]
        r, v, sweeping = s.recs[j], self.v, c.ops[0][0] == "sweep"
        entries = frozenset(e for e in c.rivals if e[:3] == (f, x, j))
        if r.values and r.values[f] == x:
            yield (
                f"{who} reads that {IDS[j]} holds {word(f, x)}" + ("" if sweeping else ": NotUnique"),
                self.done(s, n, c),
                None,
            )
            return
        how = v.reader if sweeping else v.contest
        marks = r.marks
        aged = v.tokens == "stamp" and all(-r.behind - e[3][0] >= 1 + v.margin for e in entries)
        if sweeping and how == "aged" and not aged:
            yield f"{who} leaves the young entry of {IDS[j]}", self.done(s, n, c), None
            return
        forbidden = sorted(e[3] for e in entries)[: 1 if how == "first" else None]
        if how in ("look", "bare") or aged:
            said = "reads that"
        elif v.tokens == "stamp":
            marks, said = frozenset({(max(forbidden + [t for t, _ in marks]), OLD)}), "forbids, as"
        else:
            marks, said = (
                frozenset((t, at) for t, at in marks if t not in forbidden) | {(t, 0) for t in forbidden},
                "forbids, as",
            )
        rivals = c.rivals - entries
        yield (
            f"{who} {said} {IDS[j]} does not hold {word(f, x)}",
            self.turn(
                self.store(s, j, r._replace(marks=marks)),
                n,
                c._replace(
                    at=CONTEST if rivals else CLAIM,
                    rivals=rivals,
                    takes=c.takes | entries,
                    since=c.since if c.takes else 0,
                ),
            ),
            None,
        )

    def write(self, s: Any, n: Any, c: Any, who: Any) -> Any:  # noqa: C901 - as one thinks of it
        """WRITE, in the record's slot: refused if the claim is forbidden or too old, else guarded and stored."""
        _kind, i, wants, guard, resend = c.ops[0]
        v, r = self.v, s.recs[i]
        arrives, late = self.in_time(v.write_rule and c.at == WRITE, c.since)
        if late:
            yield f"{who} sees that a minute passed and begins anew", self.anew(s, n, c), None
        if not arrives:
            return
        said, now = f"{who} " + ("(its message arrives twice) " if c.at == AGAIN else ""), -r.behind
        if v.tokens == "stamp":
            fence = max([t for t, _ in r.marks], default=(OLD, -1))
            refused, floor = c.claim[-1] <= fence or (v.window and now > c.claim[-1][0]), max(fence, (now, -1))
        else:
            floor = next((t for t in c.claim if any(t == m for m, _ in r.marks)), None)
            refused = floor is not None
        if v.pruned:
            r = r._replace(marks=frozenset(m for m in r.marks if m[1] > -2))
        if refused:
            yield (
                f"{said}may not write {IDS[i]}: its claim is forbidden or too old",
                (self.done(s, n, c) if c.at == AGAIN else self.anew(self.store(s, i, r), n, c, floor)),
                None,
            )
            return
        if (r.values is None) != (guard == "new") or (guard == "same" and any(r.values[f] != x for f, x in wants)):
            yield (
                f"{said}does not write {IDS[i]}: it " + ("is gone or changed" if guard != "new" else "exists"),
                self.done(self.store(s, i, r), n, c),
                None,
            )
            return
        before = r.values or (None, None)
        values = tuple(dict(wants).get(f, x) for f, x in enumerate(before))
        t = self.store(s, i, r._replace(values=values))
        old = frozenset(e for e in s.ents if e[2] == i and before[e[0]] == e[1] and values[e[0]] != e[1])
        if v.tidy and old:
            after = self.turn(t, n, c._replace(at=TIDY, takes=old))
        elif resend and c.at == WRITE:
            after = self.turn(t, n, c._replace(at=AGAIN))
        else:
            after = self.done(t, n, c)
        yield f"{said}writes {words(wants)} into {IDS[i]}", after, None

    def fault(self, s: Any, scenario: Any, only: Any = "UF") -> Any:
        """Return the letter of a property that this state breaks, or None."""
        held = [(f, x, i) for i, r in enumerate(s.recs) if r.values for f, x in enumerate(r.values) if x is not None]
        unique = [(f, x) for f, x, _ in held if x < 4]
        if len(set(unique)) < len(unique):
            return "U"
        if "F" not in only or (not scenario.indexed and any(c.ops or c == GAVE_UP for c in s.clients)):
            return None
        there = {e[:3] for e in s.ents}
        return None if all(h in there for h in held) else "F"

    def stuck(self, s: Any, cache: Any) -> Any:
        """Return whether some free value cannot be stored by a new client that runs alone; note its most steps."""
        key = (s.recs, s.ents)
        if key not in cache:
            held = {r.values[0] for r in s.recs if r.values}
            recs, cache[key] = (*s.recs, Record()), False
            for x in {0, 1} - held:
                for i in [k for k, r in enumerate(recs) if r.values is None]:
                    t = State(recs, s.ents, (Client((("put", i, ((0, x),), "new", False),)),))
                    steps = 0
                    while t.clients[0].ops and steps < 20:
                        t = next(Protocol(self.v, tries=20).moves(t))[1]
                        steps += 1
                    Protocol.most = max(Protocol.most, steps)
                    if not t.recs[i].values:
                        cache[key] = True
        return cache[key]


def schedule(protocol: Any, first: Any, came: Any, at: Any) -> Any:
    """Return in words the steps from the first state to the one with this hash."""
    path, said, s = [], [], first
    while came[at]:
        path.append(at)
        at = came[at]
    for key in path[::-1]:
        step, s, _ = next(m for m in protocol.moves(s) if hash(m[1]) == key)
        said.append(step)
    return said


def explore(variant: Any, scenario: Any, depth: Any, budget: Any, only: Any = "UFLN") -> Any:
    """Search breadth first. Return (states seen, fault or None, schedule, whether every state was seen)."""
    protocol, first = Protocol(variant, scenario.skews), start(scenario)
    cache: dict[Any, bool] = {}
    came, level, far, end = {hash(first): 0}, [first], 0, time.process_time() + budget
    while level and far < depth:
        deeper, far = [], far + 1
        for s in level:
            for label, t, broken in protocol.moves(s):
                key, fault = hash(t), broken
                if key in came and not (fault and fault in only):
                    continue
                came.setdefault(key, hash(s))
                fault = (
                    fault
                    or protocol.fault(t, scenario, only)
                    or ("L" if "L" in only and scenario.indexed and protocol.stuck(t, cache) else None)
                )
                if fault and fault in only:
                    return len(came), fault, [*schedule(protocol, first, came, hash(s)), label], False
                deeper.append(t)
            if time.process_time() > end:
                return len(came), None, [], False
        level = deeper
    return len(came), None, [], not level


def wander(variant: Any, seconds: Any, seed: Any = 1) -> Any:
    """Walk at random: four clients that choose operations without end. Return (steps, fault or None)."""
    rng, steps, end = random.Random(seed), 0, time.process_time() + seconds
    cache: dict[Any, bool] = {}
    while time.process_time() < end:
        scenario = rng.choice(SCENARIOS[:9] + SCENARIOS[10:11])._replace(ops=((ANY,) * 12,) * 4, expiries=6)
        protocol, s, pace = Protocol(variant, scenario.skews), start(scenario), rng.choice((0.1, 0.4, 0.8))
        while moves := [m for m in protocol.moves(s) if m[0] != "a minute passes" or rng.random() < pace]:
            _, s, fault = rng.choice(moves)
            steps += 1
            if len(cache) > 20000:
                cache.clear()
            fault = fault or protocol.fault(s, scenario) or ("L" if protocol.stuck(s, cache) else None)
            if fault:
                return steps, fault
    return steps, None


NONCES: dict[str, Any] = {"window": False, "reader": "forbid"}
TIMED: dict[str, Any] = {**NONCES, "write_rule": True, "claim_rule": True}
VARIANTS = (
    Variant("printed: nonces reused, marks for an hour", "reuse", **NONCES),
    Variant("printed, without FORBID", "reuse", contest="look", window=False, reader="bare"),
    Variant("an entry alone refuses", "fresh", contest="entry", **NONCES),
    Variant("nonces reused, CLAIM to WRITE timed", "reuse", write_rule=True, **NONCES),
    Variant("nonces reused, both ways timed", "reuse", **TIMED),
    Variant("fresh nonces, not timed, marks for an hour", "fresh", **NONCES),
    Variant("fresh nonces, one of several forbidden, all taken", "fresh", contest="first", **TIMED),
    Variant("fresh nonces, each replaces its record's last one", "replace", **TIMED),
    Variant("proposed, but messages may be late without bound", "fresh", pruned=True, bounded=False, **TIMED),
    Variant("recommended, but without the fence", contest="look"),
    Variant("recommended, but without the window", window=False),
    Variant("recommended, but without the margin", margin=0),
    Variant("recommended, but readers remove at sight", reader="bare"),
    Variant("recommended, but writers remove what they replaced", tidy=True),
    Variant("proposed: fresh nonces, both ways timed, marks pruned", "fresh", pruned=True, holds=True, **TIMED),
    Variant(
        "the same, but marks for an hour and FORBID to CLAIM not timed", "fresh", write_rule=True, holds=True, **NONCES
    ),
    Variant("RECOMMENDED: stamped claims and a fence", holds=True),
)


def search(variant: Any, only: Any, budgets: Any) -> Any:
    """Return (states, the shortest fault as (letter, scenario, schedule) or None, scenarios not seen whole)."""
    for budget in budgets:
        states, best, depth, partly = 0, None, 99, []
        for scenario in SCENARIOS:
            if scenario.backs and variant.tokens != "stamp":
                continue
            seen, fault, path, whole = explore(variant, scenario, depth, budget, only)
            states += seen
            if fault:
                best, depth = (fault, scenario.name, path), len(path) - 1
            elif not whole:
                partly.append(scenario.name)
        if best:
            break
    return states, best, partly


def main(full: Any) -> Any:
    wrong, recommended = [], VARIANTS[-1]
    for v in VARIANTS:
        _states, fault, _partly = search(
            v, "UFLN", (1e6,) if full and v.holds else (5 if v == recommended else 1,) if v.holds else (0.3, 2.5)
        )
        if not fault:
            if v == recommended:
                _steps, fault = wander(v, 10)
        else:
            faults = [fault] if fault[0] == "U" else [fault, search(v, "U", (0.4, 1.5))[1]]
            for _letter, _name, _path in filter(None, faults):
                pass
        if bool(fault) == v.holds:
            wrong.append(v.name)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main("--full" in sys.argv))
