"""Outside registries in which a credential's number can be looked up.

``REGISTRIES`` names those that exist here. All of them answer from recorded entries (``recorded``): none of the real
ones is reachable from where this was written, and ``docs/explanation/credentials.md`` says which and why. An adapter
that asks over the network implements the same protocol and takes the place of its recording in the table.
"""

from collections.abc import Mapping
from types import MappingProxyType

from accounts.registries.protocol import Entry, Registry, RegistryUnreachable
from accounts.registries.recorded import Recorded

REGISTRIES: Mapping[str, Registry] = MappingProxyType(
    {name: Recorded(name) for name in ("nppes", "orcid", "gleif", "licences")}
)
"""Every registry by the name that ``CredentialType.registry`` holds."""

__all__ = ["REGISTRIES", "Entry", "Recorded", "Registry", "RegistryUnreachable"]
