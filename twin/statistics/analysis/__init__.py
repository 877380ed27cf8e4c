"""Analyses of trials, compiled, of all replicates at once: arrays (replicate, person) in, an `Estimate` out."""

from .estimate import Estimate as Estimate
from .estimate import information as information
from .estimate import interval as interval
from .estimate import p_value as p_value
from .estimate import z_of as z_of
from .log_rank import log_rank as log_rank
from .means import ancova as ancova
from .means import ancova_many as ancova_many
from .means import slope as slope
from .means import t_test as t_test
from .proportions import cochran_mantel_haenszel as cochran_mantel_haenszel
from .proportions import newcombe as newcombe
from .proportions import proportions as proportions
