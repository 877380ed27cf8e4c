"""One step of the ensemble engine: explicit (Tsit5) or Rosenbrock (RODAS4), and how its length is controlled."""
