"""Documents on their way: found, mixed, tokenized, packed."""
