"""What holds for stamps everywhere."""

JUMP = 0.5  # seconds that stamps may go back before that counts as a jump (a bag that starts over)
