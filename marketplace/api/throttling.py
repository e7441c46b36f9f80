"""How often one principal may ask: counted a minute at a time, in the shared cache or in this process.

Limits are per principal (a key, a user) and per kind of request; strangers are counted by address. The hot addresses
count in the process itself: a cache round trip would cost as much as a claim.
"""

import logging
import time

from django.core.cache import cache
from django.http import HttpRequest
from redis.exceptions import RedisError

from marketplace import addresses
from marketplace.api.refusals import TooManyRequests

log = logging.getLogger(__name__)

PER_MINUTE = {"read": 1_200, "write": 300, "money": 60, "import": 60, "secret": 30}
"""Requests a minute, by the view's ``throttle_scope``; ``secret`` is for what hands out or checks secrets."""

HOT_PER_SECOND = 500
HOT_BURST = 1_000
"""For claims and answers, by process: far above any person, below what could hurt."""

_PARTIES_MAX = 50_000


def count(scope: str, party: str) -> None:
    """Count one request. Raises TooManyRequests. Without a cache nobody is counted: a limit is not worth an outage."""
    window, elapsed = divmod(int(time.time()), 60)
    name = f"rate:{scope}:{party}:{window}"
    try:
        if cache.add(name, 1, timeout=120):
            return
        used = cache.incr(name)
    except ValueError:  # it ran out between the two
        return
    except (RedisError, OSError):
        log.warning("the cache does not answer; requests are not counted")
        return
    if used > PER_MINUTE[scope]:
        raise TooManyRequests(retry_after=60 - elapsed)


def address_of(request: HttpRequest) -> str:
    """Where a stranger asks from, as one caller is counted."""
    return f"address:{addresses.block_of(addresses.address_of(request))}"


class Buckets:
    """A token bucket a party, in this process's memory."""

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second, self._burst = per_second, burst
        self._left: dict[int, tuple[float, float]] = {}

    def take(self, party: int) -> None:
        """Take one token. Raises TooManyRequests. Threads may race here; a token more or less harms nobody."""
        now = time.monotonic()
        left, then = self._left.get(party, (self._burst, now))
        left = min(self._burst, left + (now - then) * self._per_second) - 1
        if left < 0:
            raise TooManyRequests
        if len(self._left) >= _PARTIES_MAX:
            self._left.clear()
        self._left[party] = (left, now)
