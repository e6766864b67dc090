"""Where shards are made: names alone, for --help and for what needs no datatrove."""

EXECUTORS = ("local", "slurm", "ray")
HIDDEN = ".datatrove"  # the folder of datatrove's logs, statistics and marks, in that of the shards
