"""The qualification floor: what workers have shown they can do."""

from django.apps import AppConfig


class QualificationConfig(AppConfig):
    """Domains, gold, exams, qualifications and observations."""

    name = "qualification"
    default_auto_field = "django.db.models.BigAutoField"
