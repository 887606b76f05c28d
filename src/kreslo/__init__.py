"""Kreslo carries a clinic's records from its MIS into its CRM: every visit one card, at the right stage."""

__version__ = "0.1.0"
