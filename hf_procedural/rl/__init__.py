"""Reinforcement stages: rewards that anyone can verify, and what their recipes share. Needs no TRL to be imported."""

from .rewards import answer_reward, prefix_matching_reward

__all__ = ["answer_reward", "prefix_matching_reward"]
