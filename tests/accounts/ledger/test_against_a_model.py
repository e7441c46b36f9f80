"""The ledger does what twenty lines of Python do, whatever the order of events (T-L2, in small).

Postings P1, P3, P4, P9, holds, captures and repeats of anything earlier, in three currencies, on the
real database and on a dictionary; after every step both hold the same. Each run is rolled back; what a
commit would check is checked after every step.
"""

from collections import defaultdict

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from accounts.ledger import drafts
from accounts.ledger.holding import CaptureExceedsHold, HoldEnded, capture_hold, place_hold, void_hold
from accounts.ledger.money import Money
from accounts.ledger.posting import BooksAddress, Draft, InsufficientFunds, KeyReused, post_many
from accounts.ledger.queries import available, balances
from tests.accounts.ledger.scenes import findings, fire_deferred_checks

PARTIES = st.integers(1, 2)
CURRENCIES = st.sampled_from(["USD", "JPY", "KWD"])
AMOUNTS = st.one_of(st.integers(1, 30), st.integers(1, 3_000_000_000))
ANSWERS = st.integers(1, 40)


class Ledger(RuleBasedStateMachine):
    """``held`` and ``done`` are the model: what books hold, and what each key stands for."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[BooksAddress, int] = defaultdict(int)
        self.apart: dict[BooksAddress, int] = defaultdict(int)
        self.done: dict[str, tuple[Draft, int]] = {}
        self.holds: dict[int, tuple[BooksAddress, int]] = {}
        self.ended: dict[int, str] = {}
        self.run = transaction.atomic()
        self.run.__enter__()

    def teardown(self) -> None:
        try:
            assert findings() == []
        finally:
            transaction.set_rollback(True)
            self.run.__exit__(None, None, None)

    def post(self, *batch: Draft) -> None:
        """Post on both sides and compare the verdicts."""
        expected = self.verdict(batch)
        try:
            with transaction.atomic():
                ids = post_many(batch)
                fire_deferred_checks()
        except InsufficientFunds:
            assert expected is InsufficientFunds
            return
        except KeyReused:
            assert expected is KeyReused
            return
        assert expected is None
        for draft in batch:
            if draft.key in self.done:
                assert ids[draft.key] == self.done[draft.key][1]
            else:
                self.apply(draft, ids[draft.key])

    def verdict(self, batch: tuple[Draft, ...]) -> type[Exception] | None:
        sums = dict(self.held)
        seen: dict[str, Draft] = {}
        for draft in batch:
            if seen.setdefault(draft.key, draft).lines != draft.lines:
                return KeyReused
        for draft in seen.values():
            for line in draft.lines if draft.key not in self.done else ():
                sums[line.books] = sums.get(line.books, 0) + line.micros
        # The database judges money before keys: funds are what the new transfers need.
        if any(amount < self.apart[books] for books, amount in sums.items() if books.limited):
            return InsufficientFunds
        clash = any(key in self.done and self.done[key][0].lines != draft.lines for key, draft in seen.items())
        return KeyReused if clash else None

    def apply(self, draft: Draft, transfer: int) -> None:
        self.done[draft.key] = (draft, transfer)
        for line in draft.lines:
            self.held[line.books] += line.micros

    @rule(organisation=PARTIES, amount=AMOUNTS, ref=st.integers(1, 30), currency=CURRENCIES, cost=st.booleans())
    def deposit(self, organisation: int, amount: int, ref: int, currency: str, cost: bool) -> None:
        kept = Money(max(1, amount // 50), currency) if cost else None
        money = Money(amount, currency)
        self.post(
            drafts.deposit_money(organisation, money, provider="manual", provider_ref=str(ref), actor="x", cost=kept)
        )

    @rule(job=PARTIES, revision=st.integers(1, 9), organisation=PARTIES, amount=AMOUNTS, currency=CURRENCIES)
    def fund(self, job: int, revision: int, organisation: int, amount: int, currency: str) -> None:
        self.post(drafts.fund_job(job, revision, organisation, Money(amount, currency)))

    @rule(
        first=ANSWERS,
        count=st.integers(1, 5),
        job=PARTIES,
        worker=PARTIES,
        pay=AMOUNTS,
        fee=AMOUNTS,
        currency=CURRENCIES,
    )
    def pay(self, first: int, count: int, job: int, worker: int, pay: int, fee: int, currency: str) -> None:
        answers = range(first, first + count)
        self.post(*(drafts.pay_answer(answer, job, worker, pay, fee, currency) for answer in answers))

    @rule(job=PARTIES, n=st.integers(1, 9), organisation=PARTIES, amount=AMOUNTS, currency=CURRENCIES)
    def release(self, job: int, n: int, organisation: int, amount: int, currency: str) -> None:
        self.post(drafts.release_rest(job, n, organisation, Money(amount, currency)))

    @precondition(lambda self: self.done)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        before = len(self.done)
        keys = data.draw(st.lists(st.sampled_from(sorted(self.done)), min_size=1, max_size=5))
        self.post(*(self.done[key][0] for key in keys))
        assert len(self.done) == before

    @rule(organisation=PARTIES, amount=AMOUNTS, currency=CURRENCIES, n=st.integers(1, 50))
    def hold(self, organisation: int, amount: int, currency: str, n: int) -> None:
        books = drafts.wallet(organisation, currency)
        try:
            with transaction.atomic():
                hold = place_hold(f"hold:{n}", books, amount, actor="x")
                fire_deferred_checks()
        except InsufficientFunds:
            assert self.held[books] - self.apart[books] < amount
        except KeyReused:
            assert len(self.holds) > 0
        else:
            if hold not in self.holds:
                self.apart[books] += amount
            self.holds[hold] = (books, amount)

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), part=st.integers(1, 120), job=PARTIES)
    def capture(self, data: st.DataObject, part: int, job: int) -> None:
        hold = data.draw(st.sampled_from(sorted(self.holds)))
        books, amount = self.holds[hold]
        taken = max(1, amount * part // 100)
        organisation = int(books.owner.removeprefix("org:"))
        draft = drafts.fund_job(job, 1_000 + hold, organisation, Money(taken, books.currency))
        try:
            with transaction.atomic():
                transfer = capture_hold(hold, draft)
                fire_deferred_checks()
        except CaptureExceedsHold:
            assert taken > amount
        except HoldEnded:
            assert self.ended[hold] != draft.key
        except KeyReused:
            assert self.done[draft.key][0].lines != draft.lines
        else:
            assert self.ended.get(hold, draft.key) == draft.key
            if hold not in self.ended:
                self.ended[hold] = draft.key
                self.apart[books] -= amount
                self.apply(draft, transfer)

    @precondition(lambda self: self.holds)
    @rule(data=st.data())
    def void(self, data: st.DataObject) -> None:
        hold = data.draw(st.sampled_from(sorted(self.holds)))
        books, amount = self.holds[hold]
        try:
            with transaction.atomic():
                void_hold(hold, actor="x")
        except HoldEnded:
            assert self.ended[hold] != "void"
        else:
            assert self.ended.get(hold, "void") == "void"
            if hold not in self.ended:
                self.apart[books] -= amount
            self.ended[hold] = "void"

    @invariant()
    def both_hold_the_same(self) -> None:
        found = balances(self.held)
        assert {books: money.micros for books, money in found.items()} == dict(self.held)
        for books in {books for books, _ in self.holds.values()}:
            assert available(books).micros == self.held[books] - self.apart[books]


@pytest.mark.django_db
def test_the_ledger_and_the_model_agree() -> None:
    run_state_machine_as_test(
        Ledger,
        settings=settings(
            max_examples=100,
            stateful_step_count=40,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
