"""What a checkpoint can do, by lm-evaluation-harness (lm-eval): rows, text, questions in words, DCLM's Core.

    suites.py       which tasks a suite has, their shots and chances; tables. Needs no lm-eval
    library.py      what we use of lm-eval
    checkpoints.py  a checkpoint: where it lies, what its run was, the model as lm-eval takes it
    as_rows.py      rows of a procedural task, or of DeepMind-Math, as a task of lm-eval
    in_words.py     held-out text, and procedural tasks as questions in words
    yaml_tasks.py   tasks of lm-eval in YAML files of the user's
    core.py         DCLM's Core, over DCLM's own files
    harness.py      what is asked of a checkpoint, and the figures

All but `suites` need lm-eval to be imported.
"""
