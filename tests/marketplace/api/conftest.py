"""What every API test begins with: nobody has been counted, and no key is remembered."""

from collections.abc import Iterator

import pytest
from django.core.cache import cache

from marketplace.api import hot


@pytest.fixture(autouse=True)
def fresh_door() -> Iterator[None]:
    """Limits and remembered keys of other tests are none of this one's business."""
    cache.clear()
    hot.forget_keys()
    yield
    hot.forget_keys()
