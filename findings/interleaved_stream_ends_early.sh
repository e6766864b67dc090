#!/usr/bin/env bash
# datasets 5.2.0: interleave_datasets of the same rows has fewer rows as a stream than map-style.
#
# Three data sets of 4 rows each, without probabilities, stopping_strategy="first_exhausted", the default: map-style
# ends each turn (12 rows), a stream stops at the first source's last row (10), so that the last row of every other
# source is never seen. "all_exhausted" gives the same rows in both. Whoever mixes rows of equal counts, and counts on
# what he tried map-style, loses a row of each source but one; in DataLoader workers, in each worker.
#
# Output seen:
#   datasets 5.2.0 map-style 12 stream 10 missing [13, 23]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q datasets==5.2.0
HF_HOME="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import datasets

sources = [datasets.Dataset.from_dict({"x": range(10 * number, 10 * number + 4)}) for number in range(3)]
streams = [source.to_iterable_dataset() for source in sources]
whole = [row["x"] for row in datasets.interleave_datasets(sources)]
stream = [row["x"] for row in datasets.interleave_datasets(streams)]
missing = sorted({*whole} - {*stream})
print("datasets", datasets.__version__, "map-style", len(whole), "stream", len(stream), "missing", missing)
assert (len(whole), len(stream), missing) == (12, 10, [13, 23])
PYTHON
