"""Linear blocks: the proof that a block is linear, its structure, and its exact propagator."""
