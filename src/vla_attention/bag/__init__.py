"""Recorded bags: attend to their images, write what is found beside them. No ROS is needed."""
