"""What a run is turned into for a reader: a table and a figure."""
