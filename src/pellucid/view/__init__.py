"""Pictures of networks, runs and mathematics; each function returns a Matplotlib figure."""
