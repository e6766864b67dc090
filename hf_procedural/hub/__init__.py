"""Publishing on the Hugging Face Hub: data sets, tokenizers, runs, and their cards."""
