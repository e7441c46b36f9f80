"""The search for private words in logs and mails finds what there is to find."""

from __future__ import annotations

import logging

import pytest
from django.core.mail import EmailMessage

from tests import canaries


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING, logging.ERROR])
def test_a_private_word_in_the_log_is_found(level: int) -> None:
    logging.getLogger("tasks.somewhere").log(level, "worker %s", canaries.PERSON)

    assert canaries.WATCH.take() == [f"log tasks.somewhere: worker {canaries.PERSON}"]


def test_a_private_word_in_a_traceback_is_found() -> None:
    try:
        int(canaries.GOLD)
    except ValueError:
        logging.getLogger("tasks.somewhere").exception("broken")

    assert len(canaries.WATCH.take()) == 1


def test_the_secret_of_a_key_in_the_log_is_found() -> None:
    logging.getLogger("tasks.somewhere").warning("key %s", "ts_" + "a" * 10 + "_" + "b" * 38)

    assert len(canaries.WATCH.take()) == 1


def test_a_private_word_in_a_mail_is_found() -> None:
    mails = [EmailMessage("Hello", f"about {canaries.GOLD}", to=["a@example.org"]), EmailMessage("Hello", "nothing")]

    assert canaries.in_mails(mails) == ["mail to a@example.org: Hello"]
