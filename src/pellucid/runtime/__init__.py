"""Services for engines and `execution`: recording, memory, threads, the cache folder."""
