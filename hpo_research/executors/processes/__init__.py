"""Worker processes: what runs users' code, and may end as it likes."""
