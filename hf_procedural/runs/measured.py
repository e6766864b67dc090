"""Every measured name once."""

REWARDS = ("quality", "meaning", "structure", "length", "format")  # of a paraphrase, in recycle/rewards.py
THRESHOLDS = {"easy": 0.5, "medium": 1.0, "hard": 1.5}  # nats; nested: hard ones are medium and easy, too
