"""The report of a build, one HTML file with its pictures inside; and the card of its dataset."""
