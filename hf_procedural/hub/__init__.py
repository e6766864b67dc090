"""Publishing on the Hugging Face Hub: data sets, tokenizers, runs, and their cards."""

from ..moved import old_names

__getattr__ = old_names(__name__)
