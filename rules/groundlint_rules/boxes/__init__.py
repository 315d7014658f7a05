"""BOX: the geometry of bounding boxes."""
