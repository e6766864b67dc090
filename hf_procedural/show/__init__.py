"""Rows as people read them: text and pictures."""
