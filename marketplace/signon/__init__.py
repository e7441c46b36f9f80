"""Signing on: what allauth is told of this site, and what a session has shown of who sits there."""
