"""BAL: how many images each label has, and how varied they are."""
