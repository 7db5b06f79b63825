"""The command `nextcall`: every verb a user needs, each a few lines over a room."""
