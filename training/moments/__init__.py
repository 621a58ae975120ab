"""Training and evaluation of the attention over time."""
