"""Visual attention: image -> patch tokens and bottom-up saliency."""
