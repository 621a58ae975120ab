"""Attention you can see: overlays, heat maps, figures."""
