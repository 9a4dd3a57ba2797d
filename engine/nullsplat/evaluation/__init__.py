"""How good a result is: degradations of its own, metrics, baselines and pictures."""
