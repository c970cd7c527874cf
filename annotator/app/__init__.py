"""The browser side of the review: access, REST interface, page. What it decides is decided below it."""
