"""Tell the arm where to look: attention maps and focus regions from images and instructions."""

__version__ = '0.1.0'
