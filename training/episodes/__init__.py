"""Episodes of an arm or a hand at work, made up, with phase, contact and object truth for each frame."""
