"""Statistics of trials: nothing here knows of models, patients or files."""
