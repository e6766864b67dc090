"""Ids of T5's vocabulary that `simpler` and its kernels share."""

EOS = 1
FIRST = 2  # of the symbols
NO = 150
YES = 4273
NOTHING = 32_096
AND = 32_097
WORD_END = 32_098
NAME_END = 32_099
SEP = 32_100
