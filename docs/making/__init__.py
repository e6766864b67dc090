"""What docs/make.py makes pages from: each module here has `pages()`."""
