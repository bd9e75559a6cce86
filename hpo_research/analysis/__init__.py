"""From the store to frames and curves."""
