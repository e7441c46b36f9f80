"""Where the pages are."""

from django.urls import path

from marketplace.web import credentials, documents, line, organisations, work

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
    path("organisations", organisations.organisations, name="organisations"),
    path("organisations/found", organisations.found, name="organisation_found"),
    path("organisations/<str:organisation>", organisations.organisation, name="organisation"),
    path("organisations/<str:organisation>/invite", organisations.send_invitation, name="organisation_invite"),
    path("organisations/<str:organisation>/withdraw", organisations.withdraw, name="organisation_withdraw"),
    path("organisations/<str:organisation>/role", organisations.change, name="organisation_role"),
    path("organisations/<str:organisation>/remove", organisations.remove, name="organisation_remove"),
    path("organisations/<str:organisation>/transfer", organisations.transfer, name="organisation_transfer"),
    path("organisations/<str:organisation>/leave", organisations.leave, name="organisation_leave"),
    path("invitations/<str:token>", organisations.invitation, name="invitation"),
    path("invitations/<str:token>/accept", organisations.accept, name="invitation_accept"),
    path("me/credentials", credentials.overview, name="credentials"),
    path("me/credentials/file/<slug:kind>", credentials.file, name="credential_file"),
    path("me/credentials/<str:credential>", credentials.show, name="credential"),
    path("me/credentials/<str:credential>/answer", credentials.answer, name="credential_answer"),
    path("me/credentials/<str:credential>/withdraw", credentials.withdraw, name="credential_withdraw"),
    path("documents/<str:evidence>", documents.document, name="document"),
    path("evidence/<str:token>", documents.evidence, name="evidence"),
]
