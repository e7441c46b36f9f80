"""Releases: a job's labels, frozen and hashed."""

from typing import Any, ClassVar

from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace.api import ids, policies
from marketplace.api.documenting import described
from marketplace.api.doors import Door, shaped
from marketplace.api.fields import Anything, Id, Nothing, Out, Strict
from marketplace.api.jobs import job_for
from marketplace.api.pagination import PageQuery, page, pages_of
from marketplace.api.refusals import NotFound
from tasks.models import Release
from tasks.releasing import read_file, seal_release


class ReleaseFileOut(Out):
    """One file of a release."""

    name = serializers.CharField()
    media_type = serializers.CharField()
    sha256 = serializers.CharField()
    size = serializers.IntegerField()


class ReleaseOut(Out):
    """A release."""

    id = Id("rel")
    job = Id("job")
    number = serializers.IntegerField()
    state = serializers.ChoiceField(Release.State.choices)
    content_hash = serializers.CharField()
    tasks = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    sealed_at = serializers.DateTimeField(allow_null=True)


class ReleaseWholeOut(ReleaseOut):
    """A release with its manifest and its files."""

    manifest = Anything()
    files = ReleaseFileOut(many=True)


class ReleasesView(Door):
    """The releases of a job."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": PageQuery}

    @extend_schema(**described("releases_list", "releases", query=PageQuery, out=pages_of(ReleaseOut)))
    def get(self, request: Request, job: str) -> Response:
        """The releases of a job, newest first."""
        found = job_for(self.principal, job, "releases")
        rows = policies.releases_of(self.principal).filter(job=found)
        return Response(page(rows, self.asked, lambda some: ReleaseOut([_facts(one) for one in some], many=True).data))

    @extend_schema(**described("releases_seal", "releases", body=Nothing, out=ReleaseWholeOut, status=201, once=True))
    def post(self, request: Request, job: str) -> HttpResponse:
        """Freeze what is known of the job's tasks now, as the job's next release."""
        found = job_for(self.principal, job, "releases")
        self.body(Nothing)

        def effect() -> tuple[int, Any]:
            return 201, ReleaseWholeOut(_whole(seal_release(found, actor=self.principal.actor))).data

        return self.once("releases", effect)


class ReleaseView(Door):
    """One release."""

    @extend_schema(**described("releases_read", "releases", out=ReleaseWholeOut))
    def get(self, request: Request, release: str) -> Response:
        """A release with its manifest: hashes, versions, counts, agreement."""
        return shaped(ReleaseWholeOut, _whole(_release_for(self.principal, release)))


class ReleaseFileView(Door):
    """One file of a release."""

    @extend_schema(
        **described("releases_download", "releases", out=OpenApiTypes.BINARY, media_type="application/octet-stream")
    )
    def get(self, request: Request, release: str, name: str) -> StreamingHttpResponse:
        """The file, byte for byte as it was sealed."""
        found = _release_for(self.principal, release)
        file = found.files.filter(name=name).defer("content").first()
        if file is None:
            raise NotFound
        return StreamingHttpResponse(
            read_file(file),
            content_type=file.media_type,
            headers={
                "Content-Disposition": f'attachment; filename="{file.name}"',
                "X-Content-Type-Options": "nosniff",
                "ETag": f'"{file.sha256}"',
                "Content-Length": str(file.size),
            },
        )


def _release_for(principal: policies.Principal, text: str) -> Release:
    found = policies.releases_of(principal).filter(pk=ids.number("rel", text)).first()
    if found is None:
        raise NotFound
    principal.need("releases", found.job.organisation_id)
    return found


def _facts(release: Release) -> dict[str, Any]:
    names = ("number", "state", "content_hash", "created_at", "sealed_at")
    return {
        **{name: getattr(release, name) for name in names},
        "id": release.pk,
        "job": release.job_id,
        "tasks": release.tasks_count,
    }


def _whole(release: Release) -> dict[str, Any]:
    files = release.files.order_by("name").defer("content")
    return {**_facts(release), "manifest": release.manifest, "files": list(files)}
