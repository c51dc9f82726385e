"""Tasks: what is asked, its world, and how it is scored."""
