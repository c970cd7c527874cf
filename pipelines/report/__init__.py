"""The report of a build: one HTML file with its pictures inside."""
