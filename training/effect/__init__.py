"""What cross-attention is worth: the same features, data and budget with it and without it."""
