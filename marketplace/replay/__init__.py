"""Letting recorded workers answer again, through the real acts and a real database."""
