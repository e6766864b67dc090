"""What the recipes' arguments offer, and their defaults. Light, so that --help needs neither datatrove nor torch."""

from .. import accepted

KINDS = "JSON Lines (.jsonl or .json, each also .gz or .zst) or .parquet"
SYSTEM = "You are a helpful assistant."

# Rephrasing
COMPLETE = "recycle.json"  # what recipes/recycle_rephrase.py writes last
ORIGINAL, DROP = "original", "drop"  # what becomes of a piece that was not rephrased
ENGINES = ("vllm", "continuous", "padded")

# Filtering
SOURCES = ("organic", "recycled")
RULES = ("threshold", "keep_top", "tokens")
LABEL, OTHER = "__label__hq", "__label__cc"  # of the published model
THRESHOLD = 0.018112  # DCLM-Baseline's, of that model
PROBABILITY = accepted.Accepted("a probability from 0 to 1", lambda value: 0 <= value <= 1.0001)  # fastText adds 1e-5
LEAST_WEIGHTS = 2**23  # see quality.train
