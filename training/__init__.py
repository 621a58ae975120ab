"""Scene generator, training and evaluation of the embedded models; of these the scene generator alone is installed."""
