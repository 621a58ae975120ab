"""The ROS 2 coat around the stages: one node a file."""
