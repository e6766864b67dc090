"""Documents on their way to the model: read, mixed, tokenized, packed into rows.

    documents.py      documents of local files, data sets of the Hub, and Python's own text
    batches.py        documents in batches that suit a tokenizer, made ahead by another thread
    tokenizers.py     a tokenizer trained on text
    packing.py        documents packed into rows of one length
    mixing.py         the same, of several sources by weights
    deepmind_math.py  DeepMind-Math by characters: tokenizer, rows, scores

All of it is read in constant memory, in an order that the seed alone decides.
"""
