"""The array kinds, named once: what a model sees, and what a solver carries."""

from __future__ import annotations

import jax
import numpy as np

# A number of one patient in a model's equations. Its array shape is never mentioned there: () under
# the adaptive solver, a block of patients in a fused kernel, a dual number under differentiation.
Scalar = jax.Array | float

Array = jax.Array
HostArray = np.ndarray
