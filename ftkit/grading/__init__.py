"""Exercises that grade themselves: see ``README.md`` in this folder."""
