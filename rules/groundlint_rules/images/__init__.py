"""IMG: image files and the quality of their pictures."""
