"""What training changed inside of models: layers, predictions, heads and weights of two or more, side by side.

    words.py        models and data as a command line names them. Needs no torch
    models.py       a model that is looked into: how it is opened and read
    rows.py         the rows that all models read, each in its own ids
    similarity.py   linear CKA of layers, in minibatches
    predictions.py  divergences of what is predicted
    heads.py        attention: entropy, induction, copies of every head
    spectra.py      effective rank of activations; distances and spectra of weights
    diagnose.py     all of these in one pass over the rows
    report.py       the result as tables, and in a folder
    drawing.py      the result as heat maps

All but `words` import torch. `diagnose.diagnose` gives a plain dict, `report.tables` makes markdown of it and
`drawing.draw` pictures.
"""
