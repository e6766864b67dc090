"""RePro (Yu and Xiong 2025): web text, rephrased by a small model that was taught to be faithful, for pretraining.

    reading.py       files and data sets of the Hub as shards, shards as rows; what is damaged is told
    pieces.py        long documents in pieces, the marker behind which a rephrased one begins, and together again
    generation.py    completions of prompts, by vLLM or transformers, the same for the same seed
    rephrasing.py    documents cut, rephrased and put together; what a run was like
    pipeline.py      shards through datatrove, on this machine, Slurm or Ray; the plan of a run that is resumed
    quality.py       quality classifiers
    selection.py     which documents are kept
    duplicates.py    copies among documents
    meaning.py       BERTScore
    faithfulness.py  what a recycled text keeps of its original, loses and makes up
    side_by_side.py  the report of that, as a page and in the terminal

The recipes are recipes/recycle_*.py; the rewards of the rephraser's training are in hf_procedural/rl.
"""
