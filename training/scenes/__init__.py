"""Procedural RGB-D scenes of tables with ground truth and referring phrases in English and Korean."""

from training.scenes.make import make_scene
from training.scenes.player import play
from training.scenes.scene import Scene, SceneObject, ScenePhrase

__all__ = ['Scene', 'SceneObject', 'ScenePhrase', 'make_scene', 'play']
