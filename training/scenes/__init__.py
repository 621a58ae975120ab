"""Procedural RGB-D scenes of tables with ground truth and referring phrases in English and Korean."""

from .make import make_scene
from .player import play
from .scene import Scene, SceneObject, ScenePhrase

__all__ = ['Scene', 'SceneObject', 'ScenePhrase', 'make_scene', 'play']
