"""What a checkpoint can do, by our own measures and by lm-evaluation-harness."""
