"""Attacks on approvals. None is accepted, none changes what is live, none crashes with a foreign error."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import multiprocessing
import random
import sqlite3
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from tests.runs.shop import PLAN_ID, Deployed, Shop, config

from gtm_orchestra.errors import BlockedError, ConflictError, GtmError, PolicyError
from gtm_orchestra.plans.model import Change
from gtm_orchestra.policy.decisions import Actor
from gtm_orchestra.policy.signatures import new_key, sign, verify
from gtm_orchestra.runs.effects import Effects
from gtm_orchestra.runs.questions import Decision, proposed_body, signed
from gtm_orchestra.runs.signing import Signer, claims_of
from gtm_orchestra.state.database import open_database
from gtm_orchestra.state.journal import Entry, Journal, Question
from gtm_orchestra.state.ledger import EffectRow, Ledger

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PRIVATE, PUBLIC = new_key()
OTHER_PRIVATE, OTHER_PUBLIC = new_key()
KEYS = {
    "priya": {"keys": {"priya-1": {"public": PUBLIC}}},
    "elena": {"keys": {"elena-1": {"public": OTHER_PUBLIC}}},
}
QUESTION = "run-1/open"


def _asked(root: Path, **fields: Any) -> Shop:  # noqa: ANN401 - fields of a shop
    """Return a shop whose deployment waits for priya's signature."""
    shop = Shop(root, config=config(**KEYS, marco={"roles": ["architect"]}), **fields)
    shop.start()
    assert shop.drive().status == "waiting"
    return shop


def _token(shop: Shop, who: str = "priya", key: bytes = PRIVATE, question: str = QUESTION) -> str:
    decision = Decision(question, "approved", Actor(who, "claimed"), "read it")
    options: Any = {"journal": shop.journal, "config": shop.config, "at": shop.now}
    return signed(decision, Signer(key, "jti-1"), **options).token


