"""What runs on a GPU: tests, agreement with the CPU, and seconds, by one command."""
