"""From charts to patients of a model: codes mapped, units converted, times set, duplicates removed."""
