"""Scene generator (installed too), training and evaluation of the embedded models (not installed)."""
