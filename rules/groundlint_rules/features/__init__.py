"""Features: what is measured on each image and on each box."""
