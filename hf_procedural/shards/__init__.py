"""Files that are made a shard at a time, each by its number alone, by any number of processes and machines.

work.py       what such work is; in this process and others of this machine, and in parts by several
cluster.py    the same through datatrove, on Slurm and Ray
processes.py  processes that end with the one that started them
"""
