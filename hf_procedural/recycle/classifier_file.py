"""Whether the file of a fastText classifier may be loaded: its counts, and how a process fares that does.

fastText believes a file: one that is cut short, damaged or made for it ends the process, or fills the memory. A file is

    magic number, version; dim, ws, epoch, minCount, neg, wordNgrams, loss, model, bucket, minn, maxn, lrUpdateRate; t
    entries, words, labels; tokens, kept n-grams (-1: all)                 12 int32 and a double; 3 int32 and 2 int64
    entries: word, 0 byte, count (int64), whether it is a label (a byte); kept n-grams: hash, row (int32 each)
    whether it is quantized (a byte), input matrix: a row for each word and n-gram; the same of the output: each label
    a matrix is [rows, columns] (int64) and float32; a quantized one is codes and centroids
"""

import json
import mmap
import os
import signal
import struct
import subprocess
import sys

_MAGIC, _SUPERVISED = 793_712_314, 3
_LOSSES = (1, 2, 3, 4)
_LARGEST_COUNT = 10**15  # from which on the tree of hierarchical softmax has no place for a label
_HEADER = struct.Struct("<2i12id3i2q")
_SHAPE, _QUANTIZED, _CENTROIDS = struct.Struct("<2q"), struct.Struct("<?2qi"), struct.Struct("<4i")
_TRIAL = """
import json, resource, sys
path, memory, seconds, sys.path[:] = json.loads(sys.argv[1])
for kind, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_AS, memory)):
    hard = resource.getrlimit(kind)[1]  # which may be lower already, and cannot be raised
    least = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (least, least))
import fasttext
model = fasttext.load_model(path)
model.predict(["a line of text", ""], k=-1)
print(json.dumps(sorted(model.labels)))
"""


def check(path: str) -> None:
    """Raises ValueError, in one line, for what is no classifier, and where its counts and its size disagree."""
    if os.path.getsize(path) < _HEADER.size:
        raise ValueError(f"classifier {path} is not a fastText model")
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        magic, _version, dim, *settings, _t, entries, words, labels, _tokens, kept = _HEADER.unpack_from(content)
        grams, loss, kind, bucket, _, longest, _ = settings[4:]
        if magic != _MAGIC:
            raise ValueError(f"classifier {path} is not a fastText model")
        if kind != _SUPERVISED:
            raise ValueError(f"classifier {path} holds word vectors: train a classifier (fasttext supervised)")
        try:
            if min(dim, labels) < 1 or min(words, bucket) < 0 or entries != words + labels or loss not in _LOSSES:
                raise _Damage("its counts are of no model")
            if not bucket and (grams > 1 or longest > 0):
                raise _Damage("it has n-grams, and no place for them")
            place = _after_entries(content, words, labels)
            place = _after_kept(content, place, kept)
            place = _after_matrix(content, place, words + (bucket if kept < 0 else kept), dim)
            if _after_matrix(content, place, labels, dim) != len(content):
                raise _Damage("it does not end with the weights of its labels")
        except (_Damage, struct.error, IndexError) as error:
            reason = error if isinstance(error, _Damage) else "it ends too early"
            raise ValueError(f"classifier {path} is cut short or damaged: {reason}") from None


class _Damage(Exception):
    pass


def _after_entries(content: mmap.mmap, words: int, labels: int) -> int:
    """Where the dictionary ends; words come before labels."""
    place = _HEADER.size
    for number in range(words + labels):
        end = content.find(b"\0", place)
        if end < 0 or content[end + 9] != (number >= words):
            raise _Damage(f"entry {number + 1:,} of its dictionary is none")
        if number >= words and not 0 < int.from_bytes(content[end + 1 : end + 9], "little") < _LARGEST_COUNT:
            raise _Damage("a label has a count that none has")
        place = end + 10
    return place


def _after_kept(content: mmap.mmap, place: int, kept: int) -> int:
    """Where the rows of the n-grams end that were kept."""
    end = place + 8 * max(kept, 0)
    if end > len(content) or not all(0 <= row < kept for _, row in struct.iter_unpack("<2i", content[place:end])):
        raise _Damage("n-grams that were kept have no rows")
    return end


def _after_matrix(content: mmap.mmap, place: int, rows: int, dim: int) -> int:
    """Where a matrix ends, which must be of that shape."""
    place += 1
    if not content[place - 1]:
        shape, place = _SHAPE.unpack_from(content, place), place + _SHAPE.size
        end = place + 4 * rows * dim
    else:
        by_norm, *shape, size = _QUANTIZED.unpack_from(content, place)
        place += _QUANTIZED.size + size
        pieces = _pieces(content, place, dim)
        if size != rows * pieces:
            raise _Damage("the codes of its weights are not as many as their pieces")
        end = place + _CENTROIDS.size + 4 * 256 * dim
        if by_norm:
            _pieces(content, end + rows, 1)
            end += rows + _CENTROIDS.size + 4 * 256
    if tuple(shape) != (rows, dim) or end > len(content):
        raise _Damage(f"it has no {rows:,} rows of {dim:,} weights where they must be")
    return end


def _pieces(content: mmap.mmap, place: int, dim: int) -> int:
    """How many pieces of a vector are coded one by one, of what begins with their sizes."""
    whole, pieces, size, last = _CENTROIDS.unpack_from(content, place)
    if whole != dim or size < 1 or not 0 < last <= size or (pieces - 1) * size + last != dim:
        raise _Damage("the pieces of its weights are not as long as these")
    return pieces


def labels_of(path: str) -> list[str]:
    """The labels of a classifier, loaded by another process, which may die of it, with limits of time and memory.

    Raises ValueError in one line where it does.
    """
    size = os.path.getsize(path)
    seconds = 60 + size // 10_000_000  # a disk reads faster
    memory = 4 * 2**30 + 8 * size  # addresses: fastText has some bytes for each of the file's, libraries have the rest
    asked = json.dumps([path, memory, seconds, sys.path])
    alone = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run([sys.executable, "-c", _TRIAL, asked], capture_output=True, text=True, env=alone, check=False)
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    if done.returncode < 0:
        reason = f"{signal.Signals(-done.returncode).name} ends the process that loads it"
    else:
        reason = (done.stderr.splitlines() or [f"exit code {done.returncode}"])[-1]
    raise ValueError(f"classifier {path} is damaged, or larger than the memory: {reason}")
