"""Readers of patients' own files: records, genomes, images, wearables and tables -> charts -> validated patients."""
