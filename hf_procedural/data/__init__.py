"""Rows on their way: blocks of them, the builder, streams, files, tokenizers."""
