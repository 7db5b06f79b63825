"""The service as a process: its socket, loop, workers, memory."""