def _claims(shop: Shop, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any claim
    """Return what a token over the open question says, but for these changes."""
    question = shop.journal.question(QUESTION)
    decision = Decision(QUESTION, "approved", Actor("priya", "claimed"), "read it")
    times = {"iat": int(shop.now.timestamp()), "exp": int(shop.now.timestamp()) + 86_400, "jti": "jti-2"}
    claims = claims_of(question, proposed_body(question, decision, shop.config))
    return {**claims, **times, **changes}


def _bound(shop: Shop, **changes: Any) -> str:  # noqa: ANN401 - any field of the binding
    """Return a token of priya's own key over a binding that was changed."""
    binding = {**shop.journal.question(QUESTION).body["binding"], **changes}
    return sign(_claims(shop, binding=binding), private_key=PRIVATE, key_id="priya-1")


def _part(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _hs256(shop: Shop) -> str:
    """Return a token whose MAC was made with the public key, as a careless verifier takes it."""
    words = f"{_part({'alg': 'HS256', 'kid': 'priya-1', 'typ': 'gtm-decision+jws'})}.{_part(_claims(shop))}"
    mac = hmac.new(base64.b64decode(PUBLIC), words.encode(), hashlib.sha256).digest()
    return f"{words}.{_part(mac)}"


def _none(shop: Shop) -> str:
    header = _part({"alg": "none", "kid": "priya-1", "typ": "gtm-decision+jws"})
    return f"{header}.{_part(_claims(shop))}."


def _tampered(shop: Shop) -> str:
    header, _, signature = _token(shop).split(".")
    return f"{header}.{_part(_claims(shop, answer='rejected'))}.{signature}"


def _swapped(shop: Shop) -> str:
    """Return the token of another run's question."""
    shop.start("run-2")
    shop.drive("run-2")
    return _token(shop, question="run-2/open")


def _embedded_key(shop: Shop) -> str:
    headers = {"kid": "priya-1", "typ": "gtm-decision+jws", "jwk": {"kty": "OKP", "x": OTHER_PUBLIC}}
    key: Any = _loaded(OTHER_PRIVATE)
    return jwt.encode(_claims(shop), key, algorithm="EdDSA", headers=headers)


def _loaded(pem: bytes) -> object:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - only here

    return serialization.load_pem_private_key(pem, password=None)


TOKENS: dict[str, Callable[[Shop], str]] = {
    "unsigned although a key is configured": lambda _: "",
    "the public key as the secret of HS256": _hs256,
    "algorithm none": _none,
    "tampered claims": _tampered,
    "another question's token": _swapped,
    "somebody else's key": lambda shop: sign(_claims(shop), private_key=OTHER_PRIVATE, key_id="elena-1"),
    "somebody else's key under the right id": lambda shop: sign(
        _claims(shop), private_key=OTHER_PRIVATE, key_id="priya-1"
    ),
    "a key that came with the token": _embedded_key,
    "another handle's words": lambda shop: sign(
        _claims(shop, handle="elena"), private_key=PRIVATE, key_id="priya-1"
    ),
    "another answer's words": lambda shop: sign(
        _claims(shop, answer="rejected"), private_key=PRIVATE, key_id="priya-1"
    ),
    "another reason's words": lambda shop: sign(
        _claims(shop, reason="whatever"), private_key=PRIVATE, key_id="priya-1"
    ),
    "a claim more": lambda shop: sign(_claims(shop, admin=True), private_key=PRIVATE, key_id="priya-1"),
    "an expired token": lambda shop: sign(
        _claims(shop, exp=int(shop.now.timestamp()) - 1), private_key=PRIVATE, key_id="priya-1"
    ),
    "a token from the future": lambda shop: sign(
        _claims(shop, iat=int(shop.now.timestamp()) + 4_000), private_key=PRIVATE, key_id="priya-1"
    ),
    "a token without an end": lambda shop: sign(
        {k: v for k, v in _claims(shop).items() if k != "exp"}, private_key=PRIVATE, key_id="priya-1"
    ),
    "an end that is no number": lambda shop: sign(
        _claims(shop, exp=10**12 + 0.5), private_key=PRIVATE, key_id="priya-1"
    ),
    "another plan": lambda shop: _bound(shop, plan_id="plan-20261101T090000Z-2"),
    "another revision": lambda shop: _bound(shop, revision=2),
    "another digest": lambda shop: _bound(shop, digest="0" * 64),
    "another run": lambda shop: _bound(shop, run_id="run-2"),
    "another environment": lambda shop: _bound(shop, environment="staging"),
    "another action": lambda shop: _bound(shop, action="deploy everything"),
    "another file": lambda shop: _bound(shop, artifacts={"rules.json": "0" * 64}),
    "other effects": lambda shop: _bound(shop, effects=[]),
    "another nonce": lambda shop: _bound(shop, nonce="nonce-9"),
    "no token at all": lambda _: "a.b.c",
    "a token of a million letters": lambda _: "a" * 1_000_000,
}


@pytest.mark.parametrize("attack", TOKENS)
def test_no_other_token_than_the_persons_own_over_exactly_this_is_taken(tmp_path: Path, attack: str) -> None:
    shop = _asked(tmp_path)
    token = TOKENS[attack](shop)
    with pytest.raises(PolicyError):
        shop.decide(token=token)
    assert shop.journal.question(QUESTION).status == "open"
    assert shop.drive(resumed=True).status == "waiting"
    assert shop.shelf.calls == []


def test_the_persons_own_token_over_exactly_this_is_taken_and_kept(tmp_path: Path) -> None:
    shop = _asked(tmp_path)
    shop.decide(token=_token(shop))
    assert shop.drive(resumed=True).status == "done"
    (decision,) = [r for r in shop.journal.records("run-1") if r.kind == "decision"]
    header = jwt.get_unverified_header(decision.body["token"])
    assert header == {"alg": "EdDSA", "kid": "priya-1", "typ": "gtm-decision+jws"}


def _revoke(shop: Shop, day: str) -> None:
    keys = {"keys": {"priya-1": {"public": PUBLIC, "revoked": day}}}
    shop.config = config(**{**KEYS, "priya": keys})
    shop.reopen()


def test_a_revoked_key_decides_nothing(tmp_path: Path) -> None:
    shop = _asked(tmp_path)
    token = _token(shop)
    _revoke(shop, "2026-11-01")
    with pytest.raises(PolicyError, match=r"^the key 'priya-1' of 'priya' was revoked on 2026-11-01; "):
        shop.decide(token=token)


def test_what_was_signed_with_a_key_that_is_revoked_since_opens_nothing(tmp_path: Path) -> None:
    shop = _asked(tmp_path)
    shop.decide(token=_token(shop))
    _revoke(shop, "2026-11-01")
    with pytest.raises(PolicyError, match="was revoked on 2026-11-01"):
        shop.drive(resumed=True)
    assert shop.shelf.calls == []


def _edit(shop: Shop, statement: str) -> None:
    with sqlite3.connect(shop.root / ".gtm" / "state.db") as connection:
        connection.execute(statement)
    connection.close()


def test_a_row_that_says_approved_is_no_decision(tmp_path: Path) -> None:
    shop = _asked(tmp_path)
    _edit(shop, "update questions set status = 'approved'")
    with pytest.raises(GtmError, match="the questions of run-1 were changed"):
        shop.drive(resumed=True)
    assert shop.shelf.calls == []


def _forge(shop: Shop, **changes: str) -> None:
    """Write a decision that nobody took, with a whole chain, as somebody with our code could."""
    question = shop.journal.question(QUESTION)
    decision = Decision(QUESTION, "approved", Actor("priya", "claimed"), "read it")
    body = {**proposed_body(question, decision, shop.config), "token": "", **changes}
    closed: Question = replace(question, status="approved")
    shop.journal.append("run-1", Entry("decision", "open", body), durable=True, question=closed)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"token": "a.b.c"},
        {"actor": "marco"},
        {"actor": "nobody"},
        {"actor": "tom"},
        {"reason": " "},
        {"binding": "0" * 64},
        {"answer": "rejected"},
    ],
    ids=str,
)
def test_a_forged_decision_event_opens_nothing(tmp_path: Path, changes: dict[str, str]) -> None:
    shop = _asked(tmp_path)
    _forge(shop, **changes)
    with pytest.raises(GtmError):
        shop.drive(resumed=True)
    assert shop.shelf.calls == []


