"""Who signs in, who posts, who answers, what they have proved, and what was done in whose name.

====================  ==========================================================================
User                  someone who signs in (by email)
PlatformRole          a user's standing on the platform: admin, verifier, treasurer, support
Organisation          a requester: posts jobs and pays for them
Membership            a user's role in an organisation: owner, manager, reviewer, finance
Invitation            the offer of such a role, sent to an address, signed and expiring
Worker                a party that answers: a person, or a version of a model
Profile, SpokenLanguage  what a worker says of themself, and may be asked for
Terms, Consent        a text that must be agreed to before work, and that somebody did
Block                 a worker is kept from one organisation's jobs, or from all, for a time
CredentialType        what can be proved: fields, evidence, checks, how many verifiers
Credential            something proved outside: a licence, a degree, an interview passed
CredentialStep        what happened to a credential, who did it and why; never changed
Approval              one verifier's yes; a type may need two, of two people
Evidence, EvidenceView  a document that proves it, sealed; and who looked at it, never changed
Assessment            an interview or a portfolio review: when, by whom, how it was scored
Signal, LinkCase      what two accounts share, and the question whether they are one person
PersonKey, PersonalData  the key that opens a person's private data, and that data, sealed
DoomedFile            a file that is to be removed from the store
ApiKey                a hashed secret that acts for one organisation or one worker, within scopes
Impersonation         a time in which support looked through a user's eyes
AuditRow              one change to people, permissions or configuration; written by triggers
====================  ==========================================================================
"""

from accounts.models.auditing import AuditRow, Impersonation
from accounts.models.credentials import (
    Approval,
    Assessment,
    Credential,
    CredentialStep,
    CredentialType,
    Evidence,
    EvidenceView,
)
from accounts.models.keys import ApiKey
from accounts.models.matching import LinkCase, Signal
from accounts.models.organisations import Invitation, Membership, Organisation
from accounts.models.privacy import DoomedFile, PersonalData, PersonKey
from accounts.models.users import PlatformRole, User, UserManager
from accounts.models.workers import Block, Consent, Profile, SpokenLanguage, Terms, Worker

__all__ = [
    "ApiKey",
    "Approval",
    "Assessment",
    "AuditRow",
    "Block",
    "Consent",
    "Credential",
    "CredentialStep",
    "CredentialType",
    "DoomedFile",
    "Evidence",
    "EvidenceView",
    "Impersonation",
    "Invitation",
    "LinkCase",
    "Membership",
    "Organisation",
    "PersonKey",
    "PersonalData",
    "PlatformRole",
    "Profile",
    "Signal",
    "SpokenLanguage",
    "Terms",
    "User",
    "UserManager",
    "Worker",
]
