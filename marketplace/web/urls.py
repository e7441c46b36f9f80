"""Where the pages are."""

from django.urls import path

from marketplace.web import line, work

urlpatterns = [
    path("", line.line, name="line"),
    path("line/now", line.line_now, name="line_now"),
    path("work", work.desk, name="work"),
    path("work/welcome", work.welcome, name="welcome"),
    path("work/join", work.join, name="join"),
    path("work/claim", work.claim, name="claim"),
    path("work/submit", work.submit, name="submit"),
    path("work/return", work.give_back, name="give_back"),
    path("work/resume", work.resume, name="resume"),
]
