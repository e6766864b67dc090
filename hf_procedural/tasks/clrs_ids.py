"""The tokens of CLRS-Text, which its kernels know by number."""

LONGEST = 64  # items of an input
SIGNS = ("<pad>", "<sep>", "<eos>", "<newline>", "[", "]", "(", ")", ",", ":", "|", "trace", "initial_trace")
PAD, SEP, EOS, NEWLINE, OPEN, CLOSE, LEFT, RIGHT, COMMA, COLON, BAR, TRACE, INITIAL = range(len(SIGNS))
ZERO = len(SIGNS) + 1  # the number 0; -1 is in front of it
FLOAT = ZERO + LONGEST + 1  # 0.0; then 0.001 ... 1.0
NEGATIVE = FLOAT + 1001  # -0.0; then -0.001 ... -1.0
NAMES = NEGATIVE + 1001
