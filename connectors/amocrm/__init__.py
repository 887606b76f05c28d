"""amoCRM: the CRM of a clinic, reached by its API v4 with a long-lived token."""
