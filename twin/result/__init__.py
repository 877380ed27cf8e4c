"""Results: labelled data in memory and on disk, summaries, and paired contrasts between regimens."""
