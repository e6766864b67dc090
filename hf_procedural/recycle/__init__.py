"""RePro (Yu and Xiong 2025): web text, rephrased by a small model that was taught to be faithful, for pretraining.

    reading.py       files and data sets of the Hub as shards, shards as rows; what is damaged is told
    pieces.py        long documents in pieces, the marker behind which a rephrased one begins, and together again
    generation.py    completions of prompts, by vLLM or transformers, the same for the same seed
    rephrasing.py    documents cut, rephrased and put together; what a run was like
    choices.py       what the recipes' arguments offer
    output.py        the folder that a step writes, the plan of a run that is resumed, the record of a shard
    pipeline.py      shards through datatrove, on this machine, Slurm or Ray
    quality.py       quality classifiers
    selection.py     which documents are kept
    duplicates.py    copies among documents
    judges.py        language models that are asked about texts
    rewards.py       the rewards of the rephraser's training
    meaning.py       BERTScore
    faithfulness.py  what a recycled text keeps of its original, loses and makes up
    side_by_side.py  the report of that, as a page and in the terminal

The recipes are recipes/recycle_*.py.
"""
