"""The programmable door, ``/api/v1/``: one module a resource, and the tools they share.

A request goes: ``doors`` (who is it, how often, is the query known) -> the resource's view -> one act or query of
a lower floor -> a serializer, or ``problems`` for everything that is a no. ``hot`` is the shorter way for claims
and answers. Who may do what is said in ``policies`` and nowhere else.
"""
