"""From a plan to tags."""
