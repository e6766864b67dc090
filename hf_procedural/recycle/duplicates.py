"""Copies among documents, of several sources together, by datatrove's MinHash.

Signatures are 14 buckets of 8 hashes of runs of 5 words, datatrove's defaults, as for FineWeb: of two texts that share
72 % of these runs the second is found with probability 0.65, with 80 % 0.92, with 90 % 0.9996.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from datasets.utils import tqdm

from .. import upstream
from .pipeline import Document

from datatrove.pipeline.dedup import (  # isort: skip (what is not installed, pipeline tells)
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupSignature,
)
from datatrove.utils.hashing import HashConfig  # isort: skip
from datatrove.utils.word_tokenizers import WhitespaceTokenizer  # isort: skip

# datatrove 0.10 hashes text by xxhash, whose version 4 takes bytes alone.
CONFIG = MinhashConfig(hash_config=HashConfig(hash_fc="sha1"))


_CLUSTERS = "datatrove.pipeline.dedup:MinhashDedupCluster.save_cluster_id"


class Words(WhitespaceTokenizer):
    """What stands between white space, as datatrove has left it: lower case, without punctuation and accents.

    datatrove's own tokenizers need spaCy, this one's for words too.
    """

    def word_tokenize(self, text: str) -> list[str]:
        return text.split()


class Signatures(MinhashDedupSignature):
    """Writes the signatures of a shard, and passes its documents on without their texts.

    Args:
        folder: for those of all sources.
        first: how many shards are in the sources before.
    """

    def __init__(self, folder: Path, first: int):
        language: Any = Words()  # datatrove takes a tokenizer, too, where it says str
        super().__init__(str(folder / "signatures"), CONFIG, language=language)
        self.first = first

    def run(self, data, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        without_texts = []

        def documents():
            for document in data:
                without_texts.append(Document("", document.id, metadata=document.metadata))
                yield document

        super().run(documents(), self.first + rank, world_size)
        yield from without_texts


def find(folder: Path, shards: int) -> dict[int, np.ndarray]:
    """Copies by shard: their places among its documents. Of documents that are alike the first is none.

    (datatrove's own filter keeps one of each cluster that may be any. Clusters are chained: a copy may be unlike the
    first, and like another copy.) Raises ValueError where the signatures of a shard are not there.
    """
    upstream.assure(_CLUSTERS, _finds_copies)
    return _find(folder, shards)


def _finds_copies() -> bool:
    """Whether the second of two documents that are the same is found, and nothing else."""
    texts = ["one two three four five six", "one two three four five six", "seven eight nine ten eleven twelve"]
    documents = [Document(text, str(number)) for number, text in enumerate(texts)]
    with tempfile.TemporaryDirectory() as folder:
        for _ in Signatures(Path(folder), 0).run(documents):
            pass
        copies = _find(Path(folder), 1, quiet=True)
    return {shard: places.tolist() for shard, places in copies.items()} == {0: [1]}


def _find(folder: Path, shards: int, quiet: bool = False) -> dict[int, np.ndarray]:
    signatures, pairs, clusters = (str(folder / name) for name in ("signatures", "pairs", "clusters"))
    if len(list(Path(signatures, "bucket_000").glob("*.sig"))) != shards:
        raise ValueError(f"{signatures} is not complete: remove the output folder and begin anew")
    compare = MinhashDedupBuckets(signatures, pairs, config=CONFIG)
    for bucket in tqdm(range(CONFIG.num_buckets), desc="comparing", unit=" buckets", disable=quiet):
        compare.run(rank=bucket, world_size=CONFIG.num_buckets)
    MinhashDedupCluster(pairs, clusters, CONFIG, save_cluster_id=True).run()
    tables = [np.empty((0, 3), np.uint32)]  # rows [shard, place, cluster], in order
    for file in sorted(Path(clusters).glob("*.clusters")):
        places_and_clusters = np.fromfile(file, "<u4").reshape(-1, 2)
        tables.append(np.insert(places_and_clusters, 0, int(file.stem), axis=1))
    members = np.concatenate(tables)
    _, firsts = np.unique(members[:, 2], return_index=True)
    copies = np.delete(members, firsts, axis=0)
    return {shard: copies[copies[:, 0] == shard, 1] for shard in np.unique(copies[:, 0]).tolist()}
