"""Studies: a paper's comparison as one file, resolved to a graph of runs, made by Snakemake, and reported."""
