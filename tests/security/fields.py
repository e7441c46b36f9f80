"""Every field of the API, and who may ever be shown it: a field that is not here fails.

The shapes stand under the audience that they are for. ``PRIVATE`` names the fields that only some callers of the matrix
may find in any answer at all; every answer of every cell is searched for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.security.rules import KEYS_A, LOOKER, ONE_FACTOR, SESSIONS, SESSIONS_A

READ: Mapping[str, Mapping[str, str]] = {
    "anybody": {
        "LineOut": "jobs tasks_open tasks_waiting tasks_resolved tasks_contested answers answers_per_minute spend",
        "OpenJobOut": "id name description organisation_name domain_path difficulty language price currency requirements models_allowed",
        "ProblemFaultOut": "pointer detail",
        "ProblemOut": "type title status detail errors retry_after",
        "RequirementOut": "domain path level_min",
        "SpendOut": "currency escrow paid fee",
    },
    "whoever is known": {
        "CredentialTypeOut": "id slug name description kind fields jurisdictions number_check number_required evidence_required valid_days verifiers_needed opens",
        "DomainOut": "id organisation path name",
        "ExamOut": "id organisation domain domain_path name level questions pass_share time_limit_seconds attempts_max valid_days open",
        "GuidelinesOut": "id job version language text",
        "JoinedOut": "member organisation name role",
        "LabelSchemaOut": "id job version kind definition",
        "MeOut": "user email name key scopes client worker organisations platform_roles",
        "OpensOut": "domain domain_path level jurisdictions",
        "OrganisationOut": "id name rights created_at",
    },
    "the worker themself": {
        "AccuracyOut": "domain path difficulty right total mean low high",
        "AgreementOut": "id kind version title text current published_at organisation agreed_at",
        "AssignmentOut": "id job schema guidelines state price currency leased_at lease_ends_at submitted_at ended_at reason payload label",
        "AttemptOut": "id exam state started_at ends_at finished_at right label_kind label_definition questions",
        "BlockFactsOut": "id reason starts_at ends_at lifted_at lifted_reason",
        "LanguageOut": "language level",
        "LeaseOut": "id job schema guidelines price currency lease_ends_at payload",
        "LeasesOut": "assignments",
        "LevelOut": "domain path level",
        "MyBlockOut": "id reason starts_at ends_at lifted_at lifted_reason organisation",
        "OutcomeOut": "assignment state problem",
        "OutcomesOut": "outcomes",
        "PrivateFactsOut": "legal_name birth_date address phone",
        "ProfileOut": "country time_zone education device languages",
        "QuestionOut": "number payload",
        "StandingOut": "qualifications accuracy",
        "WorkOut": "outcomes assignments problem",
        "WorkerOut": "id name kind state state_reason simulated created_at",
    },
    "the worker themself and who verifies or grants": {
        "AppointmentOut": "scheduled_at place scored_at points passed note",
        "CredentialDetailOut": "id type type_name source state issuer jurisdiction issued_on expires_on renews reason filed_at verified_at valid_until ended_at opens holder number fields evidence appointments steps review",
        "CredentialOut": "id type type_name source state issuer jurisdiction issued_on expires_on renews reason filed_at verified_at valid_until ended_at opens",
        "DocumentsOut": "documents",
        "EvidenceOut": "id name content_type bytes pages filed_at removed_at",
        "LinksOut": "id name content_type bytes pages filed_at removed_at file page_links expires_in",
        "QualificationOut": "id worker domain domain_path organisation level source reason granted_at expires_at revoked_at revoked_reason",
        "StepOut": "act note at actor",
    },
    "who verifies": {
        "HandsOut": "worker round claimed claimed_by_you claimed_until approvals approvals_needed registry registry_result doubles",
        "RevokedOut": "credential qualifications leases answers",
    },
    "members with the right": {
        "AuditOut": "id at actor impersonator action subject subject_id organisation before after",
        "BlockOut": "id reason starts_at ends_at lifted_at lifted_reason worker",
        "ClientOut": "id client_id name scopes created_at revoked_at",
        "DepositOut": "transfer organisation amount currency balance",
        "InvitationOut": "id email role invited_by created_at expires_at",
        "KeyOut": "id name handle scopes addresses spend_cap spend_currency spent replaces created_at expires_at last_used_at revoked_at",
        "MemberOut": "id name email role created_at",
        "MovementOut": "transfer kind at amount balance",
        "NewClientOut": "id client_id name scopes created_at revoked_at client_secret",
        "NewKeyOut": "id name handle scopes addresses spend_cap spend_currency spent replaces created_at expires_at last_used_at revoked_at secret",
        "StatementOut": "currency balance available results next",
        "TermsOut": "id kind version title text current published_at",
    },
    "members with the right, of their jobs": {
        "AnswerOut": "id worker label state reason seconds submitted_at flags",
        "BatchOut": "id job number name priority deadline state rows_read tasks_added errors created_at finished_at",
        "ConsensusOut": "state engine label confidence calibrated posterior answers",
        "FlagOut": "kind flagged_at",
        "JobOut": "id organisation name description state domain domain_path difficulty language label_kind label_schema label_schema_version label_definition guidelines_version guidelines requirements models_allowed answers_per_worker_max currency price fee_bp budget funded reserved engine policy gold_share_bp lease_seconds review_window_seconds created_at published_at closed_at",
        "ReleaseFileOut": "name media_type sha256 size",
        "ReleaseOut": "id job number state content_hash tasks created_at sealed_at",
        "ReleaseWholeOut": "id job number state content_hash tasks created_at sealed_at manifest files",
        "ReportOut": "job state currency tasks open waiting resolved contested answers gold_answers accuracy_on_gold funded reserved paid fee escrow",
        "ReviewOut": "id state reason",
        "TaskOut": "id job batch external_ref state waiting_for contested_reason gold stratum price slots_needed answers created_at judged_at",
        "TaskWholeOut": "id job batch external_ref state waiting_for contested_reason gold stratum price slots_needed answers created_at judged_at payload answers_given consensus",
    },
    "who may read gold": {
        "GoldAddedOut": "added",
        "GoldItemOut": "id payload accepted difficulty explanation retired_at",
        "GoldSetOut": "id organisation name version state domain label_kind label_definition created_at",
    },
}

WRITTEN: Mapping[str, str] = {
    "AcceptedIn": "label weight",
    "AnswerIn": "assignment label seconds",
    "AnswersIn": "answers",
    "AssignmentsQuery": "limit cursor state",
    "AuditQuery": "limit cursor organisation subject about actor action since until",
    "BatchQuery": "name priority deadline",
    "BudgetIn": "amount currency",
    "ClaimIn": "count job",
    "ClientIn": "name scopes",
    "DepositIn": "amount currency reference",
    "DocumentIn": "name content",
    "DomainIn": "organisation path name",
    "EraseIn": "email give_up_balance",
    "ExamAnswerIn": "number label",
    "ExamIn": "organisation gold_set name level questions pass_share time_limit_seconds attempts_max valid_days",
    "FilingIn": "issuer jurisdiction holder number fields issued_on expires_on evidence type renews",
    "GoldItemIn": "payload accepted difficulty explanation",
    "GoldItemsIn": "items",
    "GoldSetIn": "organisation name domain label_kind label_definition",
    "GoldTasksIn": "gold_set exposure_max priority",
    "HandInIn": "answers",
    "HeirIn": "member",
    "InvitationIn": "email role",
    "JobIn": "organisation name description domain difficulty language label_kind label_definition guidelines requirements models_allowed answers_per_worker_max currency price budget engine policy gold_share_bp lease_seconds review_window_seconds",
    "JobsQuery": "limit cursor organisation state",
    "LanguageIn": "language level",
    "LengthIn": "reason days",
    "LiftIn": "reason",
    "NoteIn": "note",
    "OrganisationBlockIn": "reason days answer worker",
    "OrganisationIn": "name",
    "OrganisationKeyIn": "name expires_at addresses scopes spend_cap spend_currency",
    "PageQuery": "limit cursor",
    "PlatformBlockIn": "reason days worker",
    "PlatformTermsIn": "title text kind",
    "PrivateFactsIn": "legal_name birth_date address phone",
    "ProfileIn": "country time_zone education device languages",
    "QualificationIn": "worker domain level reason expires_at",
    "QuestionAnswerIn": "issuer jurisdiction holder number fields issued_on expires_on evidence",
    "QueueQuery": "limit cursor state",
    "ReasonIn": "reason",
    "RequirementIn": "domain level_min",
    "ReviewIn": "verdict reason",
    "RevisionIn": "name description label_definition guidelines requirements models_allowed answers_per_worker_max price budget engine policy gold_share_bp",
    "RevocationIn": "reason",
    "RoleIn": "role",
    "RotateIn": "overlap_seconds",
    "StatementQuery": "limit cursor currency",
    "TasksQuery": "limit cursor state external_ref",
    "TermsIn": "title text",
    "TokenIn": "token",
    "WorkIn": "answers count job",
    "WorkerIn": "name",
    "WorkerKeyIn": "name expires_at addresses",
}

_TENANTS = (*SESSIONS_A, ONE_FACTOR, *KEYS_A, "owner_b", LOOKER)
_GOLD = ("owner_a", ONE_FACTOR, "manager_a", "key gold:read", "key gold:write", "owner_b")
PRIVATE: Mapping[str, tuple[str, ...]] = {
    "accepted": _GOLD,
    "explanation": _GOLD,
    "gold": _TENANTS,
    "gold_share_bp": _TENANTS,
    "gold_answers": _TENANTS,
    "accuracy_on_gold": _TENANTS,
    "posterior": _TENANTS,
    "answers_given": _TENANTS,
    "budget": _TENANTS,
    "legal_name": SESSIONS,
    "birth_date": SESSIONS,
    "phone": SESSIONS,
    "holder": ("worker", "other_worker", "specialist", "verifier", "admin"),
    "doubles": ("verifier", "admin"),
    "registry_result": ("verifier", "admin"),
    "invited_by": ("owner_a", "owner_b", "key members"),
    "client_secret": ("owner_a", "owner_b"),
    "secret": ("owner_a", "owner_b", "worker", "other_worker", "specialist"),
}
"""Who may find these fields in any answer."""

OPEN_INSIDE = frozenset(
    {"payload", "label_definition", "before", "after", "manifest", "definition", "accepted", "fields"}
)
"""Values whose keys are data and not fields."""


def keys_in(told: Any) -> set[str]:
    """The names of all fields in an answer, however deep."""
    if isinstance(told, list):
        return set().union(*map(keys_in, told)) if told else set()
    if not isinstance(told, dict):
        return set()
    found = set(told)
    for name, value in told.items():
        if name not in OPEN_INSIDE:
            found |= keys_in(value)
    return found
