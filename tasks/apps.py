"""The tasks floor: the line, from a posted job to a released dataset."""

from django.apps import AppConfig


class TasksConfig(AppConfig):
    """Jobs, tasks, assignments, answers, consensus and releases."""

    name = "tasks"
    default_auto_field = "django.db.models.BigAutoField"
