"""A load that is read by a key: it is the one that was asked for, and as it was when last seen."""

from collections.abc import Sequence

from contract_tests.oracle.verdict import Verdict
from contract_tests.rules.exchange import Exchange
from contract_tests.rules.responses import LoadView, UnexpectedFormError, load_of, problem_of
from contract_tests.rules.values import date_time


def judge_read(
    verdict: Verdict, exchange: Exchange, known: LoadView | None, earlier: Sequence[tuple[str, Exchange]]
) -> LoadView | None:
    """The load that is shown. `earlier` had to leave no trace of it, each by its clause."""
    if exchange.response.status != 200 or exchange.response.is_of_the_road:
        if exchange.response.status == 404:
            verdict.observe("A2e", problem_of(exchange.response))
        return None
    view = _view(verdict, exchange)
    if view is None:
        return None
    _observe_form(verdict, view)
    if known is not None:
        verdict.exchanges = (*(one for _, one in earlier), exchange)
        replayed = any(one.response.status == 200 for _, one in earlier)
        changes = known.payment_changes(view) if replayed else known.changes(view)
        verdict.require_unchanged(earlier[-1][0] if earlier else "P9", changes, "the load as it was before")
    return view


def _view(verdict: Verdict, exchange: Exchange) -> LoadView | None:
    try:
        view = load_of(exchange.response.document)
    except UnexpectedFormError as error:
        verdict.fail("P4", "the fields of the load page", str(error))
        return None
    verdict.passed.append("P4")
    wanted = dict(exchange.request.query)
    for key, value in (("id", view.id), ("loadNumber", view.number)):
        if wanted.get(key, value) != value and wanted[key].strip().casefold() != value.casefold():
            verdict.fail("P1", f"the load with {key} {wanted[key]}", value)
    verdict.passed.append("P1")
    return view


def _observe_form(verdict: Verdict, view: LoadView) -> None:
    verdict.observe("A1d", view.revision)
    paid_at = date_time(view.paid_at or "")
    if paid_at is not None:
        verdict.observe("Q41", "with an offset" if paid_at.offset is not None else "without an offset")
    if not view.payments:
        return
    fields = {name for payment in view.payments.values() for name in payment.fields}
    as_responses = "ReferenceNumber" in fields
    verdict.observe("A1b", "those of the response" if as_responses else ", ".join(sorted(fields)))
    verdict.observe("A1", view.payment_field_names)
    verdict.observe("Q42", "is filled" if view.total is not None else "is null")
