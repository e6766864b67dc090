"""python -m hf_procedural.cli: the command where its script is not on the path."""

import sys

from . import main

sys.argv[0] = "hf-procedural"  # as which mistakes are told
main()
