"""open_lm's tars with a list for each row: `dclm.py` without its 2,049, for runs of these rows alone."""

from . import dclm

ABOUT = "open_lm (webdataset): as dclm, a list for each row, for --seq-len one less than a row"
MASKS = False

dtypes = dclm.dtypes
files = dclm.files
finish = dclm.finish


def check(plan):
    if plan.row_length is None:
        raise ValueError(
            "format open_lm has rows of one length, as a batch has, and these differ in length (by coding text, "
            "--drop_padding or --end_token): leave that out, or take format dclm"
        )


def write(files, blocks, plan):
    check(plan)
    rows = (row for block in blocks for row in block.tokens.reshape(len(block.ends), -1))
    dclm.write_sequences(files, rows, plan)
