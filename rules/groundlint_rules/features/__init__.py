"""Features: values measured on each image and on each box."""
