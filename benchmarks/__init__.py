"""How fast Pellucid is beside other libraries. Not installed; see `benchmarks.run`."""
