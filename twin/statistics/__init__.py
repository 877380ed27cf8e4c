"""Statistics of designs and analyses, of arrays alone: nothing here knows a model, a patient or a file."""
