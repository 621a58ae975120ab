"""Scene generator, training and evaluation of the embedded models; not part of the installed package."""
