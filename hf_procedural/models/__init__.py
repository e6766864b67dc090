"""Models: new and pretrained ones, their attention, and which weights they begin with."""
