"""Training of the embedded grounding model."""
