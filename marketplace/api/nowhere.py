"""Addresses of the API that lead nowhere: told as a problem like any other."""

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace.api.doors import Door
from marketplace.api.refusals import NotFound


@extend_schema(exclude=True)
class NowhereView(Door):
    """Nothing is here, by any method."""

    public: ClassVar[bool] = True

    def get(self, request: Request, rest: str) -> Response:
        """Say so."""
        raise NotFound("There is no such address in this API.")

    post = patch = delete = get
