"""Documents on their way to the model: read, mixed, tokenized, packed into rows.

    sources.py        how a data set is named, with its configuration, split and column
    readers.py        where documents come from: local files, data sets of the Hub, Python's own text
    documents.py      documents in order, to train on and to validate with
    batches.py        documents in batches that suit a tokenizer, made ahead by another thread
    tokenizers.py     a tokenizer trained on text
    packing.py        documents packed into rows of one length
    mixing.py         the same, of several sources by weights, rows of tasks among them
    turns.py          rows of tasks in front of text, or among it as rows of their own
    math_archive.py   the archive of DeepMind-Math: files, damage, problems
    math_packed.py    the same, as it is published, packed
    deepmind_math.py  DeepMind-Math by characters: tokenizer, rows, scores

All of it is read in constant memory, in an order that the seed alone decides.
"""
