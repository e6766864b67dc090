"""Ids of T5's vocabulary that `simpler` and its kernels share.

<eos>, the symbols from FIRST on, and the words of answers are T5's own (felixzli/synthetic_pretraining at 58a6e0b);
32096 to 32099 are its <extra_id_3> to <extra_id_0>, of which the reference makes marks. <sep> is ours.
"""

EOS = 1
FIRST = 2  # of the symbols
NO = 150
YES = 4273
NOTHING = 32_096
AND = 32_097
WORD_END = 32_098
NAME_END = 32_099
SEP = 32_100
