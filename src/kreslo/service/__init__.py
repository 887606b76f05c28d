"""What a running Kreslo shows the world: health, status, webhooks, the page, and its logs."""
