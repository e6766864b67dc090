"""Publishes procedural data sets: `hf-procedural publish`, as a script for a cluster's checkout.

    python dataset_scripts/publish.py --all --repo me/procedural --num_proc 16    # the papers' grid
    python dataset_scripts/publish.py sort-64 --repo me/procedural --dry_run      # what would be pushed
    python dataset_scripts/publish.py sort-64 --output data/published             # the same layout on disk

What a config is comes from the registry of tasks (hf_procedural/tasks), its files from hf_procedural/data/parquet.py,
its card from hf_procedural/hub/dataset_card.py, and how it goes to the Hub from hf_procedural/hub/datasets.py.
"""

import sys

from hf_procedural.cli import main

if __name__ == "__main__":
    main(["publish", *sys.argv[1:]])
