"""The frameworks, each behind the same functions."""
