"""The demo clinic beside a sandbox CRM, and the audit that counts what came of it."""