def test_an_approval_of_something_closed_is_refused(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.start()
    shop.drive()
    shop.decide("rejected")
    with pytest.raises(ConflictError, match=r"^run-1/open is closed already: rejected; "):
        shop.decide("approved")
    assert shop.drive(resumed=True).status == "rejected"


@pytest.mark.parametrize(
    ("who", "message"),
    [
        ("elena", "'elena' is not asked here; it is for marco, priya to decide"),
        ("os:mallory", "'mallory' is nobody in [people]; unknown people decide nothing"),
    ],
)
def test_whoever_is_not_asked_decides_nothing(tmp_path: Path, who: str, message: str) -> None:
    shop = Shop(tmp_path)
    shop.start()
    shop.drive()
    with pytest.raises(PolicyError) as raised:
        shop.decide(who=who)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(("by", "author"), [("marco", "tom"), ("tom", "marco")])
def test_an_author_alone_cannot_approve_production(tmp_path: Path, by: str, author: str) -> None:
    shop = Shop(tmp_path)
    shop.start(by=by, author=author)
    shop.drive()
    with pytest.raises(PolicyError, match=r"^'marco' made this plan and cannot alone approve it"):
        shop.decide(who="marco")
    shop.decide(who="priya")
    assert shop.drive(resumed=True).status == "done"


def test_an_author_may_approve_what_opens_no_production(tmp_path: Path) -> None:
    shop = Shop(tmp_path, environment="staging")
    shop.start(by="marco")
    shop.drive()
    shop.decide(who="marco")
    assert shop.drive(resumed=True).status == "done"


def test_production_without_a_gate_that_opens_it_is_refused(tmp_path: Path) -> None:
    shop = Shop(tmp_path, gate_environment="staging")
    shop.start()
    shop.drive()
    shop.decide()
    assert shop.drive(resumed=True).outcomes["2.1"].error == (
        "2.1 would change production, and no approval gate before it opens production; "
        "add an approval gate with environment: production to the blueprint"
    )
    assert shop.shelf.calls == []


def test_a_deputy_decides_on_behalf_of_somebody_and_that_is_written_down(tmp_path: Path) -> None:
    shop = Shop(tmp_path, config=config(priya={"away_until": "2026-12-24"}, marco={"roles": ["architect"]}))
    shop.start()
    shop.drive()
    shop.decide(who="elena")
    (decision,) = [r for r in shop.journal.records("run-1") if r.kind == "decision"]
    assert (decision.body["actor"], decision.body["on_behalf_of"]) == ("elena", "priya")


class TestAtTheIntent:
    """Approved rightly; then something changed before the effect."""

    def _approved(self, root: Path, **fields: Any) -> Shop:  # noqa: ANN401 - fields of a shop
        shop = Shop(root, retries=0, **fields)
        shop.start()
        shop.drive()
        shop.decide()
        # The gate has opened, and the deploying process died before its first intent.
        shop.work = _Dies()
        with pytest.raises(BaseException):  # noqa: B017, PT011 - what a killed process would be
            shop.drive(resumed=True)
        shop.work = None
        shop.reopen()
        return shop

    def _refused(self, shop: Shop) -> str:
        segment = shop.drive(resumed=True)
        assert (segment.outcomes["2.1"].name, shop.shelf.calls) == ("rejected", [])
        return segment.outcomes["2.1"].error

    def test_an_approval_that_expired_meanwhile_is_refused_with_the_next_step(self, tmp_path: Path) -> None:
        shop = self._approved(tmp_path)
        shop.pass_time(days=30)
        assert self._refused(shop) == (
            "run-1/open has expired on 2026-12-01; run the command again: it asks anew"
        )

    def test_other_content_than_was_proposed_is_refused(self, tmp_path: Path) -> None:
        shop = self._approved(tmp_path)
        shop.content = {"rules": ["a", "c"]}
        assert self._refused(shop) == (
            "2.1 would do 'put-rules' on 'web' in production with something that run-1/open did not approve; "
            "run the command again: it asks anew; what is to be approved is proposed before the gate, "
            "or carried as an approved file"
        )

    def test_content_that_nobody_proposed_is_refused(self, tmp_path: Path) -> None:
        assert "did not approve" in self._refused(self._approved(tmp_path, proposes=False))

    def test_a_file_that_nobody_approved_is_refused(self, tmp_path: Path) -> None:
        shop = self._approved(tmp_path, proposes=False, content={}, carries=("0" * 64,))
        assert "did not approve" in self._refused(shop)

    def test_an_approved_file_and_nothing_else_is_allowed_without_a_proposal(self, tmp_path: Path) -> None:
        sha256 = hashlib.sha256(b"[]").hexdigest()
        shop = self._approved(tmp_path, proposes=False, content={}, carries=(sha256,))
        assert shop.drive(resumed=True).status == "done"

    def test_an_approved_file_that_was_changed_on_disk_is_refused(self, tmp_path: Path) -> None:
        shop = self._approved(tmp_path)
        shop.work = lambda _ctx: _damages(shop)
        with pytest.raises(GtmError, match="was changed on disk"):
            shop.drive(resumed=True)
        outcome = shop.journal.records("run-1")[-1]
        assert (outcome.kind, outcome.body["name"], shop.shelf.calls) == ("task.outcome", "rejected", [])
        assert outcome.body["error"].startswith("rules.json is no longer what was approved; ")

    def test_what_an_approval_allows_once_is_not_done_twice(self, tmp_path: Path) -> None:
        shop = self._approved(tmp_path)
        shop.work = lambda _ctx: Deployed(effects=shop.requests() * 2)
        segment = shop.drive(resumed=True)
        assert segment.outcomes["2.1"].error == (
            "run-1/open allows 'put-rules' on 'web' in production once, and that is used up; "
            "run the command again: it asks anew"
        )
        assert shop.shelf.applied == 1

    def test_the_approval_of_one_run_opens_no_other(self, tmp_path: Path) -> None:
        shop = self._approved(tmp_path)
        shop.start("run-2")
        assert shop.drive("run-2").status == "waiting"
        assert shop.shelf.calls == []

    def test_a_plan_that_changed_meanwhile_runs_no_further(self, tmp_path: Path) -> None:
        shop = self._approved(tmp_path)
        shop.changes = {"channels": ("email",)}
        shop.plans.revise(
            shop.definition(),
            expected=1,
            change=lambda n: Change(at=shop.now, actor="tom", what="more", why="asked", revision=n),
        )
        with pytest.raises(ConflictError, match=r"^run-1 executes revision 1; its plan is at revision 2"):
            shop.drive(resumed=True)
        assert shop.shelf.calls == []


class _Dies:
    def __call__(self, _ctx: object) -> Deployed:
        raise KeyboardInterrupt


def _damages(shop: Shop) -> Deployed:
    for path in (shop.root / ".gtm" / "artifacts").rglob("*"):
        if path.is_file():
            path.write_bytes(b"damaged")
    return Deployed(effects=shop.requests())


def test_no_mutated_token_is_taken() -> None:
    """20,000 of them, each a letter, a bit, a part or a length away from the right one."""
    claims = {"question": QUESTION, "answer": "approved", "handle": "priya", "binding": {"nonce": "n"}}
    now = datetime(2026, 11, 1, 9, tzinfo=UTC)
    times = {"iat": int(now.timestamp()), "exp": int(now.timestamp()) + 3_600, "jti": "j"}
    right = sign({**claims, **times}, private_key=PRIVATE, key_id="priya-1")
    keys = config(**KEYS).people["priya"].keys
    assert verify(right, keys=keys, claims=claims, at=now, handle="priya") == "priya-1"
    chance = random.Random(19)  # noqa: S311 - which letter is no secret
    taken = []
    for _ in range(20_000):
        token = _mutated(right, chance)
        try:
            verify(token, keys=keys, claims=claims, at=now, handle="priya")
        except PolicyError:
            continue
        if token != right:
            taken.append(token)
    assert taken == []


def test_a_token_can_be_written_in_one_way_only() -> None:
    """The last letter of a signature has four bits to spare; other ones would make a second token of it."""
    now = datetime(2026, 11, 1, 9, tzinfo=UTC)
    times = {"iat": int(now.timestamp()), "exp": int(now.timestamp()) + 60, "jti": "j"}
    right = sign({"answer": "approved", **times}, private_key=PRIVATE, key_id="priya-1")
    keys = config(**KEYS).people["priya"].keys
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    same = letters[letters.index(right[-1]) ^ 1]
    with pytest.raises(PolicyError, match="does not hold: it is no compact JWS; sign again"):
        verify(right[:-1] + same, keys=keys, claims={"answer": "approved"}, at=now, handle="priya")


_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/. \n\x00é"


def _mutated(token: str, chance: random.Random) -> str:  # noqa: PLR0911 - one way a case
    place = chance.randrange(len(token))
    match chance.randrange(8):
        case 0:
            return token[:place] + chance.choice(_LETTERS) + token[place + 1 :]
        case 1:
            return token[:place] + token[place + 1 :]
        case 2:
            return token[:place] + chance.choice(_LETTERS) + token[place:]
        case 3:
            return token[:-1] + chance.choice(_LETTERS)
        case 4:
            return token + chance.choice(["=", "==", ".", "\n", " ", "A", f".{token}"])
        case 5:
            parts = token.split(".")
            chance.shuffle(parts)
            return ".".join(parts)
        case 6:
            other = chance.randrange(len(token))
            letters = list(token)
            letters[place], letters[other] = letters[other], letters[place]
            return "".join(letters)
        case _:
            return token[: chance.randrange(len(token))]


def _race(act: Callable[[], None]) -> list[str]:
    """Let eight threads act at once; return what became of each: "won", or the error's name."""
    barrier = threading.Barrier(8)
    ended: list[str] = []

    def run() -> None:
        barrier.wait()
        try:
            act()
        except GtmError as error:
            ended.append(type(error).__name__)
        else:
            ended.append("won")

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ended


def test_of_eight_who_decide_at_once_one_does(tmp_path: Path) -> None:
    """25 races; everybody wants the opposite of the next, so that no one can attach to another's decision."""
    shop = Shop(tmp_path, gate_environment="production")
    for number in range(25):
        run_id = f"run-{number}"
        shop.start(run_id)
        shop.drive(run_id)
        turn = iter(range(8))

        def act(run_id: str = run_id, turn: Any = turn) -> None:  # noqa: ANN401 - an iterator
            n = next(turn)
            shop.decide(
                ("approved", "rejected")[n % 2], who=("priya", "marco")[n // 2 % 2], question=f"{run_id}/open"
            )

        _race(act)
        assert sum(r.kind == "decision" for r in shop.journal.records(run_id)) == 1


def _consume(root: str, row: EffectRow, ready: Any, go: Any, said: Any) -> None:  # noqa: ANN401 - of multiprocessing
    """Use an approval up, in a process of its own, at the same moment as seven others."""
    from pathlib import Path as _Path  # noqa: PLC0415 - in the process

    ledger = Ledger(Journal(open_database(_Path(root) / ".gtm" / "state.db"), lambda: datetime.now(UTC)))
    ready.release()
    go.wait()
    try:
        ledger.intend(row)
    except ConflictError:
        said.put("refused")
    else:
        said.put("won")


def test_of_eight_threads_that_use_up_one_allowance_one_does(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.start()
    (request,) = shop.requests()
    for number in range(24):
        turn = iter(range(8))

        def act(number: int = number, turn: Any = turn) -> None:  # noqa: ANN401 - an iterator
            key = f"{number}-{next(turn)}"
            shop.ledger.intend(_row(request, key, f"{QUESTION}#{number}"))

        ended = _race(act)
        assert sorted(ended) == ["ConflictError"] * 7 + ["won"]


def test_of_eight_processes_that_use_up_one_allowance_one_does(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.start()
    (request,) = shop.requests()
    context = multiprocessing.get_context("fork")
    ready, go, said = context.Semaphore(0), context.Event(), context.Queue()
    arguments = [(str(tmp_path), _row(request, f"p-{n}", f"{QUESTION}#p"), ready, go, said) for n in range(8)]
    processes = [context.Process(target=_consume, args=a) for a in arguments]
    for process in processes:
        process.start()
    for _ in processes:
        assert ready.acquire(timeout=60)
    go.set()
    ended = sorted(said.get(timeout=60) for _ in processes)
    for process in processes:
        process.join(60)
    assert ended == ["refused"] * 7 + ["won"]


def _row(request: Any, key: str, allowance: str) -> EffectRow:  # noqa: ANN401 - an EffectRequest
    return EffectRow(
        key=key,
        run_id="run-1",
        position=0,
        node="2.1",
        number=1,
        effect_class="keyed",
        undo_class="reversible",
        request=request,
        phase="intended",
        allowance=allowance,
    )


def test_an_effect_of_a_task_without_the_graph_around_it_needs_its_approval_too(tmp_path: Path) -> None:
    """Whoever calls the ledger's own front door gets no further."""
    shop = Shop(tmp_path)
    shop.start()
    plan, run = shop.definition(), shop.journal.run("run-1")
    effects = Effects(shop.environment_of_runs, run, plan, ("tom",))
    with pytest.raises(BlockedError, match=r"^open was never asked about; resume the run: it asks"):
        asyncio.run(effects.carry_out(plan.task("2.1"), shop.requests()))
    assert plan.plan_id == PLAN_ID
    assert shop.shelf.calls == []
