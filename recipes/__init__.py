"""A script for each stage, with its settings: in a checkout this folder, in the wheel hf_procedural.recipes."""
