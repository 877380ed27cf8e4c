"""Statistics of trials and of their designs: arrays in, numbers out; nothing of models or files."""
