"""datatrove's tokenized files, which nanotron reads.

    STEM.ds               the ids, uint16 or uint32
    STEM.ds.loss          a byte for each token, 1 where the loss counts
    STEM.ds.index         uint64 ends of rows, in tokens
    STEM.ds.metadata      "sort-64|2", whose ids and the bytes of each; how many there are, twice

As ``TokenizedFile`` of datatrove 0.10.1 writes them (``pipeline/tokens/tokenizer.py``), byte for byte but for the name
in .metadata, that nanotron loads a tokenizer by (2411b02, ``config/config.py``).
"""

import numpy as np

from . import ids

ABOUT = "datatrove, nanotron: .ds of ids, with index, metadata and loss masks"
MASKS = True


def dtypes(vocab_size: int) -> list[str]:
    """Its own choice first (``PipelineStepWithTokenizer.token_size``)."""
    return ids.fitting(vocab_size, "uint16", "uint32")


def files(stem, plan):
    masks = [f"{stem}.ds.loss"] if plan.masks else []
    return [f"{stem}.ds", *masks, f"{stem}.ds.index", f"{stem}.ds.metadata"]


def write(files, blocks, plan):
    *arrays, index, metadata = files
    count, written = 0, ids.write(blocks, plan, *arrays)
    with index.open("wb") as ends:
        for block in written:
            ends.write((count + block.ends).astype("<u8").data)
            count += len(block.tokens)
    size = np.dtype(plan.dtype).itemsize
    coding = plan.rows.coding
    name = coding.tokenizer if coding else plan.rows.task.config_name
    metadata.write_text(f"{name}|{size}\n{count}\n{_metric(count)}", encoding="utf-8")


def _metric(count: int) -> str:
    """A number of tokens in three digits, as ``humanize.metric(count, unit="T")``: 1.29 GT."""
    exponent = len(str(count)) - 1
    if round(count / 10 ** (exponent // 3 * 3), 2 - exponent % 3) >= 10 ** (exponent % 3 + 1):
        exponent += 1  # 9.999 is 10.0
    power = exponent // 3
    return f"{count / 1000**power:.{2 - exponent % 3}f} {'kMGTPE'[power - 1] if power else ''}T"


def finish(folder, plan):
    """Nothing: a run takes the folder."""
