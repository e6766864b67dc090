"""What the recipes share: arguments, launching, the lines before and after training."""
