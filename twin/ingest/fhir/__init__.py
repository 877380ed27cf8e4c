"""FHIR R4: bundles and bulk exports (NDJSON) -> charts of laboratory values, drugs given or ordered, and conditions.

charts, report = fhir.read("bundle.json")       # or a folder of bundles, or of Patient.ndjson, Observation.ndjson, ...
"""

from .reader import read

__all__ = ["read"]
