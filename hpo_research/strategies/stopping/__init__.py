"""Rules that stop trials early, around any strategy."""
