"""Rows written for other frameworks' readers, by any number of processes and machines.

    plan.py       which rows stand in which shard, and in what form
    formats.py    the formats by name

A format is a module here:

    ABOUT                          one line for --help: whose it is, which files
    MASKS                          whether it can hold on which tokens the loss counts
    dtypes(vocab_size)             the dtypes that it can hold ids below vocab_size in, its own choice first
    files(stem, plan)              the names of a shard's files; the last is there when all of them are whole
    check(plan)                    optional: raises ValueError for what else it cannot hold, before anything is written
    write(files, blocks, plan)     writes a shard's files (paths of the same order) from `data.coded.Block`s
    finish(folder, plan)           writes what all shards share, such as an index: the same bytes for any workers
"""
