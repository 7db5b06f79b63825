"""A/B statistics: assignment, design, analysis, sequential looks, rankers compared; no database."""
