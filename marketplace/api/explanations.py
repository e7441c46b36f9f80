"""The API's own pages: its schema, its reference to try out, and what each problem means."""

import functools

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer

from accounts.refusals import Refusal
from marketplace.api.problems import INTERNAL, PROBLEMS, Problem

SCHEMA_TYPE = "application/vnd.oai.openapi"


@functools.cache
def schema_text() -> bytes:
    """The OpenAPI description of this version; made once a process."""
    document = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # the package has no types
    rendered: bytes = OpenApiYamlRenderer().render(document, renderer_context={})  # type: ignore[no-untyped-call]  # nor here
    return rendered


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    """The OpenAPI description, as YAML."""
    return HttpResponse(schema_text(), content_type=SCHEMA_TYPE)


@require_safe
@ensure_csrf_cookie
def reference(request: HttpRequest) -> HttpResponse:
    """The reference, to read and to try out."""
    return render(request, "api/reference.html")


@functools.cache
def by_slug() -> dict[str, tuple[Problem, list[str]]]:
    """Each problem once, with the sentences of the refusals it stands for."""
    found: dict[str, tuple[Problem, list[str]]] = {}
    for kind, problem in PROBLEMS.items():
        sentences = found.setdefault(problem.slug, (problem, []))[1]
        if issubclass(kind, Refusal) and kind.sentence() not in sentences:
            sentences.append(kind.sentence())
    found.setdefault(INTERNAL.slug, (INTERNAL, []))
    return dict(sorted(found.items(), key=lambda pair: (pair[1][0].status, pair[0])))


@require_safe
def problems(request: HttpRequest) -> HttpResponse:
    """All problems that this API tells."""
    return render(request, "api/problems.html", {"problems": [problem for problem, _ in by_slug().values()]})


@require_safe
def problem(request: HttpRequest, slug: str) -> HttpResponse:
    """One problem: where a problem's ``type`` leads."""
    found = by_slug().get(slug)
    if found is None:
        raise Http404
    return render(request, "api/problem.html", {"problem": found[0], "sentences": found[1]})
