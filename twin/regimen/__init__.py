"""What is given when: doses and regimens, the words and tables they are written in, their schedule as arrays."""

from .dose import Dose
from .regimen import Regimen

__all__ = [
    "Dose",
    "Regimen",
]
