"""IMG: image files, the quality of images and of the objects in their boxes."""
