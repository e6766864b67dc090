"""Documents in batches of a size that the tokenizer likes, made ahead of need."""

import collections
import concurrent.futures
from collections.abc import Iterable, Iterator

SEPARATORS = ("eos", "bos", "none")
BATCH = 2**20  # characters that are tokenized together; enough for many threads
BATCH_DOCUMENTS = 1024
PIECE = 2**21  # characters; longer documents are tokenized in pieces, since each takes 130 bytes meanwhile
AHEAD = 4  # batches that are made before they are needed


def groups_of(texts: Iterable[str]) -> Iterator[list[str]]:
    """Documents in lists of about `BATCH` characters."""
    group = []
    size = 0
    for text in texts:
        group.append(text)
        size += len(text)
        if size >= BATCH or len(group) == BATCH_DOCUMENTS:
            yield group
            group = []
            size = 0
    if group:
        yield group


def pieces_of(text: str) -> Iterator[str]:
    """A long text in pieces of `PIECE` characters, cut before a line break where there is one."""
    start = 0
    while start < len(text):
        end = start + PIECE
        if end < len(text):
            # Hardly a token spans a line break and what stands before it: a cut there changes the fewest.
            line_break = text.rfind("\n", start + 1, end)
            end = line_break if line_break > 0 else end
        yield text[start:end]
        start = end


def made_ahead(items: Iterator) -> Iterator:
    """The same items, made by another thread while the last ones are used. The thread ends with this iterator."""
    pool = concurrent.futures.ThreadPoolExecutor(1, "packing")
    try:
        pending = collections.deque(pool.submit(next, items, None) for _ in range(AHEAD))
        while (item := pending.popleft().result()) is not None:
            pending.append(pool.submit(next, items, None))
            yield item
    finally:
        pool.shutdown(cancel_futures=True)
