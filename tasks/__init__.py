"""The line."""
