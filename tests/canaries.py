"""Words that must never get out: whatever is private in a test carries one, and every log line and mail is searched.

``TENANT-CANARY`` marks what belongs to another tenant, ``GOLD-CANARY`` what gold tells, ``PII-CANARY`` what names a person.
All of them hold the word ``CANARY``, so one search finds them; secrets of keys are known by their form.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

from django.core.mail import EmailMessage

CANARY = "CANARY"
TENANT = "TENANT-CANARY"
GOLD = "GOLD-CANARY"
PERSON = "PII-CANARY"
SECRET = re.compile(r"ts_[a-z2-7]{10}_[a-z2-7]{38}")


class Watch(logging.Handler):
    """Keeps the log lines in which something private was said."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.setFormatter(logging.Formatter("{name}: {message}", style="{"))
        self.hits: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """One line, its traceback included."""
        line = self.format(record)
        if tells(line):
            self.hits.append(f"log {line[:300]}")

    def take(self) -> list[str]:
        """What was said since this was last asked."""
        hits, self.hits = self.hits, []
        return hits


WATCH = Watch()


def tells(text: str) -> bool:
    """Does this text say something private?"""
    return CANARY in text or SECRET.search(text) is not None


def in_mails(mails: Iterable[EmailMessage]) -> list[str]:
    """The mails that do."""
    found = []
    for mail in mails:
        parts = [str(mail.subject), str(mail.body), *(str(content) for content, _ in getattr(mail, "alternatives", []))]
        found += [f"mail to {', '.join(mail.to)}: {mail.subject}" for part in parts if tells(part)]
    return found
