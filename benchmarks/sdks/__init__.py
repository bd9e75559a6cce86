"""Amazon's own Python SDKs, unmodified, beside the client that answers them here."""
