#!/usr/bin/env bash
# datasets 5.2.0 with torchdata 0.11.0: a mix of streams whose state was saved before each worker gave a batch
# resumes with another mix.
#
# StatefulDataLoader asks a worker that has given nothing yet for the state of its data set, which is still that of the
# whole stream: interleave_datasets has its random generator there, and each worker shifts it by its number only when
# it begins to read. Loaded back, the state takes the place of the shifted generator, and the worker draws its sources
# as worker 0 would. No error, no warning; with stopping strategies other than all_exhausted_without_replacement even
# the number of rows is another. From the first batch of the last worker on, resuming is exact.
#
# Output seen (batches of 4, two workers):
#   datasets 5.2.0 torchdata 0.11.0
#   saved before batch 0: goes on with [[0, 1, 2, 3], [100, 101, 102, 103]] instead of [[0, 1000, 1, 1001], [100, 101, 102, 103]]
#   saved before batch 1: other batches
#   saved before batch 2: as if it had not stopped
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q datasets==5.2.0 torch==2.13.0 torchdata==0.11.0
cat > "$folder/try.py" <<'PYTHON'
import itertools

import datasets
import torchdata
from torchdata.stateful_dataloader import StatefulDataLoader


def loader():
    common = datasets.Dataset.from_dict({"x": range(400)}).to_iterable_dataset(num_shards=4)
    rare = datasets.Dataset.from_dict({"x": range(1000, 1200)}).to_iterable_dataset(num_shards=4)
    mix = datasets.interleave_datasets(
        [common, rare], probabilities=[0.7, 0.3], seed=0, stopping_strategy="all_exhausted_without_replacement"
    )
    return StatefulDataLoader(mix, batch_size=4, num_workers=2, collate_fn=lambda rows: [row["x"] for row in rows])


print("datasets", datasets.__version__, "torchdata", torchdata.__version__.partition("+")[0])
whole = list(loader())
is_exact = []
for stop in range(3):
    begun, resumed = loader(), loader()
    iterator = iter(begun)
    assert list(itertools.islice(iterator, stop)) == whole[:stop]
    resumed.load_state_dict(begun.state_dict())
    rest = list(resumed)
    is_exact.append(rest == whole[stop:])
    told = f"goes on with {rest[:2]} instead of {whole[:2]}" if stop == 0 else "other batches"
    print(f"saved before batch {stop}:", "as if it had not stopped" if is_exact[-1] else told)
assert is_exact == [False, False, True]
PYTHON
HF_HOME="$folder" "$folder/venv/bin/python" -W ignore "$folder/try.py"
