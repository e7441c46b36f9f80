"""What the administration has of credentials: the verifiers' queue, and for admins the types and what they open."""

from marketplace.verifier_admin import queue, types

__all__ = ["queue", "types"]
