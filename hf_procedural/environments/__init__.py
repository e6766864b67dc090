"""Environments: the questions of a task where others train and evaluate, with its own verifier as the reward.

    episodes.py       questions by number, as text, and episodes of one or more turns; knows no framework
    openenv.py        a server of OpenEnv, and its client
    reasoning_gym.py  our tasks among the data sets of reasoning-gym, with curricula
    trl.py            environments of TRL, for questions in steps, and its trainer on them
    verifiers.py      a taskset of verifiers
    inspect.py        an evaluation of inspect-ai
    nemo_gym.py       a resources server of NeMo Gym
    packages.py       the kinds of installable packages, whose texts are in *_package.py

All import the framework of their name when they are used, not before.
"""

from .episodes import Episode, Question, Questions

__all__ = ["Episode", "Question", "Questions"]
