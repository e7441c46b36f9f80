"""``manage.py release JOB --out DIR``: seal a release of a job, and write its files."""

from __future__ import annotations

import os
import shutil
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts import opaque
from accounts.audit import acting
from accounts.refusals import Refusal
from tasks.models import Job, Release
from tasks.releasing import read_file, seal_release

ACTOR = "command:release"


class Command(BaseCommand):
    """Seals the job's next release and writes it to a folder that must not exist yet."""

    help = "Seal a release of a job and write its files to a new folder."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the job, and where to write."""
        parser.add_argument("job", metavar="JOB", help="the job's public id (job_…) or its number")
        parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="the folder to make")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Seal, write, and tell where."""
        out: Path = options["out"]
        # Looked at first, since a sealed release stays.
        if out.exists() or out.is_symlink():
            raise CommandError(f"{out} is there already; name a folder that is not.")
        if not out.absolute().parent.is_dir():
            raise CommandError(f"There is no folder {out.absolute().parent} to put it in.")
        job = _job(options["job"])
        try:
            with acting(ACTOR):
                release = seal_release(job, actor=ACTOR)
        except Refusal as refusal:
            raise CommandError(refusal.detail) from refusal
        write_release(release, out)
        assert release.manifest is not None
        counts = release.manifest["counts"]
        self.stdout.write(f"{out}")
        self.stdout.write(f"release {release.number} of {job.name}, content hash {release.content_hash}")
        self.stdout.write(f"{counts['tasks']} tasks, {counts['answers']} answers of {counts['workers']} workers")


def write_release(release: Release, out: Path) -> None:
    """Write the release's files into the new folder ``out``: the whole folder appears at once, or not at all.

    Raises CommandError where that fails, or where something has come to be there meanwhile.
    """
    half = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.absolute().parent))
    try:
        for file in release.files.defer("content").order_by("name"):
            with (half / file.name).open("xb") as target:
                for block in read_file(file):
                    target.write(block)
                target.flush()
                os.fsync(target.fileno())
        half.chmod(0o755)
        half.rename(out)
    except OSError as error:
        raise CommandError(f"Release {release.number} is sealed, but could not be written: {error}") from error
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _job(text: str) -> Job:
    """The job of that public id or number."""
    try:
        number = (
            int(text) if text.isdecimal() and len(text) < 19 else opaque.decode("job", text, settings.PUBLIC_ID_KEY)
        )
        return Job.objects.get(pk=number)
    except (opaque.NotAnId, Job.DoesNotExist):
        raise CommandError(f"There is no job {text}.") from None
