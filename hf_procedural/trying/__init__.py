"""What a model answers, beside what is right: prompts that training never saw, and those that someone types in."""
