"""Rows as people read them: text and pictures."""

from ..moved import old_names

__getattr__ = old_names(__name__)
