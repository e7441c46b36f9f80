"""Whether this process lives, and whether it can work: for load balancers and supervisors."""

from typing import Any

import psycopg
from django.db import Error, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe


@require_safe
def alive(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """The process answers and reaches its database; 503 while it does not."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            found: Any = cursor.fetchone()
    except (Error, psycopg.Error):
        found = None
    ok = found == (1,)
    return JsonResponse({"status": "ok" if ok else "no database"}, status=200 if ok else 503)
