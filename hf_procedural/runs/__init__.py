"""What a run leaves behind, and how runs compare."""

from ..moved import old_names

__getattr__ = old_names(__name__)
