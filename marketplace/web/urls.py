"""Where the pages are."""

from django.urls import path

from marketplace.web import credentials, documents, line, work

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
    path("me/credentials", credentials.overview, name="credentials"),
    path("me/credentials/file/<slug:kind>", credentials.file, name="credential_file"),
    path("me/credentials/<str:credential>", credentials.show, name="credential"),
    path("me/credentials/<str:credential>/answer", credentials.answer, name="credential_answer"),
    path("me/credentials/<str:credential>/withdraw", credentials.withdraw, name="credential_withdraw"),
    path("documents/<str:evidence>", documents.document, name="document"),
    path("evidence/<str:token>", documents.evidence, name="evidence"),
]
