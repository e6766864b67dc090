"""OLMo-core's memory-mapped ids, as the Dolma toolkit writes them.

    STEM.npy                  the ids, without the header that NumPy's own .npy has
    STEM.csv.gz               start and end of each row, in tokens: "0,129" (`use_array_if_local=False` reads it)
    labels_mask_STEM.npy      a byte for each token, 1 where the loss counts (`label_mask_paths`)

As ``olmo_core/data/numpy_dataset.py`` of ai2-olmo-core 3.0.0 reads them. A mask stands on the token that is predicted,
as our labels do: ``get_labels`` shifts both.
"""

import gzip

import numpy as np
import pyarrow as pa
from pyarrow import csv

from . import ids

ABOUT = "OLMo-core: .npy of bare ids, .csv.gz of rows, label masks"
MASKS = True

_BARE = csv.WriteOptions(include_header=False)


def dtypes(vocab_size: int) -> list[str]:
    """Its own choice first: the smallest, as ``NumpyDatasetConfig.get_dtype`` takes without a `dtype`."""
    return ids.fitting(vocab_size, "uint8", "uint16", "uint32")


def files(stem, plan):
    masks = [f"labels_mask_{stem}.npy"] if plan.masks else []
    return [f"{stem}.npy", *masks, f"{stem}.csv.gz"]


def write(files, blocks, plan):
    *arrays, rows = files
    start, written = 0, ids.write(blocks, plan, *arrays)
    # neither name nor time in the archive, so that the same rows are the same bytes
    with rows.open("wb") as file, gzip.GzipFile("", "wb", 1, file, mtime=0) as table:
        for block in written:
            ends = start + block.ends
            starts = np.concatenate([[start], ends[:-1]])
            csv.write_csv(pa.table({"start": starts, "end": ends}), table, _BARE)
            start = ends[-1]


def finish(folder, plan):
    """Nothing: a run takes lists of files, or patterns."""
