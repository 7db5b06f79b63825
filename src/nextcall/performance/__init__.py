"""How fast a service is: its parts, many users at once, beside what was promised; kept."""
