"""Which split a row belongs to: a hash of its prompt decides, so that no prompt is ever in two splits.

The prompt of a row is what carries no label, padding aside, before `Task.prompt_end` if that is set; of a language, the
whole row; of a row that is asked at many places, all before the answer to the last question. The hash is of its token
strings, so it depends on neither seed nor task nor vocabulary: what one run trained on is no other run's validation
prompt, in mixtures too.
"""

import functools
import hashlib

import numpy as np

SIZES = {"train": 160_064, "validation": 4_096, "test": 4_096}  # rows; train is the budget of Jiang et al. 2026
SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}
INDEX = {split: index for index, split in enumerate(SHARES)}
_BORDERS = (np.cumsum(list(SHARES.values()))[:-1] * 2.0**64).astype(np.uint64)


def bounds(split: str) -> tuple[int, int]:
    """The least and the greatest hash of a split: for tasks that draw other things for each split than prompts."""
    borders = [0, *_BORDERS.tolist(), 2**64]
    return borders[INDEX[split]], borders[INDEX[split] + 1] - 1


def of_rows(task, input_ids: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The split of each row as an index into `SHARES`, int64 ``[n]``, from int32 ``[n, max_length]`` arrays."""
    from . import kernels

    last = -1 if task.prompt_end is None else task.prompt_end
    ends = task.prompt_ends(input_ids, labels)
    whole = task.is_language or len(ends) > 0
    hashes = kernels.hash_prompts(input_ids, labels, whole, task.pad_id, last, ends, _codes(task))
    return np.searchsorted(_BORDERS, hashes, side="right")


@functools.lru_cache(maxsize=64)
def _codes(task) -> np.ndarray:
    """A number for each token string of the vocabulary, uint64."""
    # Of the strings, not of ids: the same prompt is in the same split whatever ids a mixture gives its tokens.
    digests = (hashlib.blake2b(token.encode(), digest_size=8).digest() for token in task.vocabulary)
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)
