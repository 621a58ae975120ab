"""Generator, training and evaluation of the language model."""
