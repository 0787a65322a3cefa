"""What the engines and `execution` stand on: recording, memory, threads, the cache folder."""
