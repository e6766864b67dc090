"""What an export is: which rows, in what form, in which shards. A plan of 10^12 rows is as small as one of ten."""

import dataclasses

from ..data.coded import CodedRows


@dataclasses.dataclass(frozen=True)
class Plan:
    """An export.

    Args:
        rows: whose ids are written.
        split: of them.
        count: rows of the split, from its first.
        shard_rows: in each shard, of which the last may have fewer.
        dtype: of ids in the files, such as "uint16".
        masks: whether the files hold on which tokens the loss counts.
    """

    rows: CodedRows
    split: str
    count: int
    shard_rows: int
    dtype: str
    masks: bool

    @property
    def row_length(self) -> int | None:
        """Tokens in each row; None where rows differ."""
        return self.rows.row_length_of(self.split)

    @property
    def shards(self) -> int:
        """How many there are."""
        return -(-self.count // self.shard_rows)

    def stem(self, number: int) -> str:
        """The beginning of the names of a shard's files, which are in order."""
        digits = max(5, len(str(self.shards)))
        return f"{self.split}-{number:0{digits}d}-of-{self.shards:0{digits}d}"

    def range(self, number: int) -> tuple[int, int]:
        """The first row of a shard, and the row behind its last."""
        start = number * self.shard_rows
        return start, min(self.count, start + self.shard_rows)
