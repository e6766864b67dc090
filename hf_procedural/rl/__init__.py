"""Reinforcement stages: rewards that anyone can verify, and what their recipes share.

    rewards.py         of answers to procedural tasks, and of next-token predictions (Reinforcement Pre-Training)
    prompts.py         prompts of a task, as tokens or in words, and of rows in memory, without an end
    questions.py       how does this text go on? Questions that a proxy model finds hard, and how they are read
    token_bytes.py     where tokens end in a text, in bytes
    accuracy.py        next-token accuracy by difficulty
    scaling.py         accuracy over compute, and the form fitted to it
    arguments.py       our part of the arguments
    grpo_arguments.py  all of TRL's arguments, checked
    reused.py          completions that several steps share, kept with a checkpoint
    grpo.py            TRL's GRPOTrainer with what the recipes add

All but `grpo` and its arguments need no TRL to be imported.
"""

from .rewards import answer_reward, prefix_matching_reward

__all__ = ["answer_reward", "prefix_matching_reward"]
