"""A population from its patients' data: what is estimated, stored draws that are reweighted, and what they come to."""
