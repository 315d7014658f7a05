"""Arrays in, arrays out: the methods that tables and features are made with."""
